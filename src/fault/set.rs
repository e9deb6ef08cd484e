//! A set: the wall clock shows a given instant from now on, as `date -s` makes it.

use super::{ClockFault, Clocks, Kind, NodeInstant, backward, format_instant};
use crate::error::Result;

/// The base offset becomes what it takes to show `to`; it runs on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// What the clock shows when the fault takes effect.
    pub to: NodeInstant,
}

impl ClockFault for Set {
    const KIND: Kind = Kind::Set;

    fn figures(&self) -> (i64, i64) {
        (self.to.as_nanos(), 0)
    }

    fn of_figures(amount: i64, _: i64) -> Self {
        Set { to: NodeInstant::from_nanos(amount) }
    }

    fn describe(&self) -> String {
        format!("set {}", format_instant(self.to))
    }

    fn check(&self, clocks: Clocks, _: bool) -> Result<()> {
        match clocks {
            Clocks::All => Err(backward("set the clock", "a set may lead back")),
            Clocks::Wall => Ok(()),
        }
    }
}
