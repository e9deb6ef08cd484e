//! Spans: `-1h30m`, `+250ms`, `1.5s`, `2d`.
//!
//! The syntax is that of Go's `time.ParseDuration` with days: an optional sign, then pairs of number and unit, from
//! large to small, each unit at most once. `m` is minutes, `ms` milliseconds.
//!
//! What must hold: a bare number is refused, since tools disagree whether it is seconds or milliseconds; so is all
//! that a count of nanoseconds in 64 bits cannot hold exactly; [`format_span`] prints what [`parse_span`] reads back.

use crate::error::Result;
use falseticker_page::time::Span;

use super::decimal::{self, Decimal, NumberError};
use super::{Read, Refusal};

/// The units, from large to small, in nanoseconds. The first name of a unit is the one that is printed.
const UNITS: [(&[&str], i128); 7] = [
    (&["d"], 86_400_000_000_000),
    (&["h"], 3_600_000_000_000),
    (&["m"], 60_000_000_000),
    (&["s"], 1_000_000_000),
    (&["ms"], 1_000_000),
    // In ASCII, with the micro sign, with the Greek letter.
    (&["us", "\u{b5}s", "\u{3bc}s"], 1_000),
    (&["ns"], 1),
];

const EXAMPLES: &str = "write number and unit, as in -1h30m, 250ms or 1.5s; \
                        the units are ns us ms s m (minutes) h d";

/// Reads a span.
pub fn parse_span(text: &str) -> Result<Span> {
    read(text).map_err(|refusal| refusal.of(format_args!("read the span '{text}'")))
}

fn read(text: &str) -> Read<Span> {
    let (sign, mut rest) = decimal::split_sign(text);
    if rest.is_empty() {
        return Err(Refusal::new(
            if sign.is_some() { "it is a sign alone" } else { "it is empty" },
            EXAMPLES,
        ));
    }
    if rest.contains(char::is_whitespace) {
        let joined: String = text.split_whitespace().collect();
        return Err(Refusal::new(
            "a span has no spaces in it",
            format_args!("write it in one word: {joined}"),
        ));
    }
    if rest.contains(['+', '-']) {
        return Err(Refusal::new("a span has one sign, in front of all of it", EXAMPLES));
    }
    let mut total: i128 = 0;
    let mut last_unit = i128::MAX;
    while !rest.is_empty() {
        let (number, after) = decimal::split_number(rest);
        let (unit, next) = after.split_at(after.find(decimal::is_number_char).unwrap_or(after.len()));
        if number.is_empty() {
            return Err(Refusal::new(format_args!("'{unit}' has no number in front of it"), EXAMPLES));
        }
        let pair = &rest[..number.len() + unit.len()];
        let value = Decimal::parse(number).map_err(|error| explain(error, pair))?;
        let unit_nanos = unit_nanos(number, unit)?;
        if unit_nanos >= last_unit {
            return Err(Refusal::new(
                format_args!("'{pair}' follows a unit that is no larger"),
                "write the units from large to small, each once, as in 1d2h3m",
            ));
        }
        let nanos = value.times(unit_nanos).map_err(|error| explain(error, pair))?;
        total = total.checked_add(nanos).ok_or_else(|| out_of_range(text))?;
        last_unit = unit_nanos;
        rest = next;
    }
    signed(sign, total).ok_or_else(|| out_of_range(text))
}

/// A length with its sign; `None` if 64 bits cannot hold it.
pub(super) fn signed(sign: Option<char>, nanos: i128) -> Option<Span> {
    let nanos = if sign == Some('-') { -nanos } else { nanos };
    i64::try_from(nanos).ok().map(Span::from_nanos)
}

/// What is wrong with a number of some unit, in terms of spans.
pub(super) fn explain(error: NumberError, pair: &str) -> Refusal {
    match error {
        NumberError::Malformed(refusal) => refusal,
        NumberError::TooLarge => out_of_range(pair),
        NumberError::TooFine => Refusal::new(
            format_args!("'{pair}' is not a whole number of nanoseconds"),
            "write it with fewer decimals, or in a smaller unit; the smallest is ns",
        ),
    }
}

/// A span that 64 bits cannot hold.
pub(super) fn out_of_range(text: &str) -> Refusal {
    Refusal::new(
        format_args!("'{text}' is out of range: a span is a 64-bit number of nanoseconds, \u{b1}292 years"),
        "write a span of at most 106751d",
    )
}

fn unit_nanos(number: &str, unit: &str) -> Read<i128> {
    if let Some((_, nanos)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) {
        return Ok(*nanos);
    }
    let why = match unit {
        "" => format!("'{number}' has no unit; the units are ns us ms s m (minutes) h d"),
        _ => format!("'{unit}' is not a unit; the units are ns us ms s m (minutes) h d"),
    };
    let instead = match unit.to_lowercase().as_str() {
        "" => return Err(Refusal::new(why, format_args!("write {number}s or {number}ms"))),
        "nsec" | "nanosecond" | "nanoseconds" => "ns",
        "usec" | "microsecond" | "microseconds" => "us",
        "msec" | "millis" | "millisecond" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "week" | "weeks" => return Err(Refusal::new(why, "write a week as 7d")),
        "y" | "year" | "years" => return Err(Refusal::new(why, "write a year as 365d, or as 366d")),
        _ => return Err(Refusal::new(why, EXAMPLES)),
    };
    Err(Refusal::new(why, format_args!("write {number}{instead}")))
}

/// Prints a span in as few parts as stay readable: `-1h30m`, `250ms`, `1.5s`, `0s`.
pub fn format_span(span: Span) -> String {
    let mut left = i128::from(span.unsigned_nanos());
    let mut text = String::from(if span.is_negative() { "-" } else { "" });
    if left == 0 {
        return "0s".to_owned();
    }
    for (scale, (names, unit)) in [0, 0, 0, 9, 6, 3, 0].into_iter().zip(UNITS) {
        if left < unit {
            continue;
        }
        // From the seconds on, the first unit that fits takes what is left, as its decimals.
        if unit <= 1_000_000_000 {
            text += &decimal::print(left, scale);
            text += names[0];
            break;
        }
        text += &(left / unit).to_string();
        text += names[0];
        left %= unit;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos(text: &str) -> i64 {
        parse_span(text).unwrap().as_nanos()
    }

    fn refused(text: &str) -> String {
        parse_span(text).unwrap_err().to_string()
    }

    #[test]
    fn spans_are_read_exactly() {
        for (text, expected) in [
            ("-1h30m", -5_400_000_000_000),
            ("+250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            ("2d", 172_800_000_000_000),
            ("1d2h3m4s5ms6us7ns", 93_784_005_006_007),
            ("7\u{b5}s", 7_000),
            ("7\u{3bc}s", 7_000),
            (".5s", 500_000_000),
            ("1.000000001s", 1_000_000_001),
            ("1.5h30m", 7_200_000_000_000),
            ("-0s", 0),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("0.0000000000003125d", 27),
        ] {
            assert_eq!(nanos(text), expected, "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_refused_with_both_readings() {
        let error = refused("100");
        assert!(error.starts_with("cannot read the span '100': '100' has no unit"), "{error}");
        assert!(error.ends_with("help: write 100s or 100ms"), "{error}");
        assert!(refused("1h30").contains("write 30s or 30ms"));
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (text, why) in [
            ("", "it is empty"),
            ("-", "a sign alone"),
            ("h", "'h' has no number"),
            ("1h 30m", "write it in one word: 1h30m"),
            ("1h-30m", "one sign"),
            ("--1h", "one sign"),
            ("1w", "a week as 7d"),
            ("1y", "a year as 365d"),
            ("5min", "write 5m"),
            ("5M", "write 5m"),
            ("5parsecs", "'parsecs' is not a unit"),
            ("30m1h", "from large to small"),
            ("1h1h", "from large to small"),
            ("1,5s", "write a point: 1.5"),
            ("1.s", "'1.' is not a number"),
            ("1e3s", "'e' is not a unit"),
            ("0.5ns", "not a whole number of nanoseconds"),
            ("1.0000000001s", "not a whole number of nanoseconds"),
            ("300000d", "\u{b1}292 years"),
            ("9223372036854775808ns", "\u{b1}292 years"),
            ("-9223372036854775809ns", "\u{b1}292 years"),
            ("99999999999999999999999999d", "\u{b1}292 years"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn spans_are_printed_for_people() {
        for (expected, nanos) in [
            ("0s", 0),
            ("-1h30m", -5_400_000_000_000),
            ("250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            ("1.5us", 1_500),
            ("1d", 86_400_000_000_000),
            ("1m", 60_000_000_000),
            ("1m250ms", 60_250_000_000),
            ("7ns", 7),
            ("106751d23h47m16.854775807s", i64::MAX),
            ("-106751d23h47m16.854775808s", i64::MIN),
        ] {
            assert_eq!(format_span(Span::from_nanos(nanos)), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(nanos in any::<i64>(), shift in 0_u32..64) {
            let span = Span::from_nanos(nanos >> shift);
            prop_assert_eq!(parse_span(&format_span(span)).unwrap(), span);
        }

        #[test]
        fn no_text_panics(text in "[-+]?[0-9.,dhmsnu\u{b5} ]{0,24}|.{0,12}") {
            if let Ok(span) = parse_span(&text) {
                prop_assert_eq!(parse_span(&format_span(span)).unwrap(), span);
            }
        }
    }
}
