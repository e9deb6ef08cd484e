//! A scenario of which one value is varied.
//!
//! What must hold: but for the value the scenario is the same each time, with every draw made from one seed. Where the value is the
//! size of a fault and is nothing, there is no such fault, and the others draw what they did.

use toml::Table;

use super::bisect::Bounds;
use super::path::Path;
use crate::campaign::{Criteria, Criterion, Effort, Recorded, Resolved, Tally, Trial, Value, resolve};
use crate::error::{Error, Result};
use crate::scenario::{Scenario, file};

/// What is swept.
#[derive(Clone, Debug)]
pub struct Subject {
    table: Table,
    name: String,
    path: Path,
    chosen: Vec<Criterion>,
    criteria: Criteria,
    seed: u64,
}

impl Subject {
    /// A file's text and name; where the value is; what counts, or the scenario's own checks. Refused if the file is wrong
    /// or the path leads to no such value.
    pub fn new(
        text: &str,
        name: &str,
        path: Path,
        bounds: &Bounds,
        chosen: &[Criterion],
        seed: u64,
    ) -> Result<Subject> {
        let mut scenario = file::parse(text, name)?;
        let criteria = Criteria::choose(&mut scenario, chosen)?;
        let table: Table = toml::from_str(text)
            .map_err(|why| Error::bad_input(format_args!("read scenario {name}"), why.message()))?;
        path.look(&table, bounds.quantity())?;
        let subject = Subject { table, name: name.to_owned(), path, chosen: chosen.to_vec(), criteria, seed };
        // Before the first play, and not by the last.
        for end in [bounds.from(), bounds.to()] {
            subject.scenario(end)?;
        }
        Ok(subject)
    }

    /// What a failure is.
    pub fn criteria(&self) -> &Criteria {
        &self.criteria
    }

    /// The scenario with a value.
    pub fn scenario(&self, value: Value) -> Result<Scenario> {
        let none = self.path.size_of().filter(|_| value.is_zero());
        let mut table = self.table.clone();
        // Any size that is allowed, for an entry that is left out: what is there.
        if none.is_none() {
            self.path.put(&mut table, value)?;
        }
        let text = toml::to_string(&table)
            .map_err(|why| Error::not_applied(format_args!("write scenario {}", self.name), why))?;
        let mut scenario = file::parse(&text, &format!("{} with {} = {value}", self.name, self.path))?;
        Criteria::choose(&mut scenario, &self.chosen)?;
        let Some(none) = none else { return Ok(scenario) };
        let entries = resolve(&scenario, self.seed)?;
        let left = entries.into_iter().filter(|resolved| resolved.of != none).map(|resolved| resolved.entry);
        let scenario = Resolved::put(&scenario, left);
        scenario.check()?;
        Ok(scenario)
    }

    /// What tells of values, by playing.
    pub fn trial<'a, 'b>(&'a self, plays: &'a mut Recorded<'b>) -> impl Trial<Value> + use<'a, 'b> {
        Plays { subject: self, plays }
    }
}

struct Plays<'a, 'b> {
    subject: &'a Subject,
    plays: &'a mut Recorded<'b>,
}

impl Trial<Value> for Plays<'_, '_> {
    fn test(&mut self, value: &Value, effort: Effort) -> Result<Tally> {
        self.plays.test(&value.to_string(), effort, || self.subject.scenario(*value))
    }
}
