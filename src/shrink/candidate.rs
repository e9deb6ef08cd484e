//! A part of a timeline, perhaps with smaller magnitudes: what is tried.
//!
//! What must hold: a candidate has one name, by which its plays are found again; it is a scenario in which nothing is drawn.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::campaign::resolve::slots;
use crate::campaign::{Resolved, Value};
use crate::error::Result;
use crate::scenario::{Entry, Scenario};

/// A candidate over entries that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which entries are left, in their order.
    pub kept: Vec<usize>,
    /// Magnitudes that are not what they were: of an entry, by the number of the magnitude.
    pub changed: BTreeMap<(usize, usize), Value>,
}

impl Candidate {
    /// All of so many entries.
    pub fn whole(entries: usize) -> Candidate {
        Candidate { kept: (0..entries).collect(), changed: BTreeMap::new() }
    }

    /// The same with other entries left.
    #[must_use]
    pub fn keeping(&self, kept: &[usize]) -> Candidate {
        Candidate { kept: kept.to_vec(), changed: self.changed.clone() }
    }

    /// The same with one magnitude changed.
    #[must_use]
    pub fn with(&self, entry: usize, slot: usize, value: Value) -> Candidate {
        let mut other = self.clone();
        other.changed.insert((entry, slot), value);
        other
    }

    /// The entries that are left, as they are.
    pub fn timeline(&self, entries: &[Resolved]) -> Vec<Entry> {
        let kept =
            self.kept.iter().filter_map(|index| entries.get(*index).map(|resolved| (*index, resolved)));
        kept.map(|(index, resolved)| {
            let mut entry = resolved.entry.clone();
            for (number, slot) in slots(&mut entry.action).into_iter().enumerate() {
                if let Some(value) = self.changed.get(&(index, number)) {
                    slot.set(*value);
                }
            }
            entry
        })
        .collect()
    }

    /// The magnitudes of an entry as they are: numbers and values.
    pub fn magnitudes(&self, entries: &[Resolved], entry: usize) -> Vec<(usize, Value)> {
        let alone = self.keeping(&[entry]).timeline(entries).into_iter().next();
        let Some(mut alone) = alone else { return Vec::new() };
        let values = slots(&mut alone.action).into_iter().enumerate();
        values.filter_map(|(number, slot)| Some((number, slot.get()?))).collect()
    }

    /// What it is called: `1-20 24, 24 for=400ms`; entries count from 1.
    pub fn name(&self, entries: &[Resolved]) -> String {
        let mut name = if self.kept.is_empty() { "none".to_owned() } else { ranges(&self.kept) };
        for ((entry, slot), value) in self.changed.iter().filter(|((entry, _), _)| self.kept.contains(entry))
        {
            let mut action = entries.get(*entry).map(|resolved| resolved.entry.action.clone());
            let slots = action.as_mut().map(slots).unwrap_or_default();
            let key = slots.get(*slot).map_or("", |slot| slot.key);
            let _ = write!(name, ", {} {key}={value}", entry + 1);
        }
        name
    }

    /// The scenario that it is, checked.
    pub fn scenario(&self, scenario: &Scenario, entries: &[Resolved]) -> Result<Scenario> {
        let scenario = Resolved::put(scenario, self.timeline(entries));
        scenario.check()?;
        Ok(scenario)
    }
}

/// Numbers from 1, runs of them shortened.
fn ranges(sorted: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for index in sorted {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => parts.push((*index, *index)),
        }
    }
    let shown = parts.iter().map(|(first, last)| match last - first {
        0 => (first + 1).to_string(),
        1 => format!("{} {}", first + 1, last + 1),
        _ => format!("{}-{}", first + 1, last + 1),
    });
    shown.collect::<Vec<_>>().join(" ")
}
