//! A step: the clock moves by an amount at one instant, as when NTP or an operator steps it.

use super::{ClockFault, Clocks, Kind, Span, backward, format_span};
use crate::error::{Error, Result};

/// The base offset moves by `by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// How far, and which way.
    pub by: Span,
}

impl ClockFault for Jump {
    const KIND: Kind = Kind::Jump;

    fn figures(&self) -> (i64, i64) {
        (self.by.as_nanos(), 0)
    }

    fn of_figures(amount: i64, _: i64) -> Self {
        Jump { by: Span::from_nanos(amount) }
    }

    fn describe(&self) -> String {
        let sign = if self.by.is_negative() { "" } else { "+" };
        format!("jump {sign}{}", format_span(self.by))
    }

    fn check(&self, clocks: Clocks, ends: bool) -> Result<()> {
        if self.by == Span::ZERO {
            let remedy = "give a span such as -1h or +250ms";
            return Err(Error::bad_input("jump by nothing", "a span of 0 is no fault").remedy(remedy));
        }
        match clocks {
            Clocks::All if self.by.is_negative() => Err(backward("jump backward", "the jump leads back")),
            Clocks::All if ends => Err(backward("jump for a time", "its end leads back")),
            _ => Ok(()),
        }
    }
}
