//! The search for an order of a register's operations: depth first, remembering what was seen (Wing and Gong, Lowe).
//!
//! What must hold: what is remembered is the whole of a state (which operations are done, and the value), never a digest of it, so
//! that no verdict hangs on chance; the budget is counted in words of memory, whatever the states are like.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::super::{Op, Outcome};
use super::old_and_new;

/// What a state takes beside its words.
const OVERHEAD: usize = 8;

/// Which order is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Only what is so whatever the instants within their bounds are.
    Sure,
    /// All that could be so.
    Possible,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is such an order.
    Fits,
    /// There is none.
    FitsNot,
    /// The budget is spent.
    GaveUp,
}

/// What an operation does to the register; values by their numbers.
#[derive(Clone, Copy)]
enum Does {
    Read(u32),
    Write(u32),
    Cas(u32, u32),
}

struct Step {
    does: Does,
    is_needed: bool,
    /// It takes effect after here and before there; what is over before here comes first.
    from: i64,
    until: i64,
    /// What the same process did before it, if that is known to be over.
    after: Option<usize>,
}

/// The state of a search: what is done, in words of 64, and the value.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    done: Box<[u64]>,
    value: u32,
}

impl State {
    fn has(&self, index: usize) -> bool {
        self.done[index / 64] & (1 << (index % 64)) != 0
    }

    fn with(&self, index: usize, value: u32) -> State {
        let mut next = State { done: self.done.clone(), value };
        next.done[index / 64] |= 1 << (index % 64);
        next
    }
}

/// Looks for an order in which every operation that was done, and any of those that may have been, follow from one another.
pub fn search(ops: &[&Op], order: Order, budget: usize) -> Answer {
    let steps = steps(ops, order);
    let by_end = by_end(&steps);
    let needed = steps.iter().filter(|step| step.is_needed).count();
    let words = steps.len().div_ceil(64);
    let mut budget = budget;
    let first = State { done: vec![0; words].into_boxed_slice(), value: UNKNOWN };
    let mut seen = HashSet::from([first.clone()]);
    let mut stack = vec![Frame::new(&steps, &by_end, first, 0, needed)];
    while let Some(frame) = stack.last_mut() {
        if frame.left == 0 {
            return Answer::Fits;
        }
        let Some(index) = frame.next.pop() else {
            stack.pop();
            continue;
        };
        let Some(value) = apply(steps[index].does, frame.state.value) else { continue };
        let state = frame.state.with(index, value);
        if seen.contains(&state) {
            continue;
        }
        let Some(rest) = budget.checked_sub(words + OVERHEAD) else { return Answer::GaveUp };
        budget = rest;
        seen.insert(state.clone());
        let left = frame.left - usize::from(steps[index].is_needed);
        let base = frame.base;
        stack.push(Frame::new(&steps, &by_end, state, base, left));
    }
    Answer::FitsNot
}

/// A state on the way, and where it may go on.
struct Frame {
    state: State,
    /// All before here is done.
    base: usize,
    /// How many operations must still come.
    left: usize,
    /// What can come next; the last one is tried first.
    next: Vec<usize>,
}

impl Frame {
    fn new(steps: &[Step], by_end: &[usize], state: State, base: usize, left: usize) -> Frame {
        let base = (base..steps.len()).find(|index| !state.has(*index)).unwrap_or(steps.len());
        let mut next = candidates(steps, by_end, &state, base);
        next.reverse();
        Frame { state, base, left, next }
    }
}

/// What the register held before anybody wrote is not known: whatever is read of it first.
const UNKNOWN: u32 = 0;

fn apply(does: Does, value: u32) -> Option<u32> {
    match does {
        Does::Read(read) if value == UNKNOWN => Some(read),
        Does::Cas(_, new) if value == UNKNOWN => Some(new),
        Does::Read(read) => (read == value).then_some(value),
        Does::Write(new) => Some(new),
        Does::Cas(old, new) => (old == value).then_some(new),
    }
}

/// What can come next: whatever no other operation must come before.
fn candidates(steps: &[Step], by_end: &[usize], state: &State, base: usize) -> Vec<usize> {
    // The two that end first of those that must still come: one bounds all others, the next one bounds it.
    let mut ends = by_end.iter().copied().filter(|index| !state.has(*index));
    let (first, second) = (ends.next(), ends.next());
    let limit = |of: Option<usize>| of.map_or(i64::MAX, |index| steps[index].until);
    let mut found = Vec::new();
    for (index, step) in steps.iter().enumerate().skip(base) {
        if step.from > limit(first) && Some(index) != first {
            // They are in the order of their beginnings; only the first to end may lie further on.
            if first.is_none_or(|first| first <= index) {
                break;
            }
            continue;
        }
        let bound = if Some(index) == first { limit(second) } else { limit(first) };
        let comes_after = step.after.is_some_and(|before| !state.has(before));
        if !state.has(index) && step.from <= bound && !comes_after {
            found.push(index);
        }
    }
    found
}

/// The operations that must come, by their ends.
fn by_end(steps: &[Step]) -> Vec<usize> {
    let mut by_end: Vec<usize> = (0..steps.len()).filter(|index| steps[*index].is_needed).collect();
    by_end.sort_by_key(|index| steps[*index].until);
    by_end
}

/// The operations by their beginnings; what may have been read by somebody who never heard of it does nothing.
fn steps(ops: &[&Op], order: Order) -> Vec<Step> {
    let is_needed = |op: &Op| op.outcome == Outcome::Ok;
    let from = |op: &Op| match order {
        Order::Sure => op.begun.from,
        Order::Possible => op.begun.until,
    };
    let mut sorted: Vec<&Op> = ops.iter().copied().filter(|op| is_needed(op) || op.name != "read").collect();
    sorted.sort_by_key(|op| (from(op), op.begun.line));
    let mut by_line: Vec<usize> = (0..sorted.len()).collect();
    by_line.sort_by_key(|index| sorted[*index].begun.line);
    let (mut last, mut after) = (HashMap::new(), vec![None; sorted.len()]);
    for index in by_line {
        let op = sorted[index];
        let who = (&op.node, &op.process);
        after[index] = last.get(&who).copied();
        if is_needed(op) {
            last.insert(who, index);
        }
    }
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut number = |value: &Value| {
        let next = u32::try_from(numbers.len() + 1).unwrap_or(u32::MAX);
        *numbers.entry(value.to_string()).or_insert(next)
    };
    let mut step = |(op, after): (&Op, Option<usize>)| {
        let does = match (op.name.as_str(), old_and_new(&op.value)) {
            ("read", _) => Does::Read(number(&op.value)),
            ("cas", Some((old, new))) => Does::Cas(number(old), number(new)),
            _ => Does::Write(number(&op.value)),
        };
        let until = match (op.outcome, order) {
            (Outcome::Unknown | Outcome::Fail, _) => i64::MAX,
            (Outcome::Ok, Order::Sure) => op.done.until,
            // What was over when the other one began was over before it: one less has this said by one comparison.
            (Outcome::Ok, Order::Possible) => op.done.from.saturating_sub(1),
        };
        Step { does, is_needed: is_needed(op), from: from(op), until, after }
    };
    sorted.into_iter().zip(after).map(&mut step).collect()
}
