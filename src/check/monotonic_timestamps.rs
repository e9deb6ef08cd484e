//! `monotonic-timestamps`: a timestamp that is less than one that was given out before.
//!
//! Those of one `key` must not go back whoever is given them, as an oracle's; those without a key are each process's own.

use std::collections::BTreeMap;

use super::order::{Backward, backward};
use super::{Found, Op, Outcome, Past, Rule, With, worst};

pub(super) struct MonotonicTimestamps;

impl Rule for MonotonicTimestamps {
    fn name(&self) -> &'static str {
        "monotonic-timestamps"
    }

    fn reads(&self) -> &'static str {
        "no timestamp goes back, of a process or, with a key, of all: timestamp with a whole number; field key"
    }

    fn judge(&self, past: &Past, _: &With) -> Found {
        let mut groups: BTreeMap<(String, String), Vec<(&Op, i64)>> = BTreeMap::new();
        for op in past.of(&["timestamp"]).filter(|op| op.outcome == Outcome::Ok) {
            let Some(number) = op.value.as_i64() else { continue };
            let group = match op.field("key") {
                Some(_) => (op.text("key"), String::new()),
                None => (op.node.clone(), op.process.clone()),
            };
            groups.entry(group).or_default().push((op, number));
        }
        worst(groups.values().map(|ops| judge(ops)))
            .unwrap_or_else(|| Found::nothing("timestamp with a number"))
    }
}

fn judge(ops: &[(&Op, i64)]) -> Found {
    match backward(ops) {
        Backward::Yes(before, after) => {
            let why = format!(
                "{} was given {} after {} was given {}",
                after.process, after.value, before.process, before.value
            );
            Found::violated(why).shown_by(&[before, after])
        }
        Backward::Perhaps(one, two) => {
            let (one, two) = (one.begun.line, two.begun.line);
            Found::unknown(format!("which of the timestamps of lines {one} and {two} was first is not known"))
        }
        Backward::No => Found::holds(),
    }
}
