//! Failing timelines made minimal: delta debugging ([`ddmin()`]) over the entries, then bisection ([`reduce`]) over their magnitudes.
//!
//! ```no_run
//! use falseticker::campaign::{Criteria, Quorum, Recorded, Stage, State, resolve};
//! use falseticker::scenario::Scenario;
//! use falseticker::shrink::{Answer, shrink};
//!
//! # fn main() -> falseticker::Result<()> {
//! let mut scenario = Scenario::read("lease.toml")?;
//! let criteria = Criteria::choose(&mut scenario, &[])?;
//! let entries = resolve(&scenario, 7)?;
//! let mut stage = Stage { criteria, seed: 7, directory: None, falseticker: None, cancel: None, watch: None };
//! let state = State::new(&scenario.to_toml()?, Default::default(), 7);
//! let quorum = Quorum { runs: 3, failures: 1 };
//! let mut plays = Recorded::new(state, None, quorum, &mut stage, Box::new(|_| {}));
//! let mut trial = falseticker::shrink::Plays::new(&scenario, &entries, &mut plays);
//! if let Answer::Shrunk(shrunk) = shrink(&entries, quorum, true, &mut trial)? {
//!     println!("{}", shrunk.minimal.scenario(&scenario, &entries)?.to_toml()?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What must hold: the result was seen to fail as it is; without any one of its entries it was seen not to. Nothing is drawn
//! (see [`resolve`](crate::campaign::resolve())), so that an entry that is left out changes none of the others.

mod candidate;
mod ddmin;
mod magnitude;
mod written;

#[cfg(test)]
mod tests;

pub use candidate::Candidate;
pub use ddmin::ddmin;
pub use magnitude::reduce;
pub use written::{Provenance, written};

use crate::Result;
use crate::campaign::{Effort, Outcome, Quorum, Recorded, Resolved, Tally, Trial, Value};
use crate::scenario::Scenario;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The whole timeline does not fail; there is nothing to shrink.
    Passes(Tally),
    /// It was shrunk.
    Shrunk(Shrunk),
}

/// A minimal timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// What is left.
    pub minimal: Candidate,
    /// How often it failed.
    pub fails: Tally,
    /// How often the whole timeline failed.
    pub whole: Tally,
}

/// Minimizes a timeline that fails; its magnitudes too, if that is wanted.
pub fn shrink(
    entries: &[Resolved],
    quorum: Quorum,
    magnitudes: bool,
    trial: &mut dyn Trial<Candidate>,
) -> Result<Answer> {
    let whole = Candidate::whole(entries.len());
    let whole_fails = trial.test(&whole, Effort::All)?;
    if quorum.verdict(whole_fails) != Some(Outcome::Fail) {
        return Ok(Answer::Passes(whole_fails));
    }
    let mut fails = |candidate: &Candidate| -> Result<Outcome> {
        let tally = trial.test(candidate, Effort::Verdict)?;
        Ok(quorum.verdict(tally).unwrap_or(Outcome::Unresolved))
    };
    let none = whole.keeping(&[]);
    let minimal = if entries.is_empty() || fails(&none)? == Outcome::Fail {
        none
    } else {
        minimize(entries, magnitudes, whole, &mut fails)?
    };
    let fails = trial.test(&minimal, Effort::All)?;
    Ok(Answer::Shrunk(Shrunk { minimal, fails, whole: whole_fails }))
}

/// Entries and magnitudes in turn, until no entry goes any more: smaller magnitudes may make one superfluous.
fn minimize(
    entries: &[Resolved],
    magnitudes: bool,
    whole: Candidate,
    fails: &mut dyn FnMut(&Candidate) -> Result<Outcome>,
) -> Result<Candidate> {
    let mut failing = whole;
    let mut is_first = true;
    loop {
        let kept = ddmin(&failing.kept, |kept| fails(&failing.keeping(kept)))?;
        if kept == failing.kept && !is_first {
            return Ok(failing);
        }
        is_first = false;
        failing = failing.keeping(&kept);
        if magnitudes {
            failing = smaller(entries, failing, fails)?;
        }
    }
}

/// Each magnitude of each entry that is left, one after the other.
fn smaller(
    entries: &[Resolved],
    mut failing: Candidate,
    fails: &mut dyn FnMut(&Candidate) -> Result<Outcome>,
) -> Result<Candidate> {
    for entry in failing.kept.clone() {
        for (slot, value) in failing.magnitudes(entries, entry) {
            let with = |amount| failing.with(entry, slot, Value { amount, ..value });
            let amount = reduce(value.amount, |amount| fails(&with(amount)))?;
            if amount != value.amount {
                failing = with(amount);
            }
        }
    }
    Ok(failing)
}

/// Candidates that are played.
#[derive(Debug)]
pub struct Plays<'a, 'b> {
    scenario: &'a Scenario,
    entries: &'a [Resolved],
    plays: &'a mut Recorded<'b>,
}

impl<'a, 'b> Plays<'a, 'b> {
    /// Those of a scenario whose entries these are.
    pub fn new(scenario: &'a Scenario, entries: &'a [Resolved], plays: &'a mut Recorded<'b>) -> Self {
        Plays { scenario, entries, plays }
    }
}

impl Trial<Candidate> for Plays<'_, '_> {
    fn test(&mut self, candidate: &Candidate, effort: Effort) -> Result<Tally> {
        let name = candidate.name(self.entries);
        self.plays.test(&name, effort, || candidate.scenario(self.scenario, self.entries))
    }
}
