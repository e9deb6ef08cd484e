//! What a failure is: which of a scenario's verdicts count.
//!
//! What must hold: at least one counts, and it is judged in the play; a play that was not what its timeline says does not pass.

use std::fmt;
use std::str::FromStr;

use super::outcome::{Outcome, Played};
use crate::check::Chosen;
use crate::error::{Error, Result};
use crate::history::{Check, Verdict};
use crate::scenario::Scenario;

/// The verdict on the programs, which every scenario has.
const PROGRAMS: &str = "programs";

/// Something that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// A rule is violated.
    Rule(Chosen),
    /// A program has ended unexpectedly.
    Programs,
}

impl FromStr for Criterion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Criterion> {
        if text == PROGRAMS { Ok(Criterion::Programs) } else { text.parse().map(Criterion::Rule) }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Criterion::Rule(rule) => write!(f, "{rule}"),
            Criterion::Programs => f.write_str(PROGRAMS),
        }
    }
}

/// All that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criteria(Vec<Criterion>);

impl Criteria {
    /// Those that are chosen, or, if there are none, the scenario's own checks. The scenario's checks are these from then on.
    pub fn choose(scenario: &mut Scenario, chosen: &[Criterion]) -> Result<Criteria> {
        let criteria = match chosen {
            [] => scenario.checks.iter().cloned().map(Criterion::Rule).collect(),
            chosen => chosen.to_vec(),
        };
        if criteria.is_empty() {
            let attempted = format!("look for failures of scenario '{}'", scenario.head.name);
            return Err(Error::bad_input(attempted, "it has no [checks] that could be violated")
                .remedy("add some to it, or name them: --check RULE"));
        }
        scenario.checks = criteria.iter().filter_map(Criterion::rule).cloned().collect();
        Ok(Criteria(criteria))
    }

    /// What a play came to by the verdicts on it.
    pub fn judge(&self, checks: &[Check]) -> Played {
        let counts = |check: &&Check| self.0.iter().any(|criterion| criterion.to_string() == check.check);
        let named = |wanted: &dyn Fn(&&Check) -> bool| -> Vec<String> {
            checks.iter().filter(wanted).map(|check| check.check.clone()).collect()
        };
        let violated = named(&|check| counts(check) && check.verdict == Verdict::Violated);
        if !violated.is_empty() {
            return Played { outcome: Outcome::Fail, by: violated };
        }
        // Of the verdicts that do not count, those that say that the play was another one than its scenario has.
        let open = named(&|check| match check.verdict {
            Verdict::Unknown => counts(check),
            Verdict::Violated => true,
            Verdict::Holds => false,
        });
        let outcome = if open.is_empty() { Outcome::Pass } else { Outcome::Unresolved };
        Played { outcome, by: open }
    }
}

impl Criterion {
    fn rule(&self) -> Option<&Chosen> {
        match self {
            Criterion::Rule(rule) => Some(rule),
            Criterion::Programs => None,
        }
    }
}

/// "fencing, programs".
impl fmt::Display for Criteria {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(chosen: &[&str], checks: &[(&str, Verdict)]) -> (Outcome, Vec<String>) {
        let chosen: Vec<Criterion> = chosen.iter().map(|name| name.parse().unwrap()).collect();
        let criteria = Criteria::choose(&mut Scenario::default(), &chosen).unwrap();
        let check = |(name, verdict): &(&str, Verdict)| Check {
            check: (*name).to_owned(),
            verdict: *verdict,
            ..Check::default()
        };
        let played = criteria.judge(&checks.iter().map(check).collect::<Vec<_>>());
        (played.outcome, played.by)
    }

    #[test]
    fn a_play_fails_by_what_counts_and_passes_only_as_it_was_planned() {
        use Verdict::{Holds, Unknown, Violated};
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (arrived, programs, fencing, outcome, by) in [
            (Holds, Holds, Violated, Outcome::Fail, names(&["fencing"])),
            (Violated, Violated, Violated, Outcome::Fail, names(&["fencing"])),
            (Holds, Holds, Holds, Outcome::Pass, names(&[])),
            (Unknown, Holds, Holds, Outcome::Pass, names(&[])),
            (Holds, Holds, Unknown, Outcome::Unresolved, names(&["fencing"])),
            (Violated, Holds, Holds, Outcome::Unresolved, names(&["arrived"])),
            (Holds, Violated, Holds, Outcome::Unresolved, names(&["programs"])),
        ] {
            let checks = [("arrived", arrived), ("programs", programs), ("fencing", fencing)];
            assert_eq!(judged(&["fencing"], &checks), (outcome, by), "{checks:?}");
        }
        let checks = [("arrived", Holds), ("programs", Violated)];
        assert_eq!(judged(&["programs"], &checks), (Outcome::Fail, names(&["programs"])));
    }

    #[test]
    fn a_scenario_without_checks_is_refused_and_chosen_ones_take_the_place_of_its_own() {
        let mut scenario = Scenario { checks: vec!["fencing".parse().unwrap()], ..Scenario::default() };
        assert_eq!(Criteria::choose(&mut scenario, &[]).unwrap().to_string(), "fencing");
        let chosen = ["progress=1/1s".parse().unwrap(), Criterion::Programs];
        assert_eq!(Criteria::choose(&mut scenario, &chosen).unwrap().to_string(), "progress=1/1s, programs");
        assert_eq!(scenario.checks, ["progress=1/1s".parse().unwrap()]);
        assert!(Criteria::choose(&mut Scenario::default(), &[]).unwrap_err().help().is_some());
    }
}
