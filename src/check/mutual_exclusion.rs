//! `mutual-exclusion`: two holders of one lease at one true instant.
//!
//! A holder is who has been told that it has the lease, and has not begun to give it back: who waits in `acquire`, or for the answer to its
//! `release`, does nothing in the lease's name. It surely holds from the end of its `acquire` to its last word about it: a `hold`, another
//! `acquire`, or the beginning of its `release`. Without a `release` it may hold for ever, or until its node is stopped or has ended for
//! good: so a holder that merely lets its lease run out, and does not say so, makes the verdict `unknown` and not `violated`.

use std::collections::BTreeMap;

use super::{Found, Op, Outcome, Past, Rule, With, worst};

pub(super) struct MutualExclusion;

/// A time for which somebody holds a lease.
pub(crate) struct Held<'a> {
    /// Who.
    pub(crate) who: &'a str,
    /// From here to there at least; the other way round if nothing is sure.
    pub(crate) surely: (i64, i64),
    /// From here to there at most.
    pub(crate) perhaps: (i64, i64),
    first: &'a Op,
    last: &'a Op,
}

impl Rule for MutualExclusion {
    fn name(&self) -> &'static str {
        "mutual-exclusion"
    }

    fn reads(&self) -> &'static str {
        "no two hold one lease at one instant: acquire, hold (I hold it now), release; field lease"
    }

    fn judge(&self, past: &Past, _: &With) -> Found {
        let of_lease = |(lease, ops): (String, Vec<&Op>)| {
            let held = held(past, &ops);
            (!held.is_empty()).then(|| overlap(&lease, held))
        };
        worst(past.by("lease", &["acquire", "hold", "release"]).into_iter().filter_map(of_lease))
            .unwrap_or_else(|| Found::nothing("acquire or hold"))
    }
}

/// Who held a lease, and when, by the operations about it.
pub(crate) fn held<'a>(past: &Past, ops: &[&'a Op]) -> Vec<Held<'a>> {
    let mut all: Vec<Held<'a>> = Vec::new();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    // Who waits for the answer to an acquire to the end has never been told.
    let waits = |op: &&&Op| op.is_open && op.name == "acquire";
    for op in ops.iter().filter(|op| op.outcome != Outcome::Fail && !waits(op)) {
        let who = op.process.as_str();
        let is_done = op.outcome == Outcome::Ok;
        if op.name == "release" {
            // A release that may not have been done ends what is sure, and nothing else.
            let Some(index) = open.remove(who) else { continue };
            all[index].surely.1 = all[index].surely.1.max(op.first());
            all[index].last = op;
            if is_done {
                all[index].perhaps.1 = op.begun.until;
            }
            continue;
        }
        match open.get(who).copied() {
            Some(index) if is_done => {
                let held = &mut all[index];
                if held.surely.0 == i64::MAX {
                    (held.surely.0, held.first) = (op.last(), op);
                }
                held.surely.1 = held.surely.1.max(op.done.from);
                held.last = op;
            }
            Some(_) => {}
            None => {
                let surely = if is_done { (op.last(), op.done.from) } else { (i64::MAX, i64::MIN) };
                let from = if is_done { op.done.from } else { op.first() };
                let perhaps = (from, gone(past, op));
                open.insert(who, all.len());
                all.push(Held { who, surely, perhaps, first: op, last: op });
            }
        }
    }
    all
}

/// When a holder's node has ended for good.
fn gone(past: &Past, op: &Op) -> i64 {
    let troubles = past.troubles.get(&op.node).into_iter().flatten();
    troubles.filter(|trouble| trouble.until == i64::MAX).map(|trouble| trouble.from).max().unwrap_or(i64::MAX)
}

fn overlap(lease: &str, mut held: Vec<Held<'_>>) -> Found {
    held.sort_by_key(|held| held.perhaps.0);
    let mut found = Found::holds();
    let mut open: Vec<&Held<'_>> = Vec::new();
    for later in &held {
        open.retain(|earlier| earlier.perhaps.1 >= later.perhaps.0);
        for earlier in open.iter().filter(|held| held.who != later.who) {
            let both = |one: (i64, i64), two: (i64, i64)| (one.0.max(two.0), one.1.min(two.1));
            let (from, until) = both(earlier.surely, later.surely);
            if from <= until {
                let why = format!("{} and {} both hold lease '{lease}'", earlier.who, later.who);
                return Found::violated(why).shown_by(&[
                    earlier.first,
                    earlier.last,
                    later.first,
                    later.last,
                ]);
            }
            let (from, until) = both(earlier.perhaps, later.perhaps);
            if from <= until {
                let (one, two) = (earlier.first.begun.line, later.first.begun.line);
                let why = format!(
                    "{} (line {one}) may still hold lease '{lease}' when {} has it (line {two})",
                    earlier.who, later.who
                );
                found = found.or(Found::unknown(why));
            }
        }
        open.push(later);
    }
    found
}
