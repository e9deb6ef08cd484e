//! A stall: the clock stands still, and is left behind by the stall's length when it runs on.

use super::{ClockFault, Clocks, Kind};
use crate::error::Result;

/// The clock stands still; temporary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall;

impl ClockFault for Stall {
    const KIND: Kind = Kind::Stall;

    fn figures(&self) -> (i64, i64) {
        (0, 0)
    }

    fn of_figures(_: i64, _: i64) -> Self {
        Stall
    }

    fn describe(&self) -> String {
        "stall".to_owned()
    }

    fn check(&self, _: Clocks, _: bool) -> Result<()> {
        Ok(())
    }
}
