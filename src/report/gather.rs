//! What of a scenario's lines is shown beside its operations.

use std::collections::BTreeMap;

use super::faults::Faults;
use super::lanes::Sign;
use crate::check::{Past, Told};
use crate::history::{Check, Event, Header, Line};

/// How soon a process has read its clock under a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Whose clock.
    pub node: String,
    /// The process.
    pub pid: i32,
    /// The change.
    pub change: u32,
    /// When it has.
    pub at: i64,
    /// How long that took.
    pub latency: i64,
}

/// How soon a node's processes have read their clocks, of all changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soon {
    /// Whose clock.
    pub node: String,
    /// How often.
    pub count: usize,
    /// The least, the middle, nine of ten, and the greatest.
    pub latencies: [i64; 4],
}

/// What a node's clock was at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The instant.
    pub at: i64,
    /// By how much the wall clock was off.
    pub off: i64,
    /// How much faster than true it ran.
    pub ppm: f64,
}

/// Something that happened to a node at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    pub node: String,
    pub at: i64,
    pub sign: Sign,
    pub text: String,
}

/// What has come together.
#[derive(Debug, Default)]
pub struct Gathered {
    pub header: Option<Header>,
    pub lines: usize,
    pub span: Option<(i64, i64)>,
    pub checks: Vec<Check>,
    pub faults: Faults,
    pub evidence: Vec<Latency>,
    pub samples: BTreeMap<String, Vec<Sample>>,
    pub happened: Vec<Happened>,
    pub end: Option<String>,
}

impl Gathered {
    /// Takes a line.
    pub fn take(&mut self, told: Told<'_>) {
        self.lines += 1;
        match told {
            Told::Header(header) => self.header = Some(header.clone()),
            Told::Line(line) => self.line(line),
        }
    }

    fn line(&mut self, line: &Line) {
        let at = line.at_ns;
        // A planned fault is told of before it is due, and the programs may end before all is judged.
        if !matches!(line.event, Event::Planned { .. } | Event::Verdict(_) | Event::End { .. }) {
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
        }
        self.faults.take(at, &line.event);
        match &line.event {
            Event::Sample { node, wall, wall_ppm, .. } => {
                let samples = self.samples.entry(node.clone()).or_default();
                samples.push(Sample { at, off: *wall, ppm: *wall_ppm });
            }
            Event::Evidence { node, change, pid, latency, .. } => {
                let node = node.clone();
                self.evidence.push(Latency { node, pid: *pid, change: *change, at, latency: *latency });
            }
            Event::Started { node, .. } => self.happened(node, at, Sign::Started, line),
            Event::Exited { node, expected, .. } => {
                let sign = if *expected { Sign::Ended } else { Sign::Died };
                self.happened(node, at, sign, line);
            }
            Event::Verdict(check) => self.checks.push(check.clone()),
            Event::End { reason, why } => {
                let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
                self.end = Some(format!("{reason}{why}"));
            }
            _ => {}
        }
    }

    fn happened(&mut self, node: &str, at: i64, sign: Sign, line: &Line) {
        let text = crate::history::describe(line);
        self.happened.push(Happened { node: node.to_owned(), at, sign, text });
    }

    /// The nodes of the header, and whoever else something happened to.
    pub fn nodes(&self) -> Vec<String> {
        let named = self.header.iter().flat_map(|header| header.nodes.iter().map(|node| node.name.clone()));
        let mut nodes: Vec<String> = named.collect();
        let others = self.faults.list.iter().map(|fault| &fault.node).chain(self.samples.keys());
        for other in others.filter(|name| !name.is_empty()) {
            if !nodes.contains(other) {
                nodes.push(other.clone());
            }
        }
        nodes
    }

    /// How soon changes were read, by node.
    pub fn soon(&self) -> Vec<Soon> {
        let mut nodes: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        self.evidence.iter().for_each(|each| nodes.entry(&each.node).or_default().push(each.latency));
        let of = |(node, mut all): (&str, Vec<i64>)| {
            all.sort_unstable();
            let last = all.len() - 1;
            let latencies = [0, last / 2, last * 9 / 10, last].map(|index| all[index]);
            Soon { node: node.to_owned(), count: all.len(), latencies }
        };
        nodes.into_iter().map(of).collect()
    }

    /// What its reader should know: how it ended, if not well.
    pub fn notes(&self, past: &Past) -> Option<String> {
        match self.end.as_deref() {
            Some("complete") => None,
            Some(other) => Some(format!("the scenario did not run to its end: {other}")),
            None if self.header.is_some() && past.end.is_none() => {
                Some("the history has no end: whoever wrote it was killed, or is still playing".to_owned())
            }
            None => None,
        }
    }
}
