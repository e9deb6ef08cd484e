//! A path into a scenario's file: `timeline[0].jump`, `timeline[1].freeze.for`, `nodes.a.env.LEASE`.
//!
//! What must hold: a path that leads nowhere is refused with what is there; nothing but a text that is a span or a rate is varied.

use std::fmt;
use std::str::FromStr;

use toml::{Table, Value as Toml};

use crate::campaign::{Quantity, Value};
use crate::error::{Error, Result};

/// Where a value is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl FromStr for Path {
    type Err = Error;

    fn from_str(text: &str) -> Result<Path> {
        let refused = || {
            Error::bad_input(format_args!("read the path '{text}'"), "it is no keys with points between them")
                .remedy("write it as in timeline[0].jump or timeline[1].freeze.for; entries count from 0")
        };
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (key, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
            if key.is_empty() {
                return Err(refused());
            }
            steps.push(Step::Key(key.to_owned()));
            let mut rest = indices;
            while !rest.is_empty() {
                let inner =
                    rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(refused)?;
                steps.push(Step::Index(inner.0.parse().map_err(|_| refused())?));
                rest = inner.1;
            }
        }
        Ok(Path(steps))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if number == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Keys of an action of which nothing is no fault at all, and which a scenario refuses therefore.
const SIZES: [&str; 4] = ["by", "for", "rate", "amplitude"];

impl Path {
    /// The text that is there, if it is of this quantity.
    pub fn look(&self, table: &Table, quantity: Quantity) -> Result<Value> {
        let found = self.find(table)?;
        let refused = |why: String| self.refused(&why);
        let Toml::String(text) = found else {
            return Err(refused(format!("its type is {}; {}", found.type_str(), is_there(found))));
        };
        let value: Value = text.parse().map_err(|_| refused(format!("'{text}' is no span or rate")))?;
        if value.quantity != quantity {
            return Err(refused(format!("'{text}' is a {}, and the bounds are {quantity}s", value.quantity)));
        }
        Ok(value)
    }

    /// Puts a value there.
    pub fn put(&self, table: &mut Table, value: Value) -> Result<()> {
        // That it leads somewhere is told once, and well.
        self.find(table)?;
        let mut place: Option<&mut Toml> = None;
        for step in &self.0 {
            place = match (step, place) {
                (Step::Key(key), None) => table.get_mut(key),
                (Step::Key(key), Some(place)) => place.get_mut(key.as_str()),
                (Step::Index(index), Some(place)) => place.get_mut(*index),
                (Step::Index(_), None) => None,
            };
            if place.is_none() {
                break;
            }
        }
        match place {
            Some(place) => *place = Toml::String(value.to_string()),
            None => return Err(self.refused("nothing is there")),
        }
        Ok(())
    }

    /// The entry of the timeline whose size it is, so that nothing means that there is no such entry.
    pub(super) fn size_of(&self) -> Option<usize> {
        match self.0.as_slice() {
            [Step::Key(timeline), Step::Index(index), Step::Key(action), rest @ ..]
                if timeline == "timeline" =>
            {
                let is_when = ["at", "between", "every", "after", "count"].contains(&action.as_str());
                let is_size = match rest {
                    [] => !is_when,
                    [Step::Key(key)] => {
                        SIZES.contains(&key.as_str()) && !is_when && !(action == "slew" && key == "rate")
                    }
                    _ => false,
                };
                is_size.then_some(*index)
            }
            _ => None,
        }
    }

    fn find<'a>(&self, table: &'a Table) -> Result<&'a Toml> {
        let mut found: Option<&Toml> = None;
        for (number, step) in self.0.iter().enumerate() {
            let next = match (step, found) {
                (Step::Key(key), None) => table.get(key),
                (Step::Key(key), Some(Toml::Table(table))) => table.get(key),
                (Step::Index(index), Some(Toml::Array(list))) => list.get(*index),
                _ => None,
            };
            let Some(next) = next else {
                let there = found.map_or_else(|| keys(table), is_there);
                let until = Path(self.0[..number].to_vec());
                let place = if number == 0 { "the file".to_owned() } else { format!("'{until}'") };
                let step = Path(vec![step.clone()]);
                return Err(self.refused(&format!("{place} has no '{step}'; {there}")));
            };
            found = Some(next);
        }
        found.ok_or_else(|| self.refused("it is empty"))
    }

    fn refused(&self, why: &str) -> Error {
        Error::bad_input(format_args!("vary '{self}'"), why)
            .remedy("write the path of a span or a rate, as in timeline[0].jump or timeline[1].freeze.for")
    }
}

/// What a path could go on with.
fn is_there(value: &Toml) -> String {
    match value {
        Toml::Table(table) => keys(table),
        Toml::Array(list) if list.is_empty() => "the list is empty".to_owned(),
        Toml::Array(list) => format!("there are [0] to [{}]", list.len() - 1),
        other => format!("there is {other}"),
    }
}

fn keys(table: &Table) -> String {
    let keys: Vec<&str> = table.keys().map(String::as_str).collect();
    if keys.is_empty() { "it is empty".to_owned() } else { format!("there are {}", keys.join(", ")) }
}
