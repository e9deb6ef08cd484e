//! Drift: the clock runs at another rate from now on, as a bad oscillator makes it.

use super::{ClockFault, Clocks, Kind, Rate, format_rate};
use crate::error::Result;

/// The base rate becomes `rate`. What the clock has gained or lost stays when the drift ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The rate; [`Rate::TRUE`] ends the drift that is in force.
    pub rate: Rate,
}

impl ClockFault for Drift {
    const KIND: Kind = Kind::Drift;

    fn figures(&self) -> (i64, i64) {
        (self.rate.as_parts(), 0)
    }

    fn of_figures(amount: i64, _: i64) -> Self {
        Drift { rate: Rate::from_parts(amount) }
    }

    fn describe(&self) -> String {
        format!("drift {}", format_rate(self.rate))
    }

    fn check(&self, _: Clocks, _: bool) -> Result<()> {
        Ok(())
    }
}
