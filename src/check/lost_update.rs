//! `lost-update`: somebody reads, another one writes, and the first one writes what he has made of his read.
//!
//! A process that writes a key is taken to write what it has made of its last `read` of it; one that has not read since its last write
//! writes blindly, and loses nothing. Two writes that were both made of reads from before the other one lose one of
//! them in whichever order they came. Source: H. Berenson et al., [A Critique of ANSI SQL Isolation
//! Levels](https://arxiv.org/abs/cs/0701157), 1995, P4.

use std::collections::BTreeMap;

use super::{Found, Op, Outcome, Past, Rule, With, worst};

pub(super) struct LostUpdate;

/// A write, and the read that it was made of.
#[derive(Clone, Copy)]
struct Update<'a> {
    read: Option<&'a Op>,
    write: &'a Op,
}

impl Rule for LostUpdate {
    fn name(&self) -> &'static str {
        "lost-update"
    }

    fn reads(&self) -> &'static str {
        "nobody writes over what was written since his read: read, write; field key"
    }

    fn judge(&self, past: &Past, _: &With) -> Found {
        let of_key = |(key, ops): (String, Vec<&Op>)| {
            let updates = updates(&ops);
            let has_any = updates.iter().any(|update| update.read.is_some());
            has_any.then(|| judge(&key, &updates))
        };
        worst(past.by("key", &["read", "write"]).into_iter().filter_map(of_key))
            .unwrap_or_else(|| Found::nothing("write by somebody who has read before"))
    }
}

/// The writes of a key that were, or may have been, done.
fn updates<'a>(ops: &[&'a Op]) -> Vec<Update<'a>> {
    let mut read: BTreeMap<(&str, &str), &Op> = BTreeMap::new();
    let mut all = Vec::new();
    for op in ops {
        let who = (op.node.as_str(), op.process.as_str());
        match (op.name.as_str(), op.outcome) {
            ("read", Outcome::Ok) => drop(read.insert(who, op)),
            ("read", _) | (_, Outcome::Fail) => {}
            _ => all.push(Update { read: read.remove(&who), write: op }),
        }
    }
    all
}

fn judge(key: &str, updates: &[Update<'_>]) -> Found {
    let key = if key.is_empty() { String::new() } else { format!(" '{key}'") };
    let (mut perhaps, mut either) = (None, None);
    let mut by_first = updates.to_vec();
    by_first.sort_by_key(|update| update.write.first());
    // By when all that began so far was over.
    let over = by_first.iter().scan(i64::MIN, |over, update| {
        *over = update.write.last().max(*over);
        Some(*over)
    });
    let over: Vec<i64> = over.collect();
    for late in updates {
        let Some(read) = late.read else { continue };
        // Only what was not over before the read, and had begun when the write was over, can lie between them.
        let end = by_first.partition_point(|update| update.write.first() <= late.write.last());
        let begin = over.partition_point(|over| *over < read.first()).min(end);
        for between in &by_first[begin..end] {
            let is_own = between.write.process == late.write.process;
            if is_own || between.write.value == read.value {
                continue;
            }
            let (lost, write) = (between.write, late.write);
            let is_known = lost.outcome == Outcome::Ok && write.outcome == Outcome::Ok;
            let is_after = read.surely_before(lost);
            let is_over = lost.surely_before(write);
            let is_blind =
                between.read.is_some_and(|its| its.surely_before(write) && write.value != its.value);
            if is_known && is_after && (is_over || is_blind) {
                let why = format!(
                    "{} has written over {}'s write of{key} {}, which it had not read",
                    write.process, lost.process, lost.value
                );
                let found = Found::violated(why);
                if is_over {
                    return found.shown_by(&[read, lost, write]);
                }
                // Three operations show more than four, if there are three.
                let shown: Vec<&Op> = [read, lost, write].into_iter().chain(between.read).collect();
                either = either.or(Some(found.shown_by(&shown)));
            }
            if !lost.surely_before(read) && !write.surely_before(lost) {
                perhaps = perhaps.or(Some((lost.begun.line, write.begun.line)));
            }
        }
    }
    if let Some(found) = either {
        return found;
    }
    match perhaps {
        Some((lost, write)) => Found::unknown(format!(
            "whether the write of line {write} has replaced that of line {lost} is not known"
        )),
        None => Found::holds(),
    }
}
