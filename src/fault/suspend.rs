//! A suspend: the node as a virtual machine that is stopped and goes on later, as after a snapshot or a live migration.
//!
//! Its processes are frozen; its monotonic clock does not count the pause, CLOCK_BOOTTIME does; its wall clock wakes
//! stale. [`Node::suspend`](crate::Node::suspend) brings it about.

use falseticker_page::change::{Change, Kind};
use falseticker_page::time::{Rate, Span};

use super::format_span;
use crate::error::{Error, Result};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suspend {
    /// How long, on the host's clock.
    pub length: Span,
    /// What becomes of the wall clock.
    pub wall: WallAfter,
}

/// What becomes of the wall clock after a suspend.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum WallAfter {
    /// It stays behind by what it lost.
    #[default]
    Stale,
    /// It is brought to where it would stand without the suspend.
    Corrected {
        /// How long after the processes go on.
        after: Span,
        /// Led there at this rate, of which the size counts; by a step if there is none.
        slew: Option<Rate>,
    },
}

impl Suspend {
    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<()> {
        let bad = |why: &str| Error::bad_input(format_args!("suspend for {}", format_span(self.length)), why);
        if self.length <= Span::ZERO {
            return Err(bad("it must be longer than nothing").remedy("write a span such as 250ms, 5s or 1m"));
        }
        match self.wall {
            WallAfter::Corrected { after, .. } if after.is_negative() => {
                Err(bad("the wall clock cannot be corrected before the end")
                    .remedy("give --after 0s or more"))
            }
            WallAfter::Corrected { slew: Some(Rate::TRUE), .. } => {
                Err(bad("a clock of the true rate is led nowhere")
                    .remedy("give the rate as a deviation, such as 500ppm"))
            }
            _ => Ok(()),
        }
    }
}

/// As it is written on the command line, without the node; `None` for a change of another kind.
pub fn describe(change: &Change) -> Option<String> {
    let length = format_span(change.until.saturating_since(change.at));
    match change.kind {
        Kind::Suspend => Some(format!("suspend {length}")),
        Kind::CalledOff => Some(format!("suspend {length}, called off")),
        _ => None,
    }
}
