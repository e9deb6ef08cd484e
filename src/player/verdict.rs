//! The verdicts that every scenario has: whether each fault arrived, and whether the programs behaved.
//!
//! What must hold: a clock fault has arrived if a process of its node has read its clock under it before it was superseded;
//! a pause if a stop was confirmed; a kill if somebody was killed; a command if its exit code is 0. A clock fault during
//! which all of its node stood still throughout is unknown, never a guess. What is marked optional violates nothing.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::watch::Watch;
use crate::HostInstant;
use crate::history::{Check, Verdict};
use crate::scenario::{Action, Due, Planned, Target};

/// What the main loop has come to know.
#[derive(Debug, Default)]
pub struct Known {
    /// Pauses, kills and commands that have arrived.
    pub reached: BTreeSet<u32>,
    /// What could not be done, and why.
    pub failed: BTreeMap<u32, String>,
    /// When which node stood still.
    pub stood: Vec<(String, HostInstant, HostInstant)>,
    /// To whom clock faults were given whose node was not known ahead.
    pub given: BTreeMap<u32, String>,
}

/// The verdicts.
pub fn judge(
    timeline: &[Planned],
    watches: &IndexMap<String, Watch>,
    known: &Known,
    problems: &[String],
    unfinished: &[String],
) -> Vec<Check> {
    let (mut missed, mut unknown) = (Vec::new(), Vec::new());
    for planned in timeline {
        match arrived(planned, watches, known) {
            Arrived::Yes => {}
            Arrived::Unknown(why) => unknown.push(said(planned, &why)),
            Arrived::No(why) if planned.optional => tracing::info!("{}", said(planned, &why)),
            Arrived::No(why) => missed.push(said(planned, &why)),
        }
    }
    let verdict = match (missed.is_empty(), unknown.is_empty()) {
        (false, _) => Verdict::Violated,
        (true, false) => Verdict::Unknown,
        (true, true) => Verdict::Holds,
    };
    missed.extend(unknown);
    let unfinished =
        unfinished.iter().map(|name| format!("node {name}: its program was to end by itself, and has not"));
    let programs: Vec<String> = problems.iter().cloned().chain(unfinished).collect();
    let behaved = if programs.is_empty() { Verdict::Holds } else { Verdict::Violated };
    vec![
        Check { check: "arrived".to_owned(), verdict, why: missed, ..Check::default() },
        Check { check: "programs".to_owned(), verdict: behaved, why: programs, ..Check::default() },
    ]
}

enum Arrived {
    Yes,
    No(String),
    Unknown(String),
}

fn said(planned: &Planned, why: &str) -> String {
    let to = match &planned.to {
        Target::Node(name) => format!("node {name}, "),
        Target::Named(_) | Target::Nobody => String::new(),
    };
    format!("{}: {to}{}: {why}", planned.id, planned.action.describe())
}

fn arrived(planned: &Planned, watches: &IndexMap<String, Watch>, known: &Known) -> Arrived {
    if let Some(why) = known.failed.get(&planned.id) {
        return Arrived::No(why.clone());
    }
    if matches!(planned.action, Action::Heal(_)) {
        // No fault. Whether it was read is told by its evidence.
        return Arrived::Yes;
    }
    let name = match (&planned.to, known.given.get(&planned.id)) {
        (_, Some(given)) => given,
        (Target::Node(name), None) => name,
        _ => "",
    };
    if known.reached.contains(&planned.id) {
        return Arrived::Yes;
    }
    match watches.get(name).and_then(|watch| watch.reached(planned.id)) {
        Some((1.., ..)) => Arrived::Yes,
        Some((0, from, until)) if stood_still(known, name, from, until) => {
            Arrived::Unknown("all of it lies within a pause, in which nobody could read his clock".to_owned())
        }
        Some(_) => Arrived::No("nobody has read his clock under it".to_owned()),
        None if matches!(planned.due, Due::After(_)) => {
            Arrived::No("what it waits for has not happened".to_owned())
        }
        None => Arrived::No("its time did not come, or it was cut short".to_owned()),
    }
}

/// Whether a node stood still from the one instant to the other.
fn stood_still(known: &Known, name: &str, from: HostInstant, until: HostInstant) -> bool {
    known.stood.iter().any(|(node, begun, ended)| node == name && *begun <= from && until <= *ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;
    use crate::node::Applied;
    use crate::scenario::action::{Freeze, Jump};

    fn planned(id: u32, action: Action) -> Planned {
        let to = Target::Node("a".to_owned());
        Planned { id, entry: 0, due: Due::At(Span::ZERO), to, action, optional: false, seed: 0 }
    }

    fn watches() -> IndexMap<String, Watch> {
        let at = HostInstant::from_nanos;
        let mut watch = Watch::default();
        let applied = Applied {
            id: 5,
            what: "jump".to_owned(),
            clocks: vec!["wall"],
            at: at(100),
            until: Some(at(200)),
            late_by: Span::ZERO,
        };
        watch.add(Some(1), applied);
        IndexMap::from([("a".to_owned(), watch)])
    }

    fn verdict(known: &Known, planned: Planned) -> Verdict {
        judge(&[planned], &watches(), known, &[], &[])[0].verdict
    }

    #[test]
    fn a_clock_fault_that_nobody_read_has_not_arrived() {
        let jump = || planned(1, Action::Jump(Jump::default()));
        assert_eq!(verdict(&Known::default(), jump()), Verdict::Violated);
        assert_eq!(verdict(&Known::default(), Planned { optional: true, ..jump() }), Verdict::Holds);
    }

    #[test]
    fn one_that_lies_within_a_pause_is_unknown_and_one_that_does_not_is_not() {
        let at = HostInstant::from_nanos;
        let stood =
            |from, until| Known { stood: vec![("a".to_owned(), at(from), at(until))], ..Known::default() };
        let jump = || planned(1, Action::Jump(Jump::default()));
        assert_eq!(verdict(&stood(90, 200), jump()), Verdict::Unknown);
        assert_eq!(verdict(&stood(101, 200), jump()), Verdict::Violated);
        assert_eq!(verdict(&stood(90, 199), jump()), Verdict::Violated);
    }

    #[test]
    fn a_pause_has_arrived_if_it_was_confirmed() {
        let freeze = || planned(2, Action::Freeze(Freeze::default()));
        assert_eq!(verdict(&Known::default(), freeze()), Verdict::Violated);
        let known = Known { reached: BTreeSet::from([2]), ..Known::default() };
        assert_eq!(verdict(&known, freeze()), Verdict::Holds);
        let failed = Known { failed: BTreeMap::from([(2, "why".to_owned())]), ..known };
        assert_eq!(verdict(&failed, freeze()), Verdict::Violated);
    }

    #[test]
    fn programs_that_ended_or_did_not_are_told() {
        let judged = judge(&[], &watches(), &Known::default(), &["x".to_owned()], &["b".to_owned()]);
        assert_eq!(judged[1].verdict, Verdict::Violated);
        assert_eq!(judged[1].why.len(), 2);
    }
}
