//! Verdicts over histories: which property broke and by what witness, and whether liveness came back.
//!
//! ```
//! use falseticker::check::{Past, judge};
//! use falseticker::history::Verdict;
//!
//! # fn main() -> falseticker::Result<()> {
//! let text = r#"{"type":"invoke","f":"write","process":0,"value":1,"time":0}
//! {"type":"ok","f":"write","process":0,"value":1,"time":5}
//! {"type":"invoke","f":"read","process":1,"value":null,"time":6}
//! {"type":"ok","f":"read","process":1,"value":0,"time":9}
//! "#;
//! let past = Past::read(text.as_bytes(), "mine")?;
//! let checks = judge(&past, &["linearizable".parse()?]);
//! assert_eq!(checks[0].verdict, Verdict::Violated);
//! assert_eq!(checks[0].witness.len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! What must hold: the duties of [`Rule`]. A rule is a file of this folder and a line in [`RULES`].

mod chosen;
mod fencing;
mod linearizable;
mod lost_update;
mod monotonic_timestamps;
mod mutual_exclusion;
mod no_cascade;
mod no_negative_durations;
mod order;
mod past;
mod progress;
mod recovers_within;
mod stale_read;
mod unique_ids;

#[cfg(test)]
mod tests;

pub use chosen::{Chosen, Needs};
pub(crate) use mutual_exclusion::held;
pub use past::{Collector, Moment, Op, Outcome, Past, Told, Trouble};

use crate::Span;
use crate::history::{Check, Seen, Verdict};

/// What a history keeps or breaks. Duties:
///
/// 1. Its name is a word of the command line and of `[checks]`, and does not change.
/// 2. `violated` only where no instants within the bounds, and no outcome of what nobody knows, would keep it; the witness is the
///    fewest operations that show it.
/// 3. `holds` only where all instants within the bounds and all such outcomes keep it. Anything else is `unknown`, and says
///    why.
/// 4. Where the operations that it reads do not occur it is `unknown`.
/// 5. The same history has the same verdict, after a time that is bounded.
pub trait Rule: Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// What it says, and the operations and fields that it reads: for `--help`.
    fn reads(&self) -> &'static str;

    /// What is written after its name.
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    /// What a history comes to.
    fn judge(&self, past: &Past, with: &With) -> Found;
}

/// Every rule that needs nothing after its name: by what a history is judged where nobody says.
pub fn plain() -> Vec<Chosen> {
    RULES.iter().filter_map(|rule| Chosen::new(rule.name(), None).ok()).collect()
}

/// What was written after a rule's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct With {
    /// A length of time.
    pub span: Option<Span>,
    /// A number of operations.
    pub count: Option<usize>,
}

/// All rules.
pub const RULES: &[&dyn Rule] = &[
    &mutual_exclusion::MutualExclusion,
    &fencing::Fencing,
    &lost_update::LostUpdate,
    &monotonic_timestamps::MonotonicTimestamps,
    &unique_ids::UniqueIds,
    &no_negative_durations::NoNegativeDurations,
    &stale_read::StaleRead,
    &linearizable::Linearizable { budget: linearizable::BUDGET },
    &recovers_within::RecoversWithin,
    &progress::Progress,
    &no_cascade::NoCascade,
];

/// What a rule has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    verdict: Verdict,
    why: String,
    witness: Vec<Seen>,
}

impl Found {
    /// It holds.
    fn holds() -> Self {
        Found { verdict: Verdict::Holds, why: String::new(), witness: Vec::new() }
    }

    /// It cannot be told.
    fn unknown(why: impl Into<String>) -> Self {
        Found { verdict: Verdict::Unknown, why: why.into(), witness: Vec::new() }
    }

    /// It is broken, as operations show.
    fn violated(why: impl Into<String>) -> Self {
        Found { verdict: Verdict::Violated, why: why.into(), witness: Vec::new() }
    }

    /// Nothing of what it reads has happened.
    fn nothing(what: &str) -> Self {
        Found::unknown(format!("there is no {what} in the history"))
    }

    /// The same with the operations that show it, in the order of time.
    fn shown_by(mut self, ops: &[&Op]) -> Self {
        let mut ops: Vec<&Op> = ops.to_vec();
        ops.sort_by_key(|op| (op.first(), op.begun.line));
        ops.dedup_by_key(|op| op.begun.line);
        self.witness = ops.into_iter().map(seen).collect();
        self
    }

    /// The worse of two; of two that are alike, the first.
    fn or(self, other: Found) -> Found {
        if other.verdict > self.verdict { other } else { self }
    }
}

/// An operation as a witness.
fn seen(op: &Op) -> Seen {
    let outcome = match op.outcome {
        Outcome::Ok => "",
        Outcome::Fail => ", not done",
        Outcome::Unknown => ", nobody knows whether",
    };
    let value = if op.value.is_null() { String::new() } else { format!(" {}", op.value) };
    let fields: String = op.fields.iter().map(|(key, value)| format!(" {key}={value}")).collect();
    let what = format!("{}: {}{value}{fields}{outcome}", op.process, op.name);
    let last = if op.last() == i64::MAX { op.done.from } else { op.last() };
    Seen { from_ns: op.first(), until_ns: last, line: op.begun.line, what }
}

/// The verdicts of some rules.
pub fn judge(past: &Past, rules: &[Chosen]) -> Vec<Check> {
    let judged = |chosen: &Chosen| {
        let Found { verdict, why, witness } = chosen.rule().judge(past, &chosen.with());
        let why = if why.is_empty() { Vec::new() } else { vec![why] };
        Check { check: chosen.to_string(), verdict, why, witness }
    };
    rules.iter().map(judged).collect()
}

/// The worst of several; `None` of none.
fn worst(found: impl IntoIterator<Item = Found>) -> Option<Found> {
    found.into_iter().reduce(Found::or)
}

/// Pairs of operations neither of which was surely over before the other one began.
fn unordered<'a>(ops: &[&'a Op], mut each: impl FnMut(&'a Op, &'a Op)) {
    let mut sorted = ops.to_vec();
    sorted.sort_by_key(|op| (op.first(), op.begun.line));
    let mut open: Vec<&Op> = Vec::new();
    for op in sorted {
        open.retain(|other| other.last() >= op.first());
        for other in &open {
            if !other.surely_before(op) && !op.surely_before(other) {
                each(other, op);
            }
        }
        open.push(op);
    }
}
