//! `unique-ids`: one identifier given out twice.
//!
//! What may have been given to nobody (`info`, `fail`) counts for nothing.

use std::collections::HashMap;

use super::{Found, Op, Outcome, Past, Rule, With};

pub(super) struct UniqueIds;

impl Rule for UniqueIds {
    fn name(&self) -> &'static str {
        "unique-ids"
    }

    fn reads(&self) -> &'static str {
        "no identifier is given out twice: generate with any value"
    }

    fn judge(&self, past: &Past, _: &With) -> Found {
        let mut given: HashMap<String, &Op> = HashMap::new();
        for op in past.of(&["generate"]) {
            if op.outcome != Outcome::Ok || op.value.is_null() {
                continue;
            }
            if let Some(first) = given.insert(op.value.to_string(), op) {
                let why = format!("{} was given to {} and to {}", op.value, first.process, op.process);
                return Found::violated(why).shown_by(&[first, op]);
            }
        }
        if given.is_empty() {
            Found::nothing("generate that was done and has a value")
        } else {
            Found::holds()
        }
    }
}
