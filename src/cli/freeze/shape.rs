//! How long a pause lasts and how often it comes: the flags, and what they mean together.

use std::num::NonZeroU64;

use falseticker::freeze::series::Series;
use falseticker::freeze::shape::{Length, Preset, Sampler, Seed};
use falseticker::units::format_span;
use falseticker::{Error, Result, Span};
use serde_json::{Value, json};

use super::super::table::short;
use super::super::values;

/// What is said of lengths beside the flags.
pub const LENGTHS: &str = "\
LENGTH and GAP are a span, or drawn anew each time, 24h at most:
  uniform(10ms,2s)       evenly between two spans
  exponential(300ms)     by the mean
  lognormal(200ms,0.5)   by the median, and the deviation of the logarithm
  pareto(50ms,1.5)       by the least, and the shape of the tail
  file(PATH)             one of the recorded: a span a line, or a JVM's log
                         (-Xlog:gc, -Xlog:safepoint); as GAP, of the log's gaps";

/// The flags.
#[derive(Debug, clap::Args)]
pub struct Shape {
    /// Thaw after LENGTH, and stay in the foreground until then
    #[arg(long = "for", value_name = "LENGTH", allow_hyphen_values = true)]
    pub lasts: Option<Length>,

    /// Freeze again GAP after the end of each pause
    #[arg(long, value_name = "GAP", allow_hyphen_values = true)]
    pub every: Option<Length>,

    /// So many pauses; otherwise they come until Ctrl-C, or until the node ends (with --on-read: one)
    #[arg(long, value_name = "N", allow_hyphen_values = true, conflicts_with = "until")]
    pub count: Option<NonZeroU64>,

    /// Pauses until SPAN has gone by: none begins later, and the last one is cut there
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = values::length)]
    pub until: Option<Span>,

    /// What lengths and gaps are drawn from: the same seed draws the same; it is told where it is not given
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<u64>,

    /// Pauses of a real kind; --for and --every take the place of its own length and gap
    #[arg(long, value_name = "KIND", value_enum)]
    pub preset: Option<Preset>,
}

/// What they ask for.
#[derive(Debug)]
pub enum Asked {
    /// One pause, until somebody ends it.
    UntilThaw,
    /// One pause.
    Once(Once),
    /// One after the other.
    Again(Again),
}

/// One pause.
#[derive(Debug)]
pub struct Once {
    pub lasts: Span,
    /// How its length was found, if it was drawn.
    pub drawn: Option<Drawn>,
}

/// What a length was drawn from.
#[derive(Debug)]
pub struct Drawn {
    length: Length,
    sampler: Sampler,
    seed: Seed,
}

/// Pauses one after the other.
#[derive(Debug)]
pub struct Again {
    pub series: Series,
    pub preset: Option<Preset>,
}

impl Shape {
    /// The length of pauses of which something else says when they begin. How many there are is its own business.
    pub fn single(&self) -> Result<Option<Once>> {
        if self.every.is_some() || self.until.is_some() || self.preset.is_some() {
            return Err(refused("--on-read says when a pause begins")
                .remedy("leave out --every, --until and --preset"));
        }
        let seed = self.seed.map_or_else(Seed::fresh, Seed);
        self.lasts.clone().map(|length| once(length, seed)).transpose()
    }

    /// What the flags mean together; reads the file that a single length is drawn from.
    pub fn asked(&self) -> Result<Asked> {
        let seed = self.seed.map_or_else(Seed::fresh, Seed);
        let length = self.lasts.clone().or(self.preset.map(Preset::length));
        let gap = self.every.clone().or(self.preset.map(Preset::gap));
        match (length, gap) {
            (Some(length), Some(gap)) => {
                let count = self.count.map(NonZeroU64::get);
                let series = Series { length, gap, count, until: self.until, seed };
                Ok(Asked::Again(Again { series, preset: self.preset }))
            }
            (None, Some(_)) => {
                Err(refused("--every says when the next pause begins, and nothing how long they are")
                    .remedy("add --for LENGTH"))
            }
            _ if self.count.is_some() || self.until.is_some() => {
                Err(refused("--count and --until are for pauses that come again")
                    .remedy("add --every GAP, or a --preset"))
            }
            (Some(length), None) => once(length, seed).map(Asked::Once),
            (None, None) if self.seed.is_some() => {
                Err(refused("there is nothing to draw with --seed").remedy("add --for LENGTH"))
            }
            (None, None) => Ok(Asked::UntilThaw),
        }
    }
}

fn refused(why: &str) -> Error {
    Error::bad_input("understand the command line", why)
}

/// One pause, whose length is drawn now if it is not fixed.
pub fn once(length: Length, seed: Seed) -> Result<Once> {
    let sampler = length.sampler()?;
    let lasts = sampler.sample(&mut seed.lengths());
    let drawn = sampler.is_random().then_some(Drawn { length, sampler, seed });
    Ok(Once { lasts, drawn })
}

impl Drawn {
    /// ", drawn from uniform(10ms,2s) with seed 7".
    pub fn line(&self) -> String {
        let found = found(&self.sampler).map_or(String::new(), |found| format!(" ({found})"));
        format!(", drawn from {}{found} with seed {}", self.length, self.seed.0)
    }

    pub fn to_json(&self) -> Value {
        json!({ "length": self.length.to_string(), "seed": self.seed.0 })
    }
}

/// What a file has turned out to be: "a JVM log with collections, 37 of 1.2ms to 40ms".
pub fn found(sampler: &Sampler) -> Option<String> {
    let (format, count, least, most) = sampler.recorded()?;
    Some(format!("{format}, {count} of {} to {}", short(least), short(most)))
}

/// "gc-young: pauses of uniform(40ms,60ms) every 3s, 10 of them, seed 7".
pub fn headline(again: &Again, is_random: bool) -> String {
    let Series { length, gap, count, until, seed } = &again.series;
    let preset = again.preset.map_or(String::new(), |preset| format!("{preset}: "));
    let end = match (count, until) {
        (Some(count), _) => format!("{count} of them"),
        (None, Some(until)) => format!("for {}", format_span(*until)),
        (None, None) => "until Ctrl-C".to_owned(),
    };
    let seed = if is_random { format!(", seed {}", seed.0) } else { String::new() };
    format!("{preset}pauses of {length} every {gap}, {end}{seed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape { lasts: None, every: None, count: None, until: None, seed: None, preset: None }
    }

    fn length(text: &str) -> Option<Length> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn flags_mean_one_pause_or_many() {
        assert!(matches!(shape().asked(), Ok(Asked::UntilThaw)));
        match (Shape { lasts: length("5s"), ..shape() }).asked().unwrap() {
            Asked::Once(Once { lasts, drawn: None }) => assert_eq!(lasts, Span::from_secs(5)),
            other => panic!("{other:?}"),
        }
        match (Shape { lasts: length("uniform(1s,2s)"), seed: Some(7), ..shape() }).asked().unwrap() {
            Asked::Once(Once { lasts, drawn: Some(drawn) }) => {
                assert!(lasts >= Span::from_secs(1) && lasts <= Span::from_secs(2));
                assert_eq!(drawn.line(), ", drawn from uniform(1s,2s) with seed 7");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn explicit_flags_win_over_a_preset() {
        let preset = Some(Preset::GcYoung);
        let series = |shape: Shape| match shape.asked().unwrap() {
            Asked::Again(again) => again,
            other => panic!("{other:?}"),
        };
        let plain = series(Shape { preset, seed: Some(1), ..shape() });
        assert_eq!(
            headline(&plain, true),
            "gc-young: pauses of uniform(40ms,60ms) every 3s, until Ctrl-C, seed 1"
        );
        let refined = series(Shape { preset, every: length("1s"), count: NonZeroU64::new(3), ..shape() });
        assert_eq!(headline(&refined, false), "gc-young: pauses of uniform(40ms,60ms) every 1s, 3 of them");
        let refined = series(Shape { preset, lasts: length("1s"), ..shape() });
        assert_eq!(headline(&refined, false), "gc-young: pauses of 1s every 3s, until Ctrl-C");
    }

    #[test]
    fn what_makes_no_sense_together_says_what_to_add() {
        for (shape, remedy) in [
            (Shape { every: length("1s"), ..shape() }, "--for"),
            (Shape { lasts: length("1s"), count: NonZeroU64::new(3), ..shape() }, "--every"),
            (Shape { lasts: length("1s"), until: Some(Span::from_secs(3)), ..shape() }, "--every"),
            (Shape { seed: Some(3), ..shape() }, "--for"),
        ] {
            let error = shape.asked().unwrap_err();
            assert!(error.help().is_some_and(|help| help.contains(remedy)), "{error}");
        }
    }
}
