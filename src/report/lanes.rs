//! The rows of the timeline: one a node, one a lease and its holder, one for each who says who leads, one a process.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Axis;
use super::faults::{Fault, How, Taken};
use super::gather::Gathered;
use crate::check::{Op, Outcome, Past, held};

/// So many bars are shown one by one, beside those of operations.
const SHOWN: usize = 10_000;

/// Gaps are seen of this part of the axis.
const PARTS: i64 = 2_000;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// What is written beside it.
    pub label: String,
    /// Which colour it has: that of its node's curve, or any other's.
    pub colour: usize,
}

/// Something that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The row.
    pub lane: usize,
    /// From here on.
    pub from: i64,
    /// Until here.
    pub until: i64,
    /// What kind of thing it is.
    pub kind: Kind,
    /// What it is, in words.
    pub text: String,
}

/// Something that happens at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The row.
    pub lane: usize,
    /// When.
    pub at: i64,
    /// What kind of thing it is.
    pub sign: Sign,
    /// What it is, in words.
    pub text: String,
    /// The line of the operation that it is.
    pub line: Option<usize>,
}

/// What lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A clock fault is in force.
    Clock,
    /// A node stands still.
    Frozen,
    /// A thread of it does.
    Held,
    /// A lease is surely held.
    Lease,
    /// It may be held.
    MaybeLease,
    /// Somebody says who leads, or in which term.
    Leader,
    /// An operation that was done.
    Ok,
    /// One that was not done.
    Fail,
    /// One of which nobody knows.
    Unknown,
    /// Many operations.
    Many,
}

/// What happens at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// A fault is to begin.
    Planned,
    /// It begins.
    Applied,
    /// It could not be put in force.
    Failed,
    /// A program starts.
    Started,
    /// It ends, as it is to.
    Ended,
    /// It ends, and should not.
    Died,
    /// It is killed.
    Killed,
    /// An operation that a verdict shows.
    Witness,
}

/// All rows, as they come together.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub lanes: Vec<Lane>,
    pub bars: Vec<Bar>,
    pub marks: Vec<Mark>,
    /// The rows that are there, by what they are of.
    known: BTreeMap<String, usize>,
    /// The colours of names: nodes first.
    colours: BTreeMap<String, usize>,
}

impl Rows {
    /// Those of the nodes.
    pub fn new(nodes: &[String], gathered: &Gathered, axis: &Axis) -> Rows {
        let mut rows = Rows::default();
        for name in nodes {
            rows.lane(name.clone(), name);
        }
        for fault in &gathered.faults.list {
            rows.fault(fault, axis);
        }
        for happened in &gathered.happened {
            let lane = rows.lane(happened.node.clone(), &happened.node);
            rows.mark(lane, happened.at, happened.sign, happened.text.clone());
        }
        rows
    }

    /// The row of a name; whoever it is about gives it its colour.
    pub fn lane(&mut self, label: String, whose: &str) -> usize {
        if let Some(lane) = self.known.get(&label) {
            return *lane;
        }
        let next = self.colours.len();
        let colour = *self.colours.entry(whose.to_owned()).or_insert(next);
        self.known.insert(label.clone(), self.lanes.len());
        self.lanes.push(Lane { label, colour });
        self.lanes.len() - 1
    }

    fn mark(&mut self, lane: usize, at: i64, sign: Sign, text: String) {
        self.marks.push(Mark { lane, at, sign, text, line: None });
    }

    fn fault(&mut self, fault: &Fault, axis: &Axis) {
        if fault.node.is_empty() {
            return;
        }
        let lane = self.lane(fault.node.clone(), &fault.node);
        let name = fault.name();
        if let Some(planned) = fault.planned {
            self.mark(lane, planned, Sign::Planned, format!("{name} planned: {}", fault.what));
        }
        if let Some(why) = &fault.failed {
            let at = fault.planned.unwrap_or(axis.last);
            self.mark(lane, at, Sign::Failed, format!("{name} could not be put in force: {why}"));
        }
        for Taken { how, node, what, from, until, .. } in &fault.taken {
            let lane = self.lane(node.clone(), node);
            let text = format!("{name}: {what}");
            let sign = if *how == How::Killed { Sign::Killed } else { Sign::Applied };
            self.mark(lane, *from, sign, text.clone());
            let kind = match how {
                How::Clock if what == "heal" => continue,
                How::Clock => Kind::Clock,
                How::Frozen => Kind::Frozen,
                How::Held => Kind::Held,
                How::Killed | How::Command => continue,
            };
            self.bars.push(Bar { lane, from: *from, until: until.unwrap_or(axis.last), kind, text });
        }
    }

    /// Leases, by their holders.
    pub fn leases(&mut self, past: &Past, axis: &Axis) {
        for (lease, ops) in past.by("lease", &["acquire", "hold", "release"]) {
            for held in held(past, &ops) {
                let name = if lease.is_empty() { "lease".to_owned() } else { format!("lease {lease}") };
                let lane = self.lane(format!("{name}: {}", held.who), held.who);
                let bar = |(from, until): (i64, i64), kind, how| Bar {
                    lane,
                    from,
                    until: until.min(axis.last),
                    kind,
                    text: format!("{} {how} {name}", held.who),
                };
                if held.perhaps != held.surely {
                    self.bars.push(bar(held.perhaps, Kind::MaybeLease, "may hold"));
                }
                if held.surely.0 <= held.surely.1 {
                    self.bars.push(bar(held.surely, Kind::Lease, "surely holds"));
                }
            }
        }
    }

    /// Puts what lasts of one kind and row together where there is more of it than is shown, and the gaps between are too
    /// small to be seen; says so.
    pub fn gather(&mut self, axis: &Axis) -> Option<String> {
        let all = self.bars.len();
        if all <= SHOWN {
            return None;
        }
        let is_lease = |bar: &Bar| matches!(bar.kind, Kind::Lease | Kind::MaybeLease | Kind::Leader);
        let (mut leases, mut bars): (Vec<Bar>, Vec<Bar>) =
            std::mem::take(&mut self.bars).into_iter().partition(is_lease);
        leases.sort_by_key(|bar| (bar.lane, bar.kind, bar.from));
        let gap = axis.last.saturating_sub(axis.first) / PARTS;
        for bar in leases {
            let last = bars.last_mut().filter(|last| last.lane == bar.lane && last.kind == bar.kind);
            match last.filter(|last| bar.from.saturating_sub(last.until) <= gap) {
                Some(last) => last.until = last.until.max(bar.until),
                None => bars.push(bar),
            }
        }
        let left = bars.len();
        self.bars = bars;
        (left < all).then(|| format!("leases are held so often that {all} bars are shown as {left}"))
    }

    /// Who leads, and in which term: from the first time that somebody says so to the last.
    pub fn leaders(&mut self, past: &Past) {
        let words = past.of(&["lead", "leader", "term"]).filter(|op| op.outcome == Outcome::Ok);
        let mut words: Vec<&Op> = words.collect();
        words.sort_by_key(|op| (op.done.from, op.done.line));
        let mut open: BTreeMap<usize, usize> = BTreeMap::new();
        let mut leads: Option<usize> = None;
        for op in words {
            let (label, says) = said(op);
            let lane = self.lane(label, &op.process);
            // Somebody else has led since.
            if op.name == "lead" && leads.replace(lane).is_some_and(|last| last != lane) {
                open.remove(&lane);
            }
            let (from, until) = (op.done.from, op.done.until);
            match open.get(&lane).map(|index| &mut self.bars[*index]).filter(|bar| bar.text == says) {
                Some(bar) => bar.until = until,
                None => {
                    open.insert(lane, self.bars.len());
                    self.bars.push(Bar { lane, from, until, kind: Kind::Leader, text: says });
                }
            }
        }
    }
}

/// Whose word it is, and what it says. `lead` says it of its own process; `leader` of whom it names.
fn said(op: &Op) -> (String, String) {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let term = op.field("term").map_or(String::new(), |term| format!(", term {}", plain(term)));
    match op.name.as_str() {
        "lead" => (format!("leader: {}", op.process), format!("{} leads{term}", op.process)),
        "term" => (format!("term, by {}", op.process), format!("term {}", plain(&op.value))),
        _ => {
            let who = if op.value.is_null() { op.process.clone() } else { plain(&op.value) };
            (format!("leader, by {}", op.process), format!("{who} leads{term}"))
        }
    }
}
