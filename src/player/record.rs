//! What the rules of a scenario's `[checks]` read, kept while it is played: the same lines as in its history, by the same numbers.
//!
//! What must hold: they are judged as `falseticker check` judges the file. It needs no file, and is not there without rules.

use std::sync::{Arc, Mutex};

use super::shared::lock;
use crate::check::{Chosen, Collector, judge};
use crate::error::{Error, Result};
use crate::history::{Check, Header, Line, Observer, Verdict};
use crate::host_clock;

/// A history in memory, as far as rules read it.
#[derive(Debug)]
pub struct Record {
    rules: Vec<Chosen>,
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug)]
struct Lines {
    collector: Collector,
    number: usize,
    /// Why what came cannot be judged.
    refused: Option<Error>,
}

impl Record {
    /// One for these rules; `None` if there are none.
    pub fn begin(rules: &[Chosen], header: &Header) -> Result<Option<Record>> {
        if rules.is_empty() {
            return Ok(None);
        }
        let collector = Collector::new(header, &header.scenario)?;
        let lines = Lines { collector, number: 1, refused: None };
        Ok(Some(Record { rules: rules.to_vec(), lines: Arc::new(Mutex::new(lines)) }))
    }

    /// What is told of each line, and tells another one.
    pub fn observer(&self, mut then: Option<Observer>) -> Observer {
        let lines = Arc::clone(&self.lines);
        Box::new(move |line| {
            lock(&lines).take(line);
            if let Some(then) = &mut then {
                then(line);
            }
        })
    }

    /// The verdicts on what came until now.
    pub fn judge(&self) -> Vec<Check> {
        let mut lines = lock(&self.lines);
        if let Some(why) = &lines.refused {
            let unknown = |rule: &Chosen| Check {
                check: rule.to_string(),
                verdict: Verdict::Unknown,
                why: vec![format!("cannot {}: {}", why.attempted(), why.why())],
                ..Check::default()
            };
            return self.rules.iter().map(unknown).collect();
        }
        let mut past = std::mem::take(&mut lines.collector).finish();
        past.end = Some(host_clock::monotonic().as_nanos());
        judge(&past, &self.rules)
    }
}

impl Lines {
    fn take(&mut self, line: &Line) {
        self.number += 1;
        if self.refused.is_none() {
            self.refused = self.collector.take(line, self.number).err();
        }
    }
}
