//! From the lines of a history to operations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Moment, Op, Outcome, Past, Trouble, is_known_clock, refused};
use crate::error::{Error, Result};
use crate::history::{Event, Header, Line, Operation, Phase};

/// Who has an operation open: the node that tells of it, and the process.
type Who = (String, String);

/// Puts a history together, line by line.
#[derive(Debug, Default)]
pub struct Collector {
    name: String,
    clocks: Vec<String>,
    past: Past,
    /// The operation that each process has begun and not ended.
    open: BTreeMap<Who, usize>,
    /// Which process has begun which operations: their ends have beginnings.
    begun: BTreeSet<(Who, String)>,
    last_ns: i64,
}

impl Collector {
    /// Begins with the header; `name` is what errors call the history.
    pub fn new(header: &Header, name: &str) -> Result<Self> {
        if !is_known_clock("mono", &header.clocks) {
            let why = "its instants are in the clock 'mono', which the header does not name";
            return Err(refused(name, 1, why));
        }
        let mut collector = Collector::bare(name);
        collector.clocks.clone_from(&header.clocks);
        collector.past.nodes = header.nodes.iter().map(|node| node.name.clone()).collect();
        Ok(collector)
    }

    /// One without a header, for what is imported.
    pub(super) fn bare(name: &str) -> Self {
        Collector { name: name.to_owned(), ..Collector::default() }
    }

    /// Takes a line, by its number.
    pub fn take(&mut self, line: &Line, number: usize) -> Result<()> {
        self.last_ns = self.last_ns.max(line.at_ns);
        match &line.event {
            Event::Op { node, operation } => {
                if !is_known_clock(&operation.by, &self.clocks) {
                    let why =
                        format!("it is known by a clock '{}' that the header does not name", operation.by);
                    return Err(self.refused(number, why));
                }
                self.operation(node, operation, number, false)?;
            }
            Event::Start { heal, .. } => {
                self.past.start = Some(line.at_ns);
                self.past.heal = Some(*heal);
            }
            Event::Frozen { node, first_stop, .. } => self.begin_trouble(node, *first_stop),
            Event::Resumed { node, confirmed, .. } => self.end_trouble(node, *confirmed),
            Event::Held { node, until, .. } => {
                self.begin_trouble(node, line.at_ns);
                self.end_trouble(node, *until);
            }
            Event::Killed { node, .. } | Event::Exited { node, .. } => self.begin_trouble(node, line.at_ns),
            Event::Started { node, .. } => self.end_trouble(node, line.at_ns),
            Event::Applied { node, until, what, .. } if what != "heal" && !what.starts_with("end of ") => {
                let until = until.or(self.past.heal).unwrap_or(i64::MAX);
                let trouble = Trouble { from: line.at_ns, until };
                self.past.troubles.entry(node.clone()).or_default().push(trouble);
            }
            Event::End { .. } => self.past.end = Some(line.at_ns),
            _ => {}
        }
        Ok(())
    }

    /// What has come together; operations that are open have unknown outcomes.
    pub fn finish(mut self) -> Past {
        for index in self.open.into_values() {
            let op = &self.past.ops[index];
            let (line, name) = (op.begun.line, &op.name);
            self.past.notes.push(format!("line {line}: '{name}' never ends, and may have been done or not"));
        }
        self.past
    }

    /// An operation's line; where all have beginnings, an end without one is refused.
    pub(super) fn operation(
        &mut self,
        node: &str,
        said: &Operation,
        number: usize,
        all_begin: bool,
    ) -> Result<()> {
        let process = match &said.process {
            Some(Value::String(name)) => name.clone(),
            Some(other) => other.to_string(),
            None => node.to_owned(),
        };
        if said.from_ns > said.until_ns {
            return Err(self.refused(number, "its instant lies after one that it lies before"));
        }
        let moment = Moment { from: said.from_ns, until: said.until_ns, line: number };
        let who = (node.to_owned(), process.clone());
        let open = self.open.get(&who).copied();
        if said.phase == Phase::Invoke {
            if let Some(index) = open {
                let line = self.past.ops[index].begun.line;
                let why =
                    format!("process {process} begins '{}', and has one open since line {line}", said.op);
                return Err(self.refused(number, why).remedy("give each thread a process of its own"));
            }
            self.open.insert(who.clone(), self.past.ops.len());
            self.begun.insert((who, said.op.clone()));
            let until = Moment { until: i64::MAX, ..moment };
            self.push(node, process, said, moment, until, Outcome::Unknown);
            return Ok(());
        }
        let outcome = match said.phase {
            Phase::Ok => Outcome::Ok,
            Phase::Fail => Outcome::Fail,
            Phase::Info | Phase::Invoke => Outcome::Unknown,
        };
        let done = match outcome {
            Outcome::Unknown => Moment { until: i64::MAX, ..moment },
            Outcome::Ok | Outcome::Fail => moment,
        };
        match open.filter(|index| self.past.ops[*index].name == said.op) {
            Some(index) => {
                let op = &mut self.past.ops[index];
                if moment.until < op.begun.from {
                    let line = op.begun.line;
                    return Err(
                        self.refused(number, format!("it ends before it begins, which is line {line}"))
                    );
                }
                (op.done, op.outcome, op.is_open) = (done, outcome, false);
                if let Some(value) = said.value.clone().filter(|value| !value.is_null()) {
                    op.value = value;
                }
                op.fields.extend(said.fields.clone());
                self.open.remove(&who);
            }
            None if all_begin || self.begun.contains(&(who, said.op.clone())) => {
                let why = format!("'{}' of process {process} ends without a beginning, or twice", said.op);
                return Err(self.refused(number, why));
            }
            None => self.push(node, process, said, moment, done, outcome),
        }
        Ok(())
    }

    fn push(
        &mut self,
        node: &str,
        process: String,
        said: &Operation,
        begun: Moment,
        done: Moment,
        outcome: Outcome,
    ) {
        self.past.ops.push(Op {
            name: said.op.clone(),
            process,
            node: node.to_owned(),
            begun,
            done,
            outcome,
            is_open: said.phase == Phase::Invoke,
            value: said.value.clone().unwrap_or(Value::Null),
            fields: Map::clone(&said.fields),
        });
    }

    pub(super) fn past(&mut self) -> &mut Past {
        &mut self.past
    }

    fn begin_trouble(&mut self, node: &str, from: i64) {
        let trouble = Trouble { from, until: i64::MAX };
        self.past.troubles.entry(node.to_owned()).or_default().push(trouble);
    }

    /// Whatever was wrong with it so far is over.
    fn end_trouble(&mut self, node: &str, until: i64) {
        let open = self.past.troubles.get_mut(node).into_iter().flatten();
        open.filter(|trouble| trouble.until == i64::MAX).for_each(|trouble| trouble.until = until);
    }

    fn refused(&self, number: usize, why: impl std::fmt::Display) -> Error {
        refused(&self.name, number, why)
    }
}
