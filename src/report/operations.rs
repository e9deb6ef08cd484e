//! Operations as bars: each by itself, or where there are more than anybody sees, many in one.
//!
//! What must hold: each witness is marked, and what happened around it is shown one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::Axis;
use super::lanes::{Bar, Kind, Mark, Rows, Sign};
use crate::check::{Op, Outcome, Past};
use crate::history::{Check, Seen};

/// So many are shown one by one.
const SHOWN: usize = 20_000;

/// Into so many parts the axis is cut for the others.
const PARTS: usize = 1_000;

/// So many processes have rows of their own; and those of witnesses.
const PROCESSES: usize = 40;

/// No text of an operation is longer, in characters.
const LONGEST: usize = 160;

/// Adds them; says what was put together.
pub(super) fn add(rows: &mut Rows, past: &Past, checks: &[Check], axis: &Axis) -> Option<String> {
    let seen: Vec<&Seen> = checks.iter().flat_map(|check| &check.witness).collect();
    let lines: BTreeSet<usize> = seen.iter().map(|seen| seen.line).collect();
    let lanes = lanes(rows, past, &lines);
    let lane_of = |op: &Op| lanes.get(&op.process).or(lanes.get("")).copied();
    for op in past.ops.iter().filter(|op| lines.contains(&op.begun.line)) {
        let Some(lane) = lane_of(op) else { continue };
        let (at, text, line) = (op.begun.from, told(op), Some(op.begun.line));
        rows.marks.push(Mark { lane, at, sign: Sign::Witness, text, line });
    }
    let alone = one_by_one(past, &seen);
    let mut many: BTreeMap<(usize, usize), Many> = BTreeMap::new();
    for (op, is_alone) in past.ops.iter().zip(&alone) {
        let Some(lane) = lane_of(op) else { continue };
        let (from, until, kind) = (op.begun.from, last(op), kind(op));
        if *is_alone {
            rows.bars.push(Bar { lane, from, until, kind, text: told(op) });
        } else {
            many.entry((lane, axis.part(from, PARTS))).or_default().take(from, until, kind);
        }
    }
    let left = alone.iter().filter(|is_alone| !**is_alone).count();
    let bars = many.len();
    rows.bars.extend(many.into_iter().map(|((lane, _), many)| many.bar(lane)));
    let all = past.ops.len();
    let near = if seen.is_empty() { "" } else { "; those near a witness each" };
    (left > 0).then(|| format!("{left} of {all} operations are shown together, in {bars} bars{near}"))
}

/// The row of each process; under no name that of all others.
fn lanes(rows: &mut Rows, past: &Past, witnesses: &BTreeSet<usize>) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<&str, (bool, usize)> = BTreeMap::new();
    for op in &past.ops {
        let (is_witness, count) = counts.entry(&op.process).or_default();
        *is_witness |= witnesses.contains(&op.begun.line);
        *count += 1;
    }
    let mut sorted: Vec<(&str, (bool, usize))> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, (is_witness, count))| std::cmp::Reverse((*is_witness, *count)));
    let of_witnesses = sorted.iter().filter(|(_, (is_witness, _))| *is_witness).count();
    let (own, others) = sorted.split_at(sorted.len().min(PROCESSES.max(of_witnesses)));
    let mut own: Vec<&str> = own.iter().map(|(process, _)| *process).collect();
    own.sort_unstable();
    let mut lanes: BTreeMap<String, usize> = own
        .into_iter()
        .map(|process| (process.to_owned(), rows.lane(format!("ops: {process}"), process)))
        .collect();
    if !others.is_empty() {
        lanes.insert(String::new(), rows.lane(format!("ops: {} others", others.len()), ""));
    }
    lanes
}

/// Which operations are shown one by one: all, or those nearest to a witness.
fn one_by_one(past: &Past, seen: &[&Seen]) -> Vec<bool> {
    let all = past.ops.len();
    if all <= SHOWN || seen.is_empty() {
        return vec![all <= SHOWN; all];
    }
    let mut instants: Vec<i64> = seen.iter().flat_map(|seen| [seen.from_ns, seen.until_ns]).collect();
    instants.sort_unstable();
    let distance = |op: &Op| {
        let after = instants.partition_point(|at| *at < op.begun.from);
        let near = [after.checked_sub(1), Some(after)].into_iter().flatten();
        near.filter_map(|index| Some(instants.get(index)?.abs_diff(op.begun.from))).min()
    };
    let mut order: Vec<usize> = (0..all).collect();
    order.sort_by_cached_key(|index| distance(&past.ops[*index]));
    let mut alone = vec![false; all];
    order.iter().take(SHOWN / 2).for_each(|index| alone[*index] = true);
    alone
}

/// Operations that are shown together.
#[derive(Debug, Default)]
struct Many {
    span: Option<(i64, i64)>,
    counts: BTreeMap<Kind, usize>,
}

impl Many {
    fn take(&mut self, from: i64, until: i64, kind: Kind) {
        let (first, last) = self.span.unwrap_or((from, until));
        self.span = Some((first.min(from), last.max(until)));
        *self.counts.entry(kind).or_default() += 1;
    }

    fn bar(self, lane: usize) -> Bar {
        let (from, until) = self.span.unwrap_or_default();
        let count = |kind, word: &str| {
            self.counts.get(&kind).map_or(String::new(), |count| format!(" {count} {word}"))
        };
        let total: usize = self.counts.values().sum();
        let text = format!(
            "{total} operations:{}{}{}",
            count(Kind::Ok, "ok"),
            count(Kind::Fail, "fail"),
            count(Kind::Unknown, "unknown")
        );
        Bar { lane, from, until, kind: Kind::Many, text }
    }
}

fn kind(op: &Op) -> Kind {
    match op.outcome {
        Outcome::Ok => Kind::Ok,
        Outcome::Fail => Kind::Fail,
        Outcome::Unknown => Kind::Unknown,
    }
}

fn last(op: &Op) -> i64 {
    if op.last() == i64::MAX { op.done.from } else { op.last() }
}

fn told(op: &Op) -> String {
    let value = if op.value.is_null() { String::new() } else { format!(" {}", op.value) };
    let fields: String = op.fields.iter().map(|(key, value)| format!(" {key}={value}")).collect();
    let outcome = match op.outcome {
        Outcome::Ok => "",
        Outcome::Fail => ", not done",
        Outcome::Unknown => ", nobody knows whether",
    };
    let mut what = format!("{}: {}{value}{fields}", op.process, op.name);
    if let Some((end, _)) = what.char_indices().nth(LONGEST) {
        what.truncate(end);
        what.push('…');
    }
    format!("{what}{outcome} (line {})", op.begun.line)
}
