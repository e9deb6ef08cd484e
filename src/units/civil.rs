//! Date and time of day: of an offset from UTC where one follows (RFC 3339), else of the caller's zone.
//!
//! What must hold: the shape is strict, no field is optional but the decimals; a local time that the clocks of its
//! zone skipped or showed twice is refused, not guessed, and so are leap seconds, which Unix time cannot show.

use chrono::{
    DateTime, FixedOffset, Local, MappedLocalTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeZone,
};
use falseticker_page::time::{NANOS_PER_SEC, NodeInstant};

use super::decimal::{self, Decimal};
use super::instant::{EXAMPLES, in_range, nanoseconds, out_of_range};
use super::{Read, Refusal};

/// `d` is a digit, `s` what separates date and time; the rest stands for itself.
const SHAPE: &[u8] = b"dddd-dd-ddsdd:dd:dd";

/// Reads date and time, of the offset that follows or else of the caller's zone.
pub(super) fn read(text: &str) -> Read<NodeInstant> {
    let (civil, zone) = split_civil(text)?;
    if zone.is_empty() {
        return resolve(civil, Local.from_local_datetime(&civil));
    }
    let offset = read_offset(zone)?;
    // An offset of its own is never ambiguous; at the ends of the calendar it leads out of range.
    let time = offset.from_local_datetime(&civil).single().ok_or_else(out_of_range)?;
    instant_of(&time)
}

/// Reads `2020-12-24 20:30:00[.5]` in the caller's zone and nothing else: libfaketime's only form of a date.
pub(super) fn read_local(text: &str) -> Read<NodeInstant> {
    match split_civil(text) {
        Ok((civil, "")) if text.as_bytes().get(10) == Some(&b' ') => {
            resolve(civil, Local.from_local_datetime(&civil))
        }
        Err(refusal) if has_shape(text) => Err(refusal),
        _ => Err(Refusal::new(
            format_args!("'{text}' is not a date of the form YYYY-MM-DD hh:mm:ss"),
            "write the date as in \"2020-12-24 20:30:00\", in your own zone",
        )),
    }
}

fn has_shape(text: &str) -> bool {
    text.len() >= SHAPE.len()
        && SHAPE.iter().zip(text.bytes()).all(|(expected, byte)| match expected {
            b'd' => byte.is_ascii_digit(),
            b's' => matches!(byte, b'T' | b't' | b' '),
            _ => byte == *expected,
        })
}

/// Date and time, and whatever follows their decimals.
fn split_civil(text: &str) -> Read<(NaiveDateTime, &str)> {
    if !has_shape(text) {
        return Err(wrong_shape(text));
    }
    // The shape is ASCII, and digits where they are parsed.
    let field = |from: usize, to: usize| text[from..to].parse::<u32>().unwrap_or(u32::MAX);
    let (decimals, zone) = decimal::split_number(&text[SHAPE.len()..]);
    let nanos = match decimals {
        "" => 0,
        _ if decimals.starts_with('.') => nanoseconds(decimals)?,
        _ => {
            return Err(Refusal::new(format_args!("'{decimals}' follows the seconds"), EXAMPLES));
        }
    };
    let nanos = u32::try_from(nanos).map_err(|_| out_of_range())?;
    let (hour, minute, second) = (field(11, 13), field(14, 16), field(17, 19));
    if second == 60 {
        return Err(Refusal::new(
            "Unix time has no leap seconds, so that no clock can show one",
            "write the second before it (:59) or after it (:00 of the next minute)",
        ));
    }
    let year = i32::try_from(field(0, 4)).map_err(|_| out_of_range())?;
    let date = NaiveDate::from_ymd_opt(year, field(5, 7), field(8, 10)).ok_or_else(|| {
        Refusal::new(format_args!("{} is not a day of the calendar", &text[..10]), "correct the date")
    })?;
    let civil = date.and_hms_nano_opt(hour, minute, second, nanos).ok_or_else(|| {
        Refusal::new(
            format_args!("{} is not a time of day", &text[11..19]),
            "correct the time: 00:00:00 .. 23:59:59",
        )
    })?;
    Ok((civil, zone))
}

fn wrong_shape(text: &str) -> Refusal {
    if text.is_empty() {
        return Refusal::new("it is empty", EXAMPLES);
    }
    if Decimal::parse(decimal::split_sign(text).1).is_ok() {
        return Refusal::new("it is a bare number", format_args!("write @{text} for Unix time"));
    }
    if text.len() == 10 && has_shape(&format!("{text}T00:00:00")) {
        return Refusal::new("it is a date without a time of day", format_args!("write \"{text} 00:00:00\""));
    }
    Refusal::new("it is not date and time", EXAMPLES)
}

/// Reads `Z`, `+01:00`, `-08:30`.
fn read_offset(zone: &str) -> Read<FixedOffset> {
    let offset = match zone.as_bytes() {
        b"Z" | b"z" => FixedOffset::east_opt(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let two = |tens: u8, ones: u8| {
                let number = i32::from(tens.wrapping_sub(b'0')) * 10 + i32::from(ones.wrapping_sub(b'0'));
                (tens.is_ascii_digit() && ones.is_ascii_digit()).then_some(number)
            };
            match (two(*h1, *h2), two(*m1, *m2)) {
                (Some(hours @ 0..24), Some(minutes @ 0..60)) => {
                    let seconds = hours * 3600 + minutes * 60;
                    FixedOffset::east_opt(if *sign == b'-' { -seconds } else { seconds })
                }
                _ => None,
            }
        }
        _ => None,
    };
    offset.ok_or_else(|| {
        Refusal::new(
            format_args!("'{zone}' is not an offset from UTC"),
            "write Z for UTC, an offset as in +01:00, or nothing for your own zone",
        )
    })
}

/// The instant of a local time, if there is exactly one.
fn resolve<Z: TimeZone>(civil: NaiveDateTime, mapped: MappedLocalTime<DateTime<Z>>) -> Read<NodeInstant> {
    match mapped {
        MappedLocalTime::Single(time) => instant_of(&time),
        MappedLocalTime::Ambiguous(first, second) => {
            // chrono gives them in either order.
            let (first, second) = if first < second { (first, second) } else { (second, first) };
            let [first, second] =
                [first, second].map(|time| time.fixed_offset().to_rfc3339_opts(SecondsFormat::AutoSi, true));
            Err(Refusal::new(
                "your zone's clocks showed this time twice, when they were set back",
                format_args!("write it in RFC 3339 with an offset: {first} or {second}"),
            ))
        }
        MappedLocalTime::None => Err(Refusal::new(
            "your zone's clocks never showed this time: they were set forward over it",
            format_args!(
                "write it in RFC 3339 with an offset, as in {}Z for UTC",
                civil.format("%Y-%m-%dT%H:%M:%S%.f")
            ),
        )),
    }
}

fn instant_of<Z: TimeZone>(time: &DateTime<Z>) -> Read<NodeInstant> {
    let seconds = i128::from(time.timestamp()) * i128::from(NANOS_PER_SEC);
    in_range(seconds + i128::from(time.timestamp_subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const NOON: i64 = 1_795_435_200 * NANOS_PER_SEC;

    fn nanos(text: &str) -> i64 {
        read(text).unwrap().as_nanos()
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err().of("read it").to_string()
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (text, why) in [
            ("tomorrow", "it is not date and time"),
            ("1700000000", "write @1700000000"),
            ("2026-11-23", "write \"2026-11-23 00:00:00\""),
            ("2026-11-23T12:00Z", "it is not date and time"),
            ("2026-1-3 12:00:00", "it is not date and time"),
            ("+2026-11-23T12:00:00Z", "it is not date and time"),
            ("2026-02-30T00:00:00Z", "2026-02-30 is not a day"),
            ("2026-11-23T24:00:00Z", "24:00:00 is not a time of day"),
            ("2016-12-31T23:59:60Z", "no leap seconds"),
            ("2026-11-23T12:00:00.Z", "'.' is not a number"),
            ("2026-11-23T12:00:000Z", "'0' follows the seconds"),
            ("2026-11-23T12:00:00.0000000001Z", "finer than a nanosecond"),
            ("2026-11-23T12:00:00+1", "'+1' is not an offset"),
            ("2026-11-23T12:00:00+24:00", "'+24:00' is not an offset"),
            ("2026-11-23T12:00:00 UTC", "' UTC' is not an offset"),
            ("2026-11-23T12:00:00\u{661}", "is not an offset"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }

    const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    /// Runs itself again in a zone of its own, since a process cannot change its TZ safely.
    #[test]
    fn local_times_are_of_the_callers_zone() {
        if std::env::var("TZ").is_ok_and(|zone| zone == ZONE) {
            return in_central_europe();
        }
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "units::civil::tests::local_times_are_of_the_callers_zone"])
            .env("TZ", ZONE)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
    }

    fn in_central_europe() {
        assert_eq!(nanos("2026-11-23 13:00:00"), NOON);
        assert_eq!(nanos("2026-11-23T13:00:00.5"), NOON + 500_000_000);
        assert_eq!(nanos("2026-07-01 02:00:00"), nanos("2026-07-01T00:00:00Z"));
        let twice = refused("2026-10-25 02:30:00");
        assert!(twice.contains("2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"), "{twice}");
        let never = refused("2026-03-29 02:30:00");
        assert!(never.contains("never showed") && never.contains("2026-03-29T02:30:00Z"), "{never}");
        assert!(read_local("2026-10-25 02:30:00").is_err());
    }
}
