//! A theatre whose plays are computed, for the tests of what plays scenarios.

use std::collections::BTreeMap;

use super::{Outcome, Played, Theatre};
use crate::error::{Error, ErrorKind, Result};
use crate::scenario::Scenario;

/// Plays that come out by what is in the timeline, and perhaps by how often it was played; which end after so many.
pub struct Pretence<'a> {
    /// What comes of a timeline when it is played for this time.
    pub comes_of: &'a dyn Fn(&Scenario, u32) -> Outcome,
    /// How often each timeline was played, over all interruptions.
    pub played: &'a mut BTreeMap<String, u32>,
    /// How many plays are left until it is interrupted.
    pub left: u32,
}

impl Theatre for Pretence<'_> {
    fn play(&mut self, scenario: &Scenario) -> Result<Played> {
        if self.left == 0 {
            return Err(Error::new(ErrorKind::Interrupted, "go on", "interrupted"));
        }
        self.left -= 1;
        let times = self.played.entry(scenario.to_toml()?).or_default();
        *times += 1;
        Ok(Played { outcome: (self.comes_of)(scenario, *times), by: Vec::new() })
    }
}
