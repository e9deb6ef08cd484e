//! `linearizable`: each operation of a register takes effect at one instant between its beginning and its end.
//!
//! Judged twice: by the order that is sure, which violates if nothing fits even it, and by all the order that the bounds
//! of instants allow, which holds if something fits even that. The search is bounded, and says when it gave up.
//!
//! A prefix of what fits fits, and so does what is left without a read, or without a write that nobody has read: so
//! the witness is the shortest prefix that does not fit, without all of these that it does not need.
//!
//! Sources: J. Wing and C. Gong, Testing and Verifying Concurrent Objects, 1993; G. Lowe, [Testing for
//! linearizability](https://doi.org/10.1002/cpe.3928), 2017. *Why no crate*: the testers that are kept (`stateright`'s) search without
//! a bound, and know no operations whose outcome is unknown.

mod search;

use serde_json::Value;

use super::{Found, Op, Outcome, Past, Rule, With, worst};
use search::{Answer, Order, search};

pub(super) struct Linearizable {
    /// How many words of memory a search may remember.
    pub budget: usize,
}

/// 128 MiB.
pub(super) const BUDGET: usize = 16 << 20;
/// How much of that each try to shorten a witness may take, and how many there are.
const TRY: usize = 4 << 20;
const TRIES: usize = 200;

impl Rule for Linearizable {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn reads(&self) -> &'static str {
        "each key is a register: read, write, cas with [old, new]; field key"
    }

    fn judge(&self, past: &Past, _: &With) -> Found {
        let of_key = |(key, ops): (String, Vec<&Op>)| {
            let ops: Vec<&Op> = ops.into_iter().filter(|op| op.outcome != Outcome::Fail).collect();
            ops.iter().any(|op| op.outcome == Outcome::Ok).then(|| judge(&key, &ops, self.budget))
        };
        worst(past.by("key", &["read", "write", "cas"]).into_iter().filter_map(of_key))
            .unwrap_or_else(|| Found::nothing("read, write or cas that was done"))
    }
}

fn judge(key: &str, ops: &[&Op], budget: usize) -> Found {
    let key = if key.is_empty() { String::new() } else { format!(" of '{key}'") };
    if let Some(odd) = ops.iter().find(|op| op.name == "cas" && old_and_new(&op.value).is_none()) {
        return Found::unknown(format!("the value of the cas of line {} is no [old, new]", odd.begun.line));
    }
    let violated = || {
        let why = format!("no order of the operations{key} explains what was read");
        Found::violated(why).shown_by(&shortest(ops))
    };
    // Less order fits more, and is searched even where the other search has given up.
    match (search(ops, Order::Possible, budget), search(ops, Order::Sure, budget)) {
        (Answer::Fits, _) => Found::holds(),
        (_, Answer::FitsNot) => violated(),
        (Answer::FitsNot, Answer::Fits) => {
            let why =
                format!("some instants within the bounds{key} explain what was read, and others do not");
            Found::unknown(why)
        }
        _ => Found::unknown(format!("the search{key} gave up: too many operations overlap one another")),
    }
}

/// What a cas compares and sets.
fn old_and_new(value: &Value) -> Option<(&Value, &Value)> {
    match value.as_array()?.as_slice() {
        [old, new] => Some((old, new)),
        _ => None,
    }
}

/// The operations that are done first, and do not fit, without those that are not needed for that.
fn shortest<'a>(ops: &[&'a Op]) -> Vec<&'a Op> {
    let mut ends: Vec<i64> = ops.iter().filter(|op| op.outcome == Outcome::Ok).map(|op| op.last()).collect();
    ends.sort_unstable();
    let fits_not = |ops: &[&Op]| search(ops, Order::Sure, TRY) == Answer::FitsNot;
    let fits_not_until = |end: i64| fits_not(&prefix(ops, end).iter().collect::<Vec<_>>());
    let first = ends.partition_point(|end| !fits_not_until(*end));
    let known = prefix(ops, ends.get(first).copied().unwrap_or(i64::MAX));
    let mut left: Vec<&Op> = known.iter().collect();
    if !fits_not(&left) {
        // The tries have given up: it is all of them then.
        return ops.to_vec();
    }
    let mut tries = TRIES;
    // A write is free once nobody reads it any more. Half of all that is free is tried first, then a quarter, and so on.
    for of in ["read", "write"] {
        let mut size = left.len();
        while size > 0 {
            let is_of = |index: &usize| left[*index].name == of && is_free(&left, *index);
            let free: Vec<usize> =
                (0..left.len()).filter(is_of).map(|index| left[index].begun.line).collect();
            for chunk in free.chunks(size) {
                let Some(rest) = tries.checked_sub(1) else { break };
                tries = rest;
                let is_kept = |op: &&Op| !chunk.contains(&op.begun.line);
                let fewer: Vec<&Op> = left.iter().copied().filter(is_kept).collect();
                if fits_not(&fewer) {
                    left = fewer;
                }
            }
            size /= 2;
        }
    }
    let lines: Vec<usize> = left.iter().map(|op| op.begun.line).collect();
    ops.iter().copied().filter(|op| lines.contains(&op.begun.line)).collect()
}

/// What was known at an instant: what was not done by then may be done or not.
fn prefix(ops: &[&Op], end: i64) -> Vec<Op> {
    let begun = ops.iter().filter(|op| op.first() <= end);
    let known = |op: &&Op| {
        let mut op = Op::clone(op);
        if op.outcome == Outcome::Ok && op.last() > end {
            op.outcome = Outcome::Unknown;
            op.done.until = i64::MAX;
        }
        op
    };
    begun.map(known).filter(|op| op.outcome == Outcome::Ok || op.name != "read").collect()
}

/// Whether what is left without it would still fit, if it did before.
fn is_free(ops: &[&Op], index: usize) -> bool {
    let op = ops[index];
    let shows = |other: &Op, value: &Value| match other.name.as_str() {
        "read" => other.value == *value,
        "cas" => old_and_new(&other.value).is_some_and(|(old, _)| old == value),
        _ => false,
    };
    match op.name.as_str() {
        "read" => true,
        "write" => !ops.iter().any(|other| shows(other, &op.value)),
        _ => false,
    }
}
