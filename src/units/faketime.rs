//! libfaketime's FAKETIME, so that its users can bring their settings along.
//!
//! The syntax is that of sections 4b to 4e of libfaketime's README (0.9.10); what libfaketime does with other texts
//! is taken from `parse_ft_string` in its `libfaketime.c`.
//!
//! | FAKETIME | meaning |
//! | --- | --- |
//! | `-15d`, `+120`, `+1.5h` | an offset: sign, number, and one of s (also without) m h d y; a year is 365 days |
//! | `@2020-12-24 20:30:00` | the clock starts at that date, in the caller's zone, and runs on |
//! | `2020-12-24 20:30:00` | the clock stands still at that date |
//! | `+1y x2`, `@2020-12-24 20:30:00 x0.5`, `x2` | as before, and the clock runs at that multiple of true |
//!
//! What must hold: what libfaketime would misread in silence is an error, and so is what the toolkit cannot do
//! (`%`, `i`): each by name, with what to write instead.

use crate::error::Result;
use falseticker_page::time::{NodeInstant, Rate, Span};

use super::decimal::{self, Decimal};
use super::{Read, Refusal, civil, rate, span};

const EXAMPLES: &str = "write an offset (-15d, +120), a date (\"2020-12-24 20:30:00\", with @ in front for a clock \
                        that runs on), and behind it a rate if need be (+1y x2)";

/// What a FAKETIME asks of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faketime {
    /// Where the clock starts.
    pub start: Start,
    /// How fast it runs from there; never with [`Start::Stopped`].
    pub rate: Option<Rate>,
}

/// Where the clock of a [`Faketime`] starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At true time: a rate alone.
    True,
    /// At true time moved by a span.
    Offset(Span),
    /// At an instant, from where it runs on.
    At(NodeInstant),
    /// At an instant, where it stands still.
    Stopped(NodeInstant),
}

/// Reads libfaketime's FAKETIME.
pub fn parse_faketime(text: &str) -> Result<Faketime> {
    read(text.trim()).map_err(|refusal| refusal.of(format_args!("read the FAKETIME '{text}'")))
}

fn read(text: &str) -> Read<Faketime> {
    if text.is_empty() {
        return Err(Refusal::new("it is empty", EXAMPLES));
    }
    if text.starts_with('%') {
        return Err(Refusal::new(
            "'%', a clock that follows a file's timestamp (FAKETIME_FOLLOW_FILE), is not supported",
            "start at the file's time, \"@$(date -r FILE '+%Y-%m-%d %H:%M:%S')\", and jump when it changes",
        ));
    }
    let (place, modifier) = split_modifier(text);
    let rate = modifier.map(read_rate).transpose()?;
    let start = read_start(place)?;
    if let (Start::Stopped(_), Some(_)) = (start, rate) {
        return Err(Refusal::new(
            "a date without @ is a clock that stands still, which has no rate (libfaketime ignores it silently)",
            format_args!("write '@{text}' for a clock that runs on from that date, or leave the rate away"),
        ));
    }
    Ok(Faketime { start, rate })
}

/// Cuts the text before its first `x` or `i` that a number follows. The words of a date hold both letters.
fn split_modifier(text: &str) -> (&str, Option<&str>) {
    let in_number = |c: char| decimal::is_number_char(c) || matches!(c, '+' | '-');
    let begins = |&at: &usize| {
        let number = text[at + 1..].trim_start();
        number.starts_with(in_number) || (number.is_empty() && text.ends_with('x'))
    };
    match text.match_indices(['x', 'i']).map(|(at, _)| at).find(begins) {
        Some(at) => (text[..at].trim_end(), Some(&text[at..])),
        None => (text, None),
    }
}

fn read_rate(modifier: &str) -> Read<Rate> {
    let Some(factor) = modifier.strip_prefix('x') else {
        return Err(Refusal::new(
            format_args!("'{modifier}', a clock that advances with each call, is not supported"),
            "write a rate, as in x2, or 'x0' for a clock that stands still: here every clock is a function of true \
             time, so that all of a node's processes agree",
        ));
    };
    let (sign, number) = decimal::split_sign(factor);
    let (number, rest) = decimal::split_number(number);
    if number.is_empty() || !rest.is_empty() {
        return Err(Refusal::new(
            format_args!("'{modifier}' is not an x and a number"),
            "write one rate, at the end, as in x2 or x0.5",
        ));
    }
    // `+` says nothing behind an x, where no deviation can be meant.
    rate::factor(sign.filter(|&sign| sign == '-'), number)
}

fn read_start(place: &str) -> Read<Start> {
    if place.is_empty() {
        return Ok(Start::True);
    }
    if place.starts_with(['+', '-']) {
        return read_offset(place).map(Start::Offset);
    }
    if let Some(date) = place.strip_prefix('@') {
        return civil::read_local(date).map(Start::At);
    }
    if Decimal::parse(decimal::split_number(place).0).is_ok() && !place.contains(['-', ':']) {
        return Err(Refusal::new(
            format_args!("'{place}' has no sign, and only with one is it an offset"),
            format_args!("write +{place} or -{place}"),
        ));
    }
    civil::read_local(place).map(Start::Stopped)
}

/// Reads `-15d`, `+1.5h`, `+120`.
fn read_offset(text: &str) -> Read<Span> {
    let (sign, rest) = decimal::split_sign(text);
    let (number, unit) = decimal::split_number(rest);
    if number.is_empty() {
        let why = format!("'{text}' has no number after its sign");
        return Err(Refusal::new(why, EXAMPLES));
    }
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "y" => 365 * 86_400,
        _ => return Err(misread(text, sign, number, unit)),
    };
    let nanos = Decimal::parse(number).and_then(|value| value.times(seconds * 1_000_000_000));
    let nanos = nanos.map_err(|error| span::explain(error, text))?;
    span::signed(sign, nanos).ok_or_else(|| span::out_of_range(text))
}

/// Refuses what libfaketime takes for something else: it reads the first number, and looks for the letters m, h, d
/// and y, in this order, anywhere in the text.
fn misread(text: &str, sign: Option<char>, number: &str, unit: &str) -> Refusal {
    let letters = [('m', "minutes"), ('h', "hours"), ('d', "days"), ('y', "years")];
    let found = letters.iter().find(|(letter, _)| unit.contains(*letter));
    let taken = found.map_or("seconds", |(_, name)| *name);
    let sign = sign.map(String::from).unwrap_or_default();
    let reading = format!("libfaketime itself reads it as {sign}{number} {taken}, silently");
    if !unit.contains(decimal::is_number_char) {
        return Refusal::new(
            format_args!("'{unit}' is not a unit of FAKETIME; {reading}"),
            "write s m h d or y (365 days): 500ms is 0.5s, a week is 7d",
        );
    }
    let why = format!("'{text}' has more than one number, and FAKETIME has one; {reading}");
    match super::parse_span(text) {
        Ok(whole) => {
            let seconds = decimal::print(i128::from(whole.as_nanos()), 9);
            let sign = if whole.is_negative() { "" } else { "+" };
            let remedy = format!("write {sign}{seconds}s; outside of FAKETIME {text} is a span as it stands");
            Refusal::new(why, remedy)
        }
        Err(_) => Refusal::new(why, "write one number with one of the units s m h d y"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Local, TimeZone};
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400;

    fn accepted(text: &str) -> (Start, Option<Rate>) {
        let Faketime { start, rate } = parse_faketime(text).unwrap();
        (start, rate)
    }

    fn refused(text: &str) -> String {
        parse_faketime(text).unwrap_err().to_string()
    }

    fn christmas() -> NodeInstant {
        let local = Local.with_ymd_and_hms(2020, 12, 24, 20, 30, 0).unwrap();
        NodeInstant::from_nanos(local.timestamp_nanos_opt().unwrap())
    }

    #[test]
    fn offsets_are_read_as_libfaketime_reads_them() {
        for (text, nanos) in [
            ("-15d", -15 * DAY * 1_000_000_000),
            ("+120", 120_000_000_000),
            ("-120s", -120_000_000_000),
            ("+1.5h", 5_400_000_000_000),
            ("+1y", 365 * DAY * 1_000_000_000),
            ("+.5", 500_000_000),
            ("+0", 0),
            (" +0\n", 0),
        ] {
            let start = Start::Offset(Span::from_nanos(nanos));
            assert_eq!(accepted(text), (start, None), "{text}");
        }
    }

    #[test]
    fn dates_run_on_with_an_at_and_stand_still_without() {
        let half = NodeInstant::from_nanos(christmas().as_nanos() + 500_000_000);
        for (text, start) in [
            ("@2020-12-24 20:30:00", Start::At(christmas())),
            ("@2020-12-24 20:30:00.5", Start::At(half)),
            ("2020-12-24 20:30:00", Start::Stopped(christmas())),
        ] {
            assert_eq!(accepted(text), (start, None), "{text}");
        }
    }

    #[test]
    fn rates_follow_an_offset_or_a_start() {
        let (double, half) = (Rate::from_parts(1 << 32), Rate::from_parts(-(1 << 31)));
        let year = Start::Offset(Span::from_secs(365 * DAY));
        for (text, start, rate) in [
            ("+1y x2", year, double),
            ("+1y x0.5", year, half),
            ("+1yx2", year, double),
            ("+1y x+2", year, double),
            ("+0 x1", Start::Offset(Span::ZERO), Rate::TRUE),
            ("@2020-12-24 20:30:00 x2", Start::At(christmas()), double),
            ("x2", Start::True, double),
            ("x0", Start::True, Rate::STANDSTILL),
        ] {
            assert_eq!(accepted(text), (start, Some(rate)), "{text}");
        }
    }

    #[test]
    fn refusals_say_what_is_wrong_and_what_libfaketime_makes_of_it() {
        for (text, why) in [
            ("", "it is empty"),
            ("%", "FAKETIME_FOLLOW_FILE"),
            ("+1y i2.0", "'i2.0', a clock that advances with each call"),
            ("i2", "advances with each call"),
            ("-1h30m", "libfaketime itself reads it as -1 minutes, silently"),
            ("-1h30m", "write -5400s; outside of FAKETIME -1h30m is a span"),
            ("+1y2d", "reads it as +1 days, silently"),
            ("+500ms", "reads it as +500 minutes, silently"),
            ("+2w", "reads it as +2 seconds, silently"),
            ("+1 d", "' d' is not a unit"),
            ("120", "write +120 or -120"),
            ("15d", "write +15d or -15d"),
            ("+", "no number after its sign"),
            ("+1,5h", "write a point: 1.5"),
            ("+1y x0,5", "write a point: 0.5"),
            ("+1y x", "'x' is not an x and a number"),
            ("+1y x2 i3", "'x2 i3' is not an x and a number"),
            ("+1y x-1", "a clock never runs backward"),
            ("+0 x1001", "the fastest rate is 1000x"),
            ("2020-12-24 20:30:00 x2", "write '@2020-12-24 20:30:00 x2'"),
            ("@1700000000", "not a date of the form"),
            ("@2020-12-24T20:30:00", "not a date of the form"),
            ("@2020-12-24 20:30:00Z", "not a date of the form"),
            ("2020-02-30 20:30:00", "not a day of the calendar"),
            ("@2400-01-01 00:00:00", "out of range"),
            ("last friday 5 pm", "not a date of the form"),
            ("+0.0000000001", "not a whole number of nanoseconds"),
            ("+300y", "\u{b1}292 years"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }

    proptest! {
        #[test]
        fn any_offset_and_rate_are_read_back(
            nanos in any::<i64>(), parts in Rate::STANDSTILL.as_parts()..=Rate::MAX.as_parts(),
        ) {
            let rate = Rate::from_parts(parts);
            let (offset, factor) = (decimal::print(i128::from(nanos), 9), parts + (1 << 32));
            // Cut to ten decimals it is off by less than half a part, so it is read back as the same.
            let factor = decimal::print((i128::from(factor) * 10_i128.pow(10)) >> 32, 10);
            let plus = if nanos < 0 { "" } else { "+" };
            let read = accepted(&format!("{plus}{offset} x{factor}"));
            prop_assert_eq!(read, (Start::Offset(Span::from_nanos(nanos)), Some(rate)));
        }

        #[test]
        fn no_text_panics(text in "[-+@%]?[0-9.,]{0,12}[smhdyxi ]{0,3}[0-9.,]{0,6}|.{0,24}") {
            let _ = parse_faketime(&text);
        }
    }
}
