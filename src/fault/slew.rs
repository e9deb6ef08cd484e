//! A slew: the clock is led by an amount without a step, running a little faster or slower until it is there.

use super::{ClockFault, Clocks, Kind, Rate, Span, format_rate, format_span};
use crate::error::{Error, Result};
use crate::schedule::plan::slew_length;

/// The clock gains `by` at `rate` beside its base rate; temporary. Ended early, it keeps what it gained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slew {
    by: Span,
    rate: Rate,
}

impl Slew {
    /// A slew by `by`; of `rate` the size counts, since the sign follows from `by`.
    pub fn new(by: Span, rate: Rate) -> Result<Self> {
        let size = Rate::from_parts(rate.as_parts().saturating_abs());
        let rate = if by.is_negative() { size.saturating_neg() } else { size };
        let asked = || format!("slew by {} at {}", format_span(by), format_rate(rate));
        if by == Span::ZERO {
            let remedy = "give a span such as -1s or +250ms";
            return Err(Error::bad_input("slew by nothing", "a span of 0 is no fault").remedy(remedy));
        }
        if rate == Rate::TRUE {
            return Err(Error::bad_input(asked(), "a clock of the true rate gains nothing")
                .remedy("give the rate as a deviation, such as 500ppm"));
        }
        if rate <= Rate::STANDSTILL {
            return Err(Error::bad_input(asked(), "the clock would stand still or run backward")
                .remedy("use a rate below 100%, or stall for a clock that stands still"));
        }
        if slew_length(by, rate).is_none() {
            return Err(Error::bad_input(asked(), "it would take longer than 292 years"));
        }
        Ok(Slew { by, rate })
    }
}

impl ClockFault for Slew {
    const KIND: Kind = Kind::Slew;

    fn figures(&self) -> (i64, i64) {
        (self.by.as_nanos(), self.rate.as_parts())
    }

    fn of_figures(amount: i64, second: i64) -> Self {
        Slew { by: Span::from_nanos(amount), rate: Rate::from_parts(second) }
    }

    fn describe(&self) -> String {
        let sign = if self.by.is_negative() { "" } else { "+" };
        format!("slew {sign}{} --rate {}", format_span(self.by), format_rate(self.rate))
    }

    fn length(&self) -> Option<Span> {
        slew_length(self.by, self.rate)
    }

    fn check(&self, _: Clocks, _: bool) -> Result<()> {
        Ok(())
    }
}
