//! How long pauses last, and how long it is between them: a [`Length`] is a span, or a distribution to draw from.
//!
//! | written | what is drawn |
//! | --- | --- |
//! | `200ms` | always the same |
//! | `uniform(10ms,2s)` | evenly between two spans, both included |
//! | `exponential(300ms)` | by its mean; events that come independently of one another |
//! | `lognormal(200ms,0.5)` | by its median, and the standard deviation of its logarithm |
//! | `pareto(50ms,1.5)` | by its scale, which is its least value, and its shape: the smaller, the heavier the tail |
//! | `file(PATH)` | one of the [recorded] pauses, each as likely as the others |
//!
//! What must hold: whatever is drawn lies between one microsecond and [`LONGEST`], and within the bounds that were
//! given; the same seed draws the same on every machine ([`Seed`]). A text means one length or is refused with the
//! place and what to write; what is printed reads back as the same length.

mod preset;
pub mod recorded;
mod sample;
mod text;

#[cfg(test)]
mod tests;

pub use preset::Preset;
pub use sample::{Generator, Sampler, Seed};

use std::fmt;
use std::path::{Path, PathBuf};

use crate::units::format_span;
use crate::{Error, Result, Span};

/// The longest that is ever drawn; a longer draw is cut to it. Lengths that are not drawn may be longer.
pub const LONGEST: Span = Span::from_secs(24 * 3_600);

/// The shortest that is ever drawn. No process is stopped and resumed faster.
pub const SHORTEST: Span = Span::from_nanos(1_000);

/// The largest sigma of a lognormal, and shape of a pareto. Above, there is nothing left but the cap, or no tail.
const MOST: f64 = 100.0;

/// A length of time that may differ from one time to the next. It is made from text (see the table in
/// [`crate::freeze::shape`]) or by its constructors, and drawn from by [`Length::sampler`].
#[derive(Clone, Debug, PartialEq)]
pub struct Length(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Fixed(Span),
    Uniform { from: Span, to: Span },
    Exponential { mean: Span },
    Lognormal { median: Span, sigma: f64 },
    Pareto { scale: Span, shape: f64 },
    File(PathBuf),
}

impl Length {
    /// Always `span`, which is longer than nothing.
    pub fn fixed(span: Span) -> Result<Length> {
        if span > Span::ZERO {
            return Ok(Length(Kind::Fixed(span)));
        }
        Err(Error::bad_input(
            format_args!("take {} as a length of time", format_span(span)),
            "it must be longer than nothing",
        )
        .remedy("write a span such as 250ms, 5s or 1m"))
    }

    /// Evenly between two spans, both included.
    pub fn uniform(from: Span, to: Span) -> Result<Length> {
        let length = Length(Kind::Uniform { from, to });
        if from.is_negative() {
            return Err(length.refused("it begins below zero", "begin at 0s or later"));
        }
        if from >= to {
            return Err(length.refused("it has nothing in it", "write the shorter span first"));
        }
        length.with_span(to)
    }

    /// An exponential distribution of this mean.
    pub fn exponential(mean: Span) -> Result<Length> {
        Length(Kind::Exponential { mean }).with_span(mean)
    }

    /// A lognormal distribution of this median; `sigma` is the standard deviation of the logarithm (no unit).
    pub fn lognormal(median: Span, sigma: f64) -> Result<Length> {
        Length(Kind::Lognormal { median, sigma }).with_number("sigma", sigma)?.with_span(median)
    }

    /// A Pareto distribution whose least value is `scale`; `shape` is its exponent (no unit).
    pub fn pareto(scale: Span, shape: f64) -> Result<Length> {
        Length(Kind::Pareto { scale, shape }).with_number("shape", shape)?.with_span(scale)
    }

    /// One of the pauses that are recorded in a file, which is read by [`Length::sampler`] and no sooner.
    pub fn file(path: impl Into<PathBuf>) -> Length {
        Length(Kind::File(path.into()))
    }

    /// What it always is; `None` if it is drawn.
    pub fn as_fixed(&self) -> Option<Span> {
        match self.0 {
            Kind::Fixed(span) => Some(span),
            _ => None,
        }
    }

    /// The file that it is drawn from.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::File(path) => Some(path),
            _ => None,
        }
    }

    /// Something to draw lengths from; reads the file, if it is one.
    pub fn sampler(&self) -> Result<Sampler> {
        Sampler::of_lengths(self)
    }

    /// Something to draw the time between pauses from. It is the same as [`Length::sampler`], but for a file that knows
    /// its gaps (a JVM's log): there they are drawn, and not its pauses.
    pub fn gap_sampler(&self) -> Result<Sampler> {
        Sampler::of_gaps(self)
    }

    fn with_span(self, span: Span) -> Result<Length> {
        if span < SHORTEST || span > LONGEST {
            let why = format!(
                "{} is not between {} and {}",
                format_span(span),
                format_span(SHORTEST),
                format_span(LONGEST)
            );
            return Err(self.refused(why, "write a span such as 250ms, 5s or 1m"));
        }
        Ok(self)
    }

    fn with_number(self, name: &str, number: f64) -> Result<Length> {
        if number > 0.0 && number <= MOST {
            return Ok(self);
        }
        let why = format!("its {name}, {number}, is not above 0 and at most {MOST}");
        Err(self.refused(why, "write a number such as 0.5"))
    }

    fn refused(&self, why: impl fmt::Display, remedy: impl fmt::Display) -> Error {
        Error::bad_input(format_args!("take {self} as a length of time"), why).remedy(remedy)
    }
}

/// As it is written.
impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Fixed(span) => f.write_str(&format_span(*span)),
            Kind::Uniform { from, to } => write!(f, "uniform({},{})", format_span(*from), format_span(*to)),
            Kind::Exponential { mean } => write!(f, "exponential({})", format_span(*mean)),
            Kind::Lognormal { median, sigma } => write!(f, "lognormal({},{sigma})", format_span(*median)),
            Kind::Pareto { scale, shape } => write!(f, "pareto({},{shape})", format_span(*scale)),
            Kind::File(path) => write!(f, "file({})", path.display()),
        }
    }
}
