//! `fencing`: a write with an older token accepted after one with a newer token.
//!
//! What is judged is the storage's account: what it accepted (`ok`) and refused (`fail`). Source: M. Kleppmann, [How to do
//! distributed locking](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html), 2016.

use super::order::{Backward, backward};
use super::{Found, Op, Outcome, Past, Rule, With, worst};

pub(super) struct Fencing;

impl Rule for Fencing {
    fn name(&self) -> &'static str {
        "fencing"
    }

    fn reads(&self) -> &'static str {
        "no write with an older token is accepted after one with a newer: write; fields token (a number), key"
    }

    fn judge(&self, past: &Past, _: &With) -> Found {
        let of_key = |(key, ops): (String, Vec<&Op>)| {
            let with_token = |op| Some((op, Op::field(op, "token")?.as_i64()?));
            let accepted = ops.into_iter().filter(|op| op.outcome != Outcome::Fail);
            let ops: Vec<_> = accepted.filter_map(with_token).collect();
            ops.iter().any(|(op, _)| op.outcome == Outcome::Ok).then(|| judge(&key, &ops))
        };
        worst(past.by("key", &["write"]).into_iter().filter_map(of_key))
            .unwrap_or_else(|| Found::nothing("write that was accepted and has a token"))
    }
}

fn judge(key: &str, ops: &[(&Op, i64)]) -> Found {
    let key = if key.is_empty() { String::new() } else { format!(" of '{key}'") };
    match backward(ops) {
        Backward::Yes(newer, older) => {
            let (new, old) = (newer.text("token"), older.text("token"));
            let why = format!(
                "{}'s write{key} by token {old} was accepted after {}'s by token {new}",
                older.process, newer.process
            );
            Found::violated(why).shown_by(&[newer, older])
        }
        Backward::Perhaps(one, two) => {
            let (one, two) = (one.begun.line, two.begun.line);
            let why = format!(
                "in which order the writes{key} of lines {one} and {two} were accepted, if both were, is not known"
            );
            Found::unknown(why)
        }
        Backward::No => Found::holds(),
    }
}
