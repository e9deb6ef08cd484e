//! Drawing from a [`Length`].
//!
//! What must hold: a seed draws the same on every machine. So the generator is ChaCha8, whose output is specified;
//! spans are drawn as integers; and where a distribution takes logarithms and powers, `rand_distr` computes them by
//! its own `libm` and the result is rounded to whole microseconds, which no difference in a last digit survives. The
//! golden test in `tests.rs` holds the figures: a new version of these crates that draws otherwise is a change that
//! users must be told of.

use std::path::Path;

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, LogNormal, Pareto};

use super::recorded::{Format, Recording};
use super::{Kind, LONGEST, Length, SHORTEST};
use crate::{Error, Result, Span};

/// What everything that is random in a series follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

/// The generator that a seed gives: ChaCha8.
pub type Generator = ChaCha8Rng;

impl Seed {
    /// Another one each time; short enough to be typed again.
    pub fn fresh() -> Seed {
        use std::hash::{BuildHasher, RandomState};
        // The standard library's own source of keys, which come from the kernel.
        Seed(RandomState::new().hash_one(0) >> 32)
    }

    /// The generator from which lengths are drawn. Gaps have one of their own, so that the same lengths come whatever
    /// the gaps are.
    pub fn lengths(self) -> Generator {
        self.stream(0)
    }

    /// The generator from which gaps are drawn.
    pub fn gaps(self) -> Generator {
        self.stream(1)
    }

    fn stream(self, number: u64) -> Generator {
        let mut generator = ChaCha8Rng::seed_from_u64(self.0);
        generator.set_stream(number);
        generator
    }
}

/// What lengths are drawn from: a [`Length`] whose file has been read.
#[derive(Clone, Debug)]
pub struct Sampler(Source);

#[derive(Clone, Debug)]
enum Source {
    Fixed(Span),
    Uniform(Span, Span),
    Exponential { mean: Span },
    Lognormal { median: Span, spread: LogNormal<f64> },
    Pareto(Pareto<f64>),
    Recorded { spans: Vec<Span>, format: Format },
}

impl Sampler {
    pub(super) fn of_lengths(length: &Length) -> Result<Sampler> {
        Sampler::of(length, |path| Recording::read(path).map(|read| (read.format, read.lengths)))
    }

    pub(super) fn of_gaps(length: &Length) -> Result<Sampler> {
        Sampler::of(length, |path| {
            let read = Recording::read(path)?;
            Ok((read.format, read.into_gaps(path)?))
        })
    }

    fn of(length: &Length, read: impl FnOnce(&Path) -> Result<(Format, Vec<Span>)>) -> Result<Sampler> {
        let refused = |why: &dyn std::fmt::Display| Error::bad_input(format_args!("draw from {length}"), why);
        Ok(Sampler(match &length.0 {
            Kind::Fixed(span) => Source::Fixed(*span),
            Kind::Uniform { from, to } => Source::Uniform(*from, *to),
            Kind::Exponential { mean } => Source::Exponential { mean: *mean },
            Kind::Lognormal { median, sigma } => Source::Lognormal {
                median: *median,
                spread: LogNormal::new(0.0, *sigma).map_err(|why| refused(&why))?,
            },
            Kind::Pareto { scale, shape } => {
                Source::Pareto(Pareto::new(micros(*scale), *shape).map_err(|why| refused(&why))?)
            }
            Kind::File(path) => {
                let (format, spans) = read(path)?;
                Source::Recorded { spans, format }
            }
        }))
    }

    /// The next length.
    pub fn sample<R: Rng + ?Sized>(&self, generator: &mut R) -> Span {
        match &self.0 {
            Source::Fixed(span) => *span,
            Source::Uniform(from, to) => {
                let nanos = generator.random_range(from.as_nanos()..=to.as_nanos());
                Span::from_nanos(nanos).max(SHORTEST)
            }
            Source::Exponential { mean } => {
                let unit: f64 = Exp1.sample(generator);
                of_micros(micros(*mean) * unit)
            }
            Source::Lognormal { median, spread } => of_micros(micros(*median) * spread.sample(generator)),
            Source::Pareto(pareto) => of_micros(pareto.sample(generator)),
            Source::Recorded { spans, .. } => {
                let at = generator.random_range(0..spans.len().max(1));
                spans.get(at).copied().unwrap_or(SHORTEST)
            }
        }
    }

    /// Whether it draws at all, so that a seed makes a difference.
    pub fn is_random(&self) -> bool {
        !matches!(self.0, Source::Fixed(_))
    }

    /// What was found in its file: the format, how many spans, the shortest and the longest.
    pub fn recorded(&self) -> Option<(Format, usize, Span, Span)> {
        match &self.0 {
            Source::Recorded { spans, format } => {
                let (least, most) = (spans.iter().min()?, spans.iter().max()?);
                Some((*format, spans.len(), *least, *most))
            }
            _ => None,
        }
    }
}

fn micros(span: Span) -> f64 {
    span.as_nanos() as f64 / 1_000.0
}

/// To the nearest microsecond, within what is ever drawn.
#[expect(clippy::cast_possible_truncation, reason = "between the two bounds, which fit")]
fn of_micros(micros_drawn: f64) -> Span {
    let whole = micros_drawn.round().clamp(micros(SHORTEST), micros(LONGEST));
    Span::from_nanos(whole as i64 * 1_000)
}
