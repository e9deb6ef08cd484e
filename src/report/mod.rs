//! Reports: what happened in a history, to be looked at: as one HTML file, as a picture, as JUnit's XML.
//!
//! ```no_run
//! use falseticker::report::{Report, html};
//!
//! # fn main() -> falseticker::Result<()> {
//! let report = Report::open("history".as_ref(), &["lost-update".parse()?])?;
//! std::fs::write("history.html", html::Html.write(&report)?).expect("there is room");
//! # Ok(())
//! # }
//! # use falseticker::report::Format;
//! ```
//!
//! What must hold:
//! - A report shows what the history says and nothing else: all of it comes from [`Report`], which is made of lines and verdicts.
//! - Every verdict, every witness, every node and every fault is in it, however many; curves, evidence and operations alone are
//!   thinned where they are dense, and it says so.
//! - The history is input from outside: no text of it becomes markup or script.
//! - The same history has the same report, byte for byte.

mod axis;
mod curves;
mod faults;
pub mod file;
mod gather;
pub mod html;
pub mod junit;
mod lanes;
mod operations;
pub mod picture;
mod thin;

#[cfg(test)]
mod tests;

pub use axis::Axis;
pub use curves::Curves;
pub use faults::{Fault, How, Taken};
pub use gather::{Latency, Soon};
pub use lanes::{Bar, Kind, Lane, Mark, Sign};

use std::path::Path;

use crate::Result;
use crate::check::{Chosen, Past, judge, plain};
use crate::history::{Check, Header, Verdict};
use gather::Gathered;

/// A way to write a report. Duties:
///
/// 1. Its name is the ending of its files.
/// 2. What it writes is whole in itself: no other file, no network.
/// 3. It shows verdicts first, and marks each witness by the same number ([`Report::witnesses`]).
pub trait Format: Sync {
    /// What its files end with.
    fn name(&self) -> &'static str;

    /// The bytes of the file.
    fn write(&self, report: &Report) -> Result<Vec<u8>>;
}

/// All that is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is called.
    pub title: String,
    /// The scenario's first line, where there is one.
    pub header: Option<Header>,
    /// How instants are told.
    pub axis: Axis,
    /// The verdicts: those of the history, and those that were asked for.
    pub checks: Vec<Check>,
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// What the nodes' wall clocks were off by, and their rates.
    pub curves: Curves,
    /// The faults.
    pub faults: Vec<Fault>,
    /// How soon the faults were read.
    pub evidence: Vec<Latency>,
    /// The same of each node, in a few figures.
    pub soon: Vec<Soon>,
    /// The rows of the timeline.
    pub lanes: Vec<Lane>,
    /// What lasts, in the rows.
    pub bars: Vec<Bar>,
    /// What happens at an instant, in the rows.
    pub marks: Vec<Mark>,
    /// How many lines the history has, and operations.
    pub counts: (usize, usize),
    /// What its reader should know.
    pub notes: Vec<String>,
}

/// A witness of a violation.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness<'a> {
    /// The number of its check, from 1.
    pub check: usize,
    /// Its own within that, from 1.
    pub number: usize,
    /// The operation.
    pub seen: &'a crate::history::Seen,
    /// The row that it is shown in, where it has one.
    pub lane: Option<usize>,
}

impl Report {
    /// That of a history: a scenario's, or Jepsen's. Beside the verdicts that are recorded in it it has those of `rules`; a
    /// history without verdicts is judged by every rule that needs nothing further.
    pub fn open(path: &Path, rules: &[Chosen]) -> Result<Report> {
        let mut gathered = Gathered::default();
        let past = Past::open_telling(path, &mut |told| gathered.take(told))?;
        let name =
            path.file_name().map_or_else(|| "history".to_owned(), |name| name.to_string_lossy().into());
        Ok(Report::of(&past, gathered, &name, rules))
    }

    /// The same from bytes; `name` is what errors call the history.
    pub fn read(bytes: &[u8], name: &str, rules: &[Chosen]) -> Result<Report> {
        let mut gathered = Gathered::default();
        let past = Past::read_telling(bytes, name, &mut |told| gathered.take(told))?;
        Ok(Report::of(&past, gathered, name, rules))
    }

    fn of(past: &Past, mut gathered: Gathered, name: &str, rules: &[Chosen]) -> Report {
        let axis = Axis::of(past, &gathered);
        let checks = checks(past, std::mem::take(&mut gathered.checks), rules);
        let nodes = gathered.nodes();
        let mut notes = past.notes.clone();
        notes.extend(gathered.notes(past));
        let mut rows = lanes::Rows::new(&nodes, &gathered, &axis);
        rows.leases(past, &axis);
        rows.leaders(past);
        notes.extend(rows.gather(&axis));
        notes.extend(operations::add(&mut rows, past, &checks, &axis));
        // What is drawn over something else comes later.
        rows.bars.sort_by_key(|bar| (bar.kind, bar.from, bar.lane));
        let curves = Curves::of(&nodes, &gathered, &axis);
        Report {
            title: gathered.header.as_ref().map_or_else(|| name.to_owned(), |header| header.scenario.clone()),
            axis,
            checks,
            nodes,
            curves,
            soon: gathered.soon(),
            evidence: thin::latencies(&gathered.evidence, &axis),
            faults: gathered.faults.list,
            lanes: rows.lanes,
            bars: rows.bars,
            marks: rows.marks,
            counts: (gathered.lines, past.ops.len()),
            header: gathered.header,
            notes,
        }
    }

    /// The witnesses of all verdicts, by the numbers that all formats show.
    pub fn witnesses(&self) -> Vec<Witness<'_>> {
        let lane = |line| self.marks.iter().find(|mark| mark.line == Some(line)).map(|mark| mark.lane);
        let mut all = Vec::new();
        for (index, check) in self.checks.iter().enumerate() {
            all.extend(check.witness.iter().enumerate().map(|(number, seen)| Witness {
                check: index + 1,
                number: number + 1,
                seen,
                lane: lane(seen.line),
            }));
        }
        all
    }

    /// The worst of the verdicts.
    pub fn worst(&self) -> Verdict {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or_default()
    }
}

/// The verdicts that are recorded, but for those that are judged again, and those that are asked for.
fn checks(past: &Past, recorded: Vec<Check>, rules: &[Chosen]) -> Vec<Check> {
    let rules = if recorded.is_empty() && rules.is_empty() { plain() } else { rules.to_vec() };
    let judged = judge(past, &rules);
    let is_judged = |check: &Check| judged.iter().any(|other| other.check == check.check);
    let mut all: Vec<Check> = recorded.into_iter().filter(|check| !is_judged(check)).collect();
    all.extend(judged);
    // The worst first; of those that are alike, in the order of the history.
    all.sort_by_key(|check| std::cmp::Reverse(check.verdict));
    all
}
