//! Lengths as they are written: `200ms`, `uniform(10ms,2s)`, `file(gc.log)`.
//!
//! What must hold: any text is a length or an error of bad input that quotes it, says at which character it goes wrong
//! and what to write instead.

use std::str::FromStr;

use super::Length;
use crate::units::parse_span;
use crate::{Error, Result, Span};

const NAMES: &str = "the distributions are uniform(FROM,TO), exponential(MEAN), lognormal(MEDIAN,SIGMA), \
                     pareto(SCALE,SHAPE) and file(PATH)";

impl FromStr for Length {
    type Err = Error;

    fn from_str(text: &str) -> Result<Length> {
        let Some((name, _)) = text.split_once('(') else {
            return match parse_span(text) {
                Ok(span) => Length::fixed(span),
                Err(_) if is_word(text) => Err(refused(text, 0, format_args!("'{text}' is no span"), NAMES)),
                Err(error) => Err(error),
            };
        };
        let call = Call::read(text, name)?;
        match name.trim() {
            "uniform" => call.two("uniform(10ms,2s)").and_then(|[from, to]| {
                let (from, to) = (call.span(from)?, call.span(to)?);
                Length::uniform(from, to)
            }),
            "exponential" => {
                call.one("exponential(300ms)").and_then(|mean| Length::exponential(call.span(mean)?))
            }
            "lognormal" => call.two("lognormal(200ms,0.5)").and_then(|[median, sigma]| {
                let (median, sigma) = (call.span(median)?, call.number(sigma)?);
                Length::lognormal(median, sigma)
            }),
            "pareto" => call.two("pareto(50ms,1.5)").and_then(|[scale, shape]| {
                let (scale, shape) = (call.span(scale)?, call.number(shape)?);
                Length::pareto(scale, shape)
            }),
            "file" if call.inside.is_empty() => {
                Err(call.refused(call.begin, "it names no file", "write file(PATH), as in file(gc.log)"))
            }
            "file" => Ok(Length::file(call.inside)),
            _ => Err(call.refused(0, format_args!("there is no distribution '{name}'"), NAMES)),
        }
    }
}

/// Whether it looks like a name, and not like an attempt at a span.
fn is_word(text: &str) -> bool {
    text.len() > 2 && text.chars().all(|c| c.is_alphabetic() || c == '-' || c == '_')
}

/// A name and what stands between its parentheses.
struct Call<'a> {
    text: &'a str,
    inside: &'a str,
    /// At which byte of the text that begins.
    begin: usize,
}

/// One value, and at which byte of the text it begins.
#[derive(Clone, Copy)]
struct Value<'a>(&'a str, usize);

impl<'a> Call<'a> {
    fn read(text: &'a str, name: &str) -> Result<Call<'a>> {
        let begin = name.len() + 1;
        let inside = text.get(begin..).unwrap_or_default();
        match inside.rfind(')') {
            Some(end) if end + 1 == inside.len() => {
                Ok(Call { text, inside: inside.get(..end).unwrap_or_default(), begin })
            }
            Some(end) => {
                let after = inside.get(end + 1..).unwrap_or_default();
                let why = format!("'{after}' follows the closing parenthesis");
                Err(refused(text, begin + end + 1, why, "end it with the parenthesis"))
            }
            None => Err(refused(text, text.len(), "its parenthesis is not closed", "add a ')' at the end")),
        }
    }

    /// The values between the commas.
    fn values(&self) -> Vec<Value<'a>> {
        let mut begin = self.begin;
        let value = |part: &'a str| {
            let blank = part.len() - part.trim_start().len();
            let value = Value(part.trim(), begin + blank);
            begin += part.len() + 1;
            value
        };
        self.inside.split(',').map(value).collect()
    }

    fn one(&self, example: &str) -> Result<Value<'a>> {
        let values = self.values();
        if let [one] = values[..] { Ok(one) } else { Err(self.miscounted(&values, 1, example)) }
    }

    fn two(&self, example: &str) -> Result<[Value<'a>; 2]> {
        let values = self.values();
        if let [one, two] = values[..] { Ok([one, two]) } else { Err(self.miscounted(&values, 2, example)) }
    }

    fn miscounted(&self, values: &[Value<'_>], wanted: usize, example: &str) -> Error {
        let at = values.get(wanted).map_or(self.begin + self.inside.len(), |surplus| surplus.1);
        let has = if self.inside.is_empty() { 0 } else { values.len() };
        let takes = if wanted == 1 { "one value" } else { "two values" };
        let why = format!("it takes {takes}, and has {has}");
        self.refused(at, why, format_args!("write it as in {example}"))
    }

    fn span(&self, value: Value<'_>) -> Result<Span> {
        parse_span(value.0).map_err(|error| {
            let why = format!("'{}' is no span: {}", value.0, error.why());
            self.refused(value.1, why, error.help().unwrap_or("write a span such as 250ms"))
        })
    }

    fn number(&self, value: Value<'_>) -> Result<f64> {
        let plain = value.0.chars().all(|c| c.is_ascii_digit() || c == '.');
        match value.0.parse() {
            Ok(number) if plain => Ok(number),
            _ => {
                let why = format!("'{}' is not a number above 0", value.0);
                Err(self.refused(value.1, why, "write digits with at most one point among them: 0.5"))
            }
        }
    }

    fn refused(&self, at: usize, why: impl std::fmt::Display, remedy: impl std::fmt::Display) -> Error {
        refused(self.text, at, why, remedy)
    }
}

/// `at` is a byte; people count characters, from one.
fn refused(text: &str, at: usize, why: impl std::fmt::Display, remedy: impl std::fmt::Display) -> Error {
    let place = text.get(..at).unwrap_or(text).chars().count() + 1;
    Error::bad_input(format_args!("read the length '{text}'"), format_args!("at character {place}, {why}"))
        .remedy(remedy)
}
