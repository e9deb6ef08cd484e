//! `stale-read`: a read that shows what had been replaced before it began.
//!
//! The writes of what a read shows are looked for. It is stale if each of them was surely over before another write began that was itself
//! surely over before the read. It is fresh if one of them may have been the last in every order that the bounds allow; a
//! read or a write that overlaps another one may come before or after it, as always.

use std::collections::HashMap;

use super::{Found, Op, Outcome, Past, Rule, With, worst};

pub(super) struct StaleRead;

impl Rule for StaleRead {
    fn name(&self) -> &'static str {
        "stale-read"
    }

    fn reads(&self) -> &'static str {
        "no read shows what was replaced before it began: read, write; field key"
    }

    fn judge(&self, past: &Past, _: &With) -> Found {
        let of_key = |(key, ops): (String, Vec<&Op>)| {
            let (reads, writes): (Vec<&Op>, Vec<&Op>) = ops.into_iter().partition(|op| op.name == "read");
            let reads: Vec<&Op> = reads.into_iter().filter(|op| op.outcome == Outcome::Ok).collect();
            let writes: Vec<&Op> = writes.into_iter().filter(|op| op.outcome != Outcome::Fail).collect();
            (!reads.is_empty() && !writes.is_empty()).then(|| judge(&key, &reads, &writes))
        };
        worst(past.by("key", &["read", "write"]).into_iter().filter_map(of_key))
            .unwrap_or_else(|| Found::nothing("read of what is written, too,"))
    }
}

fn judge(key: &str, reads: &[&Op], writes: &[&Op]) -> Found {
    let key = if key.is_empty() { String::new() } else { format!(" of '{key}'") };
    let mut of_value: HashMap<String, Vec<&Op>> = HashMap::new();
    for write in writes {
        of_value.entry(write.value.to_string()).or_default().push(write);
    }
    let over: Vec<&Op> = writes.iter().copied().filter(|op| op.outcome == Outcome::Ok).collect();
    let mut found = Found::holds();
    for read in reads {
        let sources = of_value.get(&read.value.to_string()).map(Vec::as_slice).unwrap_or_default();
        match newer(read, sources, &over) {
            Newer::Surely(write) => {
                let why =
                    format!("{} has read{key} {}, after it had been replaced", read.process, read.value);
                let mut shown = vec![write, *read];
                shown.extend(sources.iter().rfind(|source| source.surely_before(write)));
                return Found::violated(why).shown_by(&shown);
            }
            Newer::Perhaps(write) => {
                let (read, write) = (read.begun.line, write.begun.line);
                let why = format!(
                    "whether what line {read} reads was replaced by line {write} before, the bounds of their instants do not say"
                );
                found = found.or(Found::unknown(why));
            }
            Newer::No => {}
        }
    }
    found
}

/// Whether something newer was there.
enum Newer<'a> {
    Surely(&'a Op),
    Perhaps(&'a Op),
    No,
}

/// Among the writes that were over before the read, the one that began last replaces the most.
fn newer<'a>(read: &Op, sources: &[&Op], over: &[&'a Op]) -> Newer<'a> {
    let is_source = |write: &Op| sources.iter().any(|source| source.begun.line == write.begun.line);
    let surely = over.iter().copied().filter(|write| write.surely_before(read));
    if let Some(write) = surely.max_by_key(|write| write.first())
        && !is_source(write)
        && sources.iter().all(|source| source.surely_before(write) || read.surely_before(source))
    {
        return Newer::Surely(write);
    }
    let perhaps = over.iter().copied().filter(|write| write.maybe_before(read));
    if let Some(write) = perhaps.max_by_key(|write| write.begun.until)
        && !is_source(write)
        && sources.iter().all(|source| source.maybe_before(write) || read.maybe_before(source))
    {
        return Newer::Perhaps(write);
    }
    Newer::No
}
