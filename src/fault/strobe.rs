//! A strobe: the clock is stepped there and back, over and over, as Jepsen's strobe does.

use super::{ClockFault, Clocks, Kind, Span, backward, format_span};
use crate::error::{Error, Result};

/// The clock is off by `amplitude` in the first half of every `period`; temporary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strobe {
    /// How far, and which way.
    pub amplitude: Span,
    /// There and back.
    pub period: Span,
}

/// Shorter periods would be over before a reader is done.
const SHORTEST: Span = Span::from_nanos(1_000);

impl ClockFault for Strobe {
    const KIND: Kind = Kind::Strobe;

    fn figures(&self) -> (i64, i64) {
        (self.amplitude.as_nanos(), self.period.as_nanos())
    }

    fn of_figures(amount: i64, second: i64) -> Self {
        Strobe { amplitude: Span::from_nanos(amount), period: Span::from_nanos(second) }
    }

    fn describe(&self) -> String {
        format!("strobe --amplitude {} --period {}", format_span(self.amplitude), format_span(self.period))
    }

    fn check(&self, clocks: Clocks, _: bool) -> Result<()> {
        if clocks == Clocks::All {
            return Err(backward("strobe the clock", "every other step leads back"));
        }
        if self.amplitude == Span::ZERO {
            let why = "an amplitude of 0 is no fault";
            return Err(
                Error::bad_input("strobe by nothing", why).remedy("give an amplitude such as 1s or -250ms")
            );
        }
        if self.period < SHORTEST {
            return Err(Error::bad_input(
                format!("strobe with a period of {}", format_span(self.period)),
                "a period must be positive, and 1us at least",
            ));
        }
        Ok(())
    }
}
