//! What a history says about operations, as rules read it: each from its beginning to its end, with the true instants between
//! which these lie.
//!
//! What must hold:
//! - An operation whose end is not known (`info`, or none at all) may take effect at any later instant, or never.
//! - A line that no operation can be made of is refused with its number: a rule never judges what was misread.
//! - Only [`Op::surely_before`] says that something was before something else, and only where no instants within the bounds
//!   could make it otherwise.

mod collect;
mod import;

pub use collect::Collector;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::history::{FORMAT, Header, Line, Reader};

/// The largest history that is read: a mistaken path must not fill the memory.
const LARGEST: u64 = 1 << 30;

/// What is known of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Not before here.
    pub from: i64,
    /// Not after here.
    pub until: i64,
    /// The line that says so.
    pub line: usize,
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was not done.
    Fail,
    /// Nobody knows.
    Unknown,
}

/// An operation, from its beginning to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    /// Its name.
    pub name: String,
    /// Who: the process, or the node where none is named.
    pub process: String,
    /// Whose output told of it; empty in an imported history.
    pub node: String,
    /// When it began; when it was done, if one line alone tells of it.
    pub begun: Moment,
    /// When it was done; `until` is without limit where nobody knows.
    pub done: Moment,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether no line tells of its end: who began it waits for that still, or waited when the history ended.
    pub is_open: bool,
    /// What with: what its end said, or, where that says nothing, its beginning.
    pub value: Value,
    /// What else its lines said.
    pub fields: Map<String, Value>,
}

impl Op {
    /// Not begun before here.
    pub fn first(&self) -> i64 {
        self.begun.from
    }

    /// Done by here, for sure.
    pub fn last(&self) -> i64 {
        self.done.until
    }

    /// Whether it was over before the other one began, whatever the instants within their bounds are.
    pub fn surely_before(&self, other: &Op) -> bool {
        self.outcome != Outcome::Unknown && (self.last() < other.first() || self.is_earlier_line_of(other))
    }

    /// Whether some instants within the bounds have it over before the other one began.
    pub fn maybe_before(&self, other: &Op) -> bool {
        let may = self.done.from <= other.begun.until && !other.surely_before(self);
        self.outcome != Outcome::Unknown && (may || self.is_earlier_line_of(other))
    }

    /// Whether a program told of it, and then of the other one, in the name of the same process.
    pub fn is_earlier_line_of(&self, other: &Op) -> bool {
        self.process == other.process && self.node == other.node && self.done.line < other.begun.line
    }

    /// Something else that its lines said.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// A field as text: that by which operations belong together (`key`, `lease`); empty without.
    pub fn text(&self, field: &str) -> String {
        match self.fields.get(field) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

/// When something happened to a node that is no fault of its clock's: it stood still, or was dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// From here on, at the earliest.
    pub from: i64,
    /// Until here, at the latest.
    pub until: i64,
}

/// What a scenario's history says, as it is read.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// The first line.
    Header(&'a Header),
    /// Any other line.
    Line(&'a Line),
}

/// What a history tells, as far as rules read it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// The operations, by the line at which they began.
    pub ops: Vec<Op>,
    /// What was wrong with each node, and when.
    pub troubles: BTreeMap<String, Vec<Trouble>>,
    /// The nodes that the header names.
    pub nodes: Vec<String>,
    /// When the timeline began.
    pub start: Option<i64>,
    /// When the clocks were healed.
    pub heal: Option<i64>,
    /// Until when the history tells; `None` if it breaks off.
    pub end: Option<i64>,
    /// What its reader should know: operations that never end, a line that is cut off.
    pub notes: Vec<String>,
    /// Whether instants are only an order, and no nanoseconds.
    pub is_order_only: bool,
}

impl Past {
    /// Reads a history: a scenario's own, or Jepsen's as lines of JSON or of EDN.
    pub fn open(path: &Path) -> Result<Past> {
        Past::open_telling(path, &mut |_| {})
    }

    /// The same, telling of a scenario's header and of each of its lines, for what else is made of them.
    pub fn open_telling(path: &Path, tell: &mut dyn FnMut(Told<'_>)) -> Result<Past> {
        let name = path.display().to_string();
        let refused = |why: std::io::Error| Error::bad_input(format_args!("read the history {name}"), why);
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text));
        if read.map_err(refused)? as u64 > LARGEST {
            return Err(Error::bad_input(format_args!("read the history {name}"), "it is larger than 1 GiB"));
        }
        Past::read_telling(&text, &name, tell)
    }

    /// The same from bytes; `name` is what errors call it.
    pub fn read(bytes: &[u8], name: &str) -> Result<Past> {
        Past::read_telling(bytes, name, &mut |_| {})
    }

    /// Both.
    pub fn read_telling(bytes: &[u8], name: &str, tell: &mut dyn FnMut(Told<'_>)) -> Result<Past> {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let json: Option<Value> = serde_json::from_slice(first).ok();
        let is_ours = json.as_ref().is_some_and(|line| line.get("format").is_some());
        let is_jepsens = !is_ours && json.as_ref().is_some_and(|line| line.get("type").is_some());
        let text = String::from_utf8_lossy(bytes);
        let begin = text.trim_start();
        let is_map = begin.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with(':'));
        let is_edn = is_map || begin.starts_with(['#', ';']);
        if is_jepsens || is_edn {
            return import::read(&text, is_edn, name);
        }
        let mut reader = Reader::new(bytes, name)?;
        let mut collector = Collector::new(reader.header(), name)?;
        tell(Told::Header(reader.header()));
        while let Some(line) = reader.next_line()? {
            collector.take(&line, reader.number())?;
            tell(Told::Line(&line));
        }
        let mut past = collector.finish();
        if reader.is_cut_off() {
            past.notes.push("the last line is cut off, and was left out".to_owned());
        }
        Ok(past)
    }

    /// The operations of some names, in the order of their lines.
    pub fn of<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a Op> {
        self.ops.iter().filter(move |op| names.contains(&op.name.as_str()))
    }

    /// The operations of some names that a field tells apart.
    pub fn by<'a>(&'a self, field: &str, names: &'a [&str]) -> BTreeMap<String, Vec<&'a Op>> {
        let mut all: BTreeMap<String, Vec<&Op>> = BTreeMap::new();
        for op in self.of(names) {
            all.entry(op.text(field)).or_default().push(op);
        }
        all
    }
}

/// What is refused of a history: by the number of the line.
fn refused(name: &str, line: usize, why: impl std::fmt::Display) -> Error {
    Error::bad_input(format_args!("read the history {name}"), format_args!("line {line}: {why}"))
}

/// What a header must say; see [`FORMAT`].
fn is_known_clock(by: &str, clocks: &[String]) -> bool {
    by == "bounds" || clocks.iter().any(|clock| clock == by)
}

/// What the readers of other formats are told when they meet none of ours.
fn no_history(name: &str, why: impl std::fmt::Display) -> Error {
    Error::bad_input(format_args!("read the history {name}"), why)
        .remedy(format_args!("give it a {FORMAT}, or Jepsen's operations as lines of JSON or EDN"))
}
