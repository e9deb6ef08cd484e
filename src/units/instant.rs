//! Instants of a node's wall clock: `2026-11-23T12:00:00Z`, `2026-11-23 12:00:00`, `@1700000000.25`.
//!
//! The first is RFC 3339, with an offset and decimals; the second is in the caller's zone; `@` is Unix time, as
//! `date -d` has it.
//!
//! What must hold: what is ambiguous, finer than a nanosecond, or more than 64-bit nanoseconds can hold is refused;
//! [`format_instant`] prints what [`parse_instant`] reads back.

use chrono::{DateTime, SecondsFormat};
use falseticker_page::time::{NANOS_PER_SEC, NodeInstant};

use super::civil;
use super::decimal::{self, Decimal, NumberError};
use super::{Read, Refusal};
use crate::error::Result;

const RANGE: &str = "1677-09-21T00:12:43Z .. 2262-04-11T23:47:16Z";
pub(super) const EXAMPLES: &str =
    "write 2026-11-23T12:00:00Z, \"2026-11-23 12:00:00\" (in your own zone) or @1700000000";

/// Reads an instant.
pub fn parse_instant(text: &str) -> Result<NodeInstant> {
    let instant = match text.strip_prefix('@') {
        Some(unix) => read_unix(unix),
        None => civil::read(text),
    };
    instant.map_err(|refusal| refusal.of(format_args!("read the instant '{text}'")))
}

/// Prints an instant in UTC, with as many decimals as it needs (none, 3, 6 or 9).
pub fn format_instant(instant: NodeInstant) -> String {
    DateTime::from_timestamp_nanos(instant.as_nanos()).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn read_unix(text: &str) -> Read<NodeInstant> {
    let (sign, number) = decimal::split_sign(text);
    let nanos = nanoseconds(number)?;
    in_range(if sign == Some('-') { -nanos } else { nanos })
}

/// Nanoseconds from a decimal number of seconds.
pub(super) fn nanoseconds(number: &str) -> Read<i128> {
    Decimal::parse(number).and_then(|value| value.times(i128::from(NANOS_PER_SEC))).map_err(|error| {
        match error {
            NumberError::Malformed(refusal) => Refusal::new(refusal.why, EXAMPLES),
            NumberError::TooLarge => out_of_range(),
            NumberError::TooFine => Refusal::new("it is finer than a nanosecond", "write at most 9 decimals"),
        }
    })
}

pub(super) fn in_range(nanos: i128) -> Read<NodeInstant> {
    i64::try_from(nanos).map(NodeInstant::from_nanos).map_err(|_| out_of_range())
}

pub(super) fn out_of_range() -> Refusal {
    Refusal::new(
        "it is out of range: an instant is a 64-bit number of nanoseconds since 1970",
        format_args!("write an instant of {RANGE}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = NANOS_PER_SEC;

    fn nanos(text: &str) -> i64 {
        parse_instant(text).unwrap().as_nanos()
    }

    fn refused(text: &str) -> String {
        parse_instant(text).unwrap_err().to_string()
    }

    #[test]
    fn instants_are_read_exactly() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-23T12:00:00Z", 1_795_435_200 * SECOND),
            ("2026-11-23t12:00:00z", 1_795_435_200 * SECOND),
            ("2026-11-23 13:30:00+01:30", 1_795_435_200 * SECOND),
            ("2026-11-23T04:00:00-08:00", 1_795_435_200 * SECOND),
            ("2026-11-23T12:00:00.000000001Z", 1_795_435_200 * SECOND + 1),
            ("1969-12-31T23:59:59.75Z", -250_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800 * SECOND),
            ("@1700000000", 1_700_000_000 * SECOND),
            ("@1700000000.25", 1_700_000_000 * SECOND + 250_000_000),
            ("@-1.5", -1_500_000_000),
            ("@0", 0),
            ("1677-09-21T00:12:43.145224192Z", i64::MIN),
            ("2262-04-11T23:47:16.854775807Z", i64::MAX),
        ] {
            assert_eq!(nanos(text), expected, "{text}");
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (text, why) in [
            ("", "it is empty"),
            ("@", "'' is not a number"),
            ("@now", "'now' is not a number"),
            ("@0.0000000001", "finer than a nanosecond"),
            ("@9223372037", RANGE),
            ("@99999999999999999999", RANGE),
            ("1677-09-21T00:12:43.145224191Z", RANGE),
            ("2262-04-11T23:47:16.854775808Z", RANGE),
            ("9999-12-31T23:59:59-23:59", RANGE),
            ("0000-01-01 00:00:00", RANGE),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn instants_are_printed_with_the_decimals_they_need() {
        for (nanos, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (250_000_000, "1970-01-01T00:00:00.250Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
        ] {
            assert_eq!(format_instant(NodeInstant::from_nanos(nanos)), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(nanos in any::<i64>(), step in 0_u32..=9) {
            let step = 10_i64.pow(step);
            let instant = NodeInstant::from_nanos(nanos / step * step);
            prop_assert_eq!(parse_instant(&format_instant(instant)).unwrap(), instant);
        }

        #[test]
        fn no_text_panics(text in "@?[-+]?[0-9.]{0,24}|[0-9]{4}-[01][0-9]-[0-3][0-9][ T].{0,14}|.{0,24}") {
            if let Ok(instant) = parse_instant(&text) {
                prop_assert_eq!(parse_instant(&format_instant(instant)).unwrap(), instant);
            }
        }
    }
}
