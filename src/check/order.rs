//! Numbers that must not go back in time: tokens, timestamps.

use std::collections::BTreeMap;

use super::{Op, Outcome, unordered};

/// Whether they do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Backward<'a> {
    /// The first one was over before the second one began, and has the greater number.
    Yes(&'a Op, &'a Op),
    /// Which of the two was first, or whether both were done, is not known.
    Perhaps(&'a Op, &'a Op),
    /// They do not.
    No,
}

/// Looks at operations with their numbers, in the order of their lines.
pub fn backward<'a>(ops: &[(&'a Op, i64)]) -> Backward<'a> {
    let is_done = |op: &Op| op.outcome == Outcome::Ok;
    let mut over: Vec<_> = ops.iter().copied().filter(|(op, _)| is_done(op)).collect();
    over.sort_by_key(|(op, _)| (op.last(), op.done.line));
    let mut by_first = ops.to_vec();
    by_first.sort_by_key(|(op, _)| (op.first(), op.begun.line));
    let mut perhaps = None;
    let mut over = over.into_iter().peekable();
    let mut greatest: Option<(&Op, i64)> = None;
    for (op, number) in by_first {
        while let Some(next) = over.next_if(|(other, _)| other.last() < op.first()) {
            greatest = greatest.filter(|(_, greatest)| *greatest >= next.1).or(Some(next));
        }
        match greatest.filter(|(_, greatest)| *greatest > number) {
            Some((greater, _)) if is_done(op) => return Backward::Yes(greater, op),
            Some((greater, _)) => perhaps = perhaps.or(Some((greater, op))),
            None => {}
        }
    }
    // A process's own lines have an order where the bounds of their instants leave none.
    let mut own: BTreeMap<(&str, &str), (&Op, i64)> = BTreeMap::new();
    for (op, number) in ops.iter().copied().filter(|(op, _)| is_done(op)) {
        let greatest = own.entry((&op.node, &op.process)).or_insert((op, number));
        if greatest.1 > number && greatest.0.is_earlier_line_of(op) {
            return Backward::Yes(greatest.0, op);
        }
        if number > greatest.1 {
            *greatest = (op, number);
        }
    }
    let numbers: BTreeMap<usize, i64> = ops.iter().map(|(op, number)| (op.begun.line, *number)).collect();
    let plain: Vec<&Op> = ops.iter().map(|(op, _)| *op).collect();
    unordered(&plain, |one, two| {
        if numbers.get(&one.begun.line) != numbers.get(&two.begun.line) {
            perhaps = perhaps.or(Some((one, two)));
        }
    });
    perhaps.map_or(Backward::No, |(one, two)| Backward::Perhaps(one, two))
}
