//! What a sweep comes to.
//!
//! What must hold: it says no more than what was tried, and leaves out nothing that speaks against it.

use super::bisect::{Bounds, Tried};
use crate::campaign::Value;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It fails where it begins: nothing of it is safe.
    FailsAtFrom,
    /// It holds where it ends: all of it is safe, as far as was tried.
    HoldsAtTo,
    /// At one of the ends it cannot be told.
    Unresolved(Value),
    /// Between them it begins to fail.
    Threshold(Threshold),
}

/// Where it begins to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// The greatest value that held in all plays, as all did that were tried below it and could be told.
    pub held: Value,
    /// The least value that failed in any play.
    pub failed: Value,
    /// The least value from which on all plays failed; `None` if some at the end of the range did not.
    pub always: Option<Value>,
    /// Values whose plays disagree.
    pub mixed: Vec<Value>,
    /// Values beyond the least that failed which held in all plays: the answer is not monotone.
    pub held_again: Vec<Value>,
    /// Values of which it cannot be told.
    pub unresolved: Vec<Value>,
}

impl Threshold {
    /// Whether every play is where a single threshold has it.
    pub fn is_sharp(&self) -> bool {
        self.always == Some(self.failed) && self.unresolved.is_empty()
    }
}

impl Tried {
    /// What it comes to.
    pub fn answer(&self, bounds: &Bounds) -> Answer {
        let tally = |value: Value| self.0.get(&bounds.place(value)).copied().unwrap_or_default();
        let (first, last) = (tally(bounds.from()), tally(bounds.to()));
        if first.any_failed() {
            return Answer::FailsAtFrom;
        }
        if !first.all_passed() {
            return Answer::Unresolved(bounds.from());
        }
        if last.all_passed() {
            return Answer::HoldsAtTo;
        }
        let (Some(held), Some(failed)) = (self.held(), self.failed()) else {
            return Answer::Unresolved(bounds.to());
        };
        let those = |wanted: &dyn Fn(i64, crate::campaign::Tally) -> bool| -> Vec<Value> {
            let wanted = self.0.iter().filter(|(place, tally)| wanted(**place, **tally));
            wanted.map(|(place, _)| bounds.value(*place)).collect()
        };
        Answer::Threshold(Threshold {
            held: bounds.value(held),
            failed: bounds.value(failed),
            always: self.always().map(|place| bounds.value(place)),
            mixed: those(&|_, tally| tally.is_mixed()),
            held_again: those(&|place, tally| place > failed && tally.all_passed()),
            unresolved: those(&|_, tally| !tally.any_failed() && !tally.all_passed()),
        })
    }
}
