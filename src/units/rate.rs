//! Rates: `200ppm`, `-5%`, `0.5x`, `2x`, `0x`.
//!
//! `ppm` and `%` are deviations from the host's rate and take a sign; `x` is a factor of it and takes none, since
//! `+0.5x` could as well mean 1.5x. `1x`, `0ppm` and `0%` are the host's own rate.
//!
//! What must hold: a rate is rounded to the nearest part of 2^32 (0.00023ppm), with exact arithmetic, but never to
//! the host's own rate or to standstill when it is neither: what looks like a fault would be none. A rate below
//! standstill or beyond [`Rate::MAX`] is refused before it is rounded. [`format_rate`] prints what [`parse_rate`]
//! reads back, for every valid rate.

use crate::error::Result;
use falseticker_page::time::Rate;

use super::decimal::{self, Decimal, NumberError};
use super::{Read, Refusal};

/// The parts of the host's own rate.
const ONE: i128 = 1 << 32;
const PPM: i128 = 1_000_000;
const PERCENT: i128 = 100;
/// More decimals than any rate needs: a part is more than 10^-10 x, and more than 10^-4 ppm.
const MAX_DECIMALS: u32 = 10;

const RANGE: &str = "write a rate between 0x and 1000x";
const EXAMPLES: &str =
    "write 200ppm or -5% for a deviation from true, or 0.5x, 2x or 0x (standstill) for a factor";

/// Reads a rate.
pub fn parse_rate(text: &str) -> Result<Rate> {
    read(text).map_err(|refusal| refusal.of(format_args!("read the rate '{text}'")))
}

fn read(text: &str) -> Read<Rate> {
    let (sign, rest) = decimal::split_sign(text);
    let (number, unit) = decimal::split_number(rest);
    if number.is_empty() {
        return Err(match rest.strip_prefix('x') {
            Some(factor) if Decimal::parse(factor).is_ok() => {
                Refusal::new("the x follows the number", format_args!("write {factor}x"))
            }
            _ if text.is_empty() => Refusal::new("it is empty", EXAMPLES),
            _ => Refusal::new("it does not begin with a number", EXAMPLES),
        });
    }
    match unit {
        "ppm" => deviation(sign, number, PPM),
        "%" => deviation(sign, number, PERCENT),
        "x" => factor(sign, number),
        "" => {
            let why = format!("'{number}' has no unit; the units are ppm % x");
            Err(Refusal::new(why, format_args!("write {number}ppm, {number}% or {number}x")))
        }
        _ => {
            let why = format!("'{unit}' is not a unit; the units are ppm % x");
            Err(Refusal::new(why, EXAMPLES))
        }
    }
}

fn deviation(sign: Option<char>, number: &str, unit: i128) -> Read<Rate> {
    let (sign, beyond): (i128, fn() -> Refusal) = match sign {
        Some('-') => (-1, backward),
        _ => (1, too_fast),
    };
    let Decimal { digits, scale } = Decimal::parse(number).map_err(|error| explain(error, beyond))?;
    let parts = digits.checked_mul(sign * ONE).ok_or_else(beyond)?;
    nearest(parts, 10_i128.pow(scale) * unit)
}

/// Reads the number of a factor, `2` of `2x`.
pub(super) fn factor(sign: Option<char>, number: &str) -> Read<Rate> {
    match sign {
        Some('-') => return Err(backward()),
        Some(_) => {
            let why = format!("with its sign '+{number}x' could mean {number}x, or {number}x above true");
            let remedy = format!("write {number}x without a sign, or a deviation, as in +5%");
            return Err(Refusal::new(why, remedy));
        }
        None => {}
    }
    let Decimal { digits, scale } = Decimal::parse(number).map_err(|error| explain(error, too_fast))?;
    let divisor = 10_i128.pow(scale);
    nearest((digits - divisor).checked_mul(ONE).ok_or_else(too_fast)?, divisor)
}

/// The rate of `parts / divisor`, rounded once it is known to be in range.
fn nearest(parts: i128, divisor: i128) -> Read<Rate> {
    let [slowest, fastest] = [Rate::STANDSTILL, Rate::MAX].map(|rate| i128::from(rate.as_parts()));
    if parts < slowest * divisor {
        return Err(backward());
    }
    if parts > fastest * divisor {
        return Err(too_fast());
    }
    let rounded = decimal::round(parts, divisor);
    for (special, name) in [(0, "the host's own rate, 1x"), (slowest, "standstill, 0x")] {
        if rounded == special && rounded * divisor != parts {
            let why = format!("it cannot be told from {name}: rates are held in steps of 0.00023ppm");
            return Err(Refusal::new(why, "write a rate that differs by 0.00023ppm or more"));
        }
    }
    i64::try_from(rounded).map(Rate::from_parts).map_err(|_| too_fast())
}

fn backward() -> Refusal {
    Refusal::new("a clock never runs backward: the slowest rate is 0x", RANGE)
}

fn too_fast() -> Refusal {
    Refusal::new("the fastest rate is 1000x", RANGE)
}

/// What is wrong with a number, in terms of rates; `beyond` is what it means to be too large.
fn explain(error: NumberError, beyond: fn() -> Refusal) -> Refusal {
    match error {
        NumberError::Malformed(refusal) => refusal,
        NumberError::TooLarge => beyond(),
        NumberError::TooFine => Refusal::new("it has more than 18 decimals", "write fewer decimals"),
    }
}

/// Prints a rate with as few decimals as tell it from its neighbours: in ppm within 1 % of the host's rate
/// (`200ppm`), as a factor otherwise (`0.5x`), and the host's own rate as `1x`.
pub fn format_rate(rate: Rate) -> String {
    let parts = i128::from(rate.as_parts());
    if parts != 0 && parts.abs() * 100 <= ONE {
        shortest(parts, PPM) + "ppm"
    } else {
        shortest(parts + ONE, 1) + "x"
    }
}

/// `parts / 2^32` in units of `1 / unit`, with the fewest decimals that round to the same parts again.
fn shortest(parts: i128, unit: i128) -> String {
    for scale in 0..MAX_DECIMALS {
        let value = decimal::round(parts * unit * 10_i128.pow(scale), ONE);
        if decimal::round(value * ONE, unit * 10_i128.pow(scale)) == parts {
            return decimal::print(value, scale);
        }
    }
    decimal::print(decimal::round(parts * unit * 10_i128.pow(MAX_DECIMALS), ONE), MAX_DECIMALS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> i64 {
        parse_rate(text).unwrap().as_parts()
    }

    fn refused(text: &str) -> String {
        parse_rate(text).unwrap_err().to_string()
    }

    #[test]
    fn rates_are_read_to_the_nearest_part() {
        for (text, expected) in [
            ("2x", 1 << 32),
            ("0.5x", -(1 << 31)),
            ("0x", -(1 << 32)),
            ("1x", 0),
            ("0ppm", 0),
            ("-0%", 0),
            ("1000x", 999 << 32),
            ("99900%", 999 << 32),
            ("-100%", -(1 << 32)),
            ("-1000000ppm", -(1 << 32)),
            ("+50%", 1 << 31),
            ("200ppm", 858_993),   // 858993.4592
            ("-200ppm", -858_993), // -858993.4592
            ("-5%", -214_748_365), // -214748364.8
            ("0.001ppm", 4),       // 4.29
            ("0.00025ppm", 1),     // 1.07
            ("999.5x", (998 << 32) + (1 << 31)),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (text, why) in [
            ("-1x", "a clock never runs backward: the slowest rate is 0x"),
            ("-101%", "a clock never runs backward"),
            ("-1000001ppm", "a clock never runs backward"),
            ("-100.0000000000001%", "a clock never runs backward"),
            ("-9999999999999999999.999999999999999999%", "a clock never runs backward"),
            ("-99999999999999999999%", "a clock never runs backward"),
            ("1001x", "the fastest rate is 1000x"),
            ("1000.00000000000001x", "the fastest rate is 1000x"),
            ("9999999999999999999.999999999999999999x", "the fastest rate is 1000x"),
            ("99999999999999999999ppm", "the fastest rate is 1000x"),
            ("200", "write 200ppm, 200% or 200x"),
            ("", "it is empty"),
            ("fast", "does not begin with a number"),
            ("x2", "write 2x"),
            ("+0.5x", "write 0.5x without a sign"),
            ("2X", "'X' is not a unit"),
            ("50ppb", "'ppb' is not a unit"),
            ("0,5x", "write a point: 0.5"),
            ("1.2.3x", "'1.2.3' is not a number"),
            ("0.0000001ppm", "cannot be told from the host's own rate"),
            ("0.00000000001x", "cannot be told from standstill"),
            ("0.0000000000000000001x", "more than 18 decimals"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn rates_are_printed_for_people() {
        for (text, expected) in [
            ("200ppm", "200ppm"),
            ("-200ppm", "-200ppm"),
            ("0.25ppm", "0.25ppm"),
            ("0.999x", "-1000ppm"),
            ("-1%", "0.99x"),
            ("-5%", "0.95x"),
            ("50%", "1.5x"),
            ("0%", "1x"),
            ("0x", "0x"),
            ("1000x", "1000x"),
        ] {
            assert_eq!(format_rate(parse_rate(text).unwrap()), expected);
        }
        // Not valid, and printed all the same, for an error to name it.
        assert_eq!(format_rate(Rate::from_parts(-(2 << 32))), "-1x");
        assert_eq!(format_rate(Rate::from_parts(i64::MAX)), "2147483648.9999999998x");
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(
            parts in Rate::STANDSTILL.as_parts()..=Rate::MAX.as_parts(),
            shift in 0_u32..42,
            down in any::<bool>(),
        ) {
            // Small deviations as often as large ones, in both directions.
            let parts = parts >> shift;
            let parts = if down { -(parts.abs().min(1 << 32)) } else { parts };
            let rate = Rate::from_parts(parts);
            prop_assert_eq!(parse_rate(&format_rate(rate)).unwrap(), rate);
        }

        #[test]
        fn a_few_decimals_of_ppm_survive(tenths in -99_999_i64..=99_999) {
            let text = format!("{}ppm", decimal::print(i128::from(tenths), 1));
            let printed = format_rate(parse_rate(&text).unwrap());
            prop_assert_eq!(printed, if tenths == 0 { "1x".to_owned() } else { text });
        }

        #[test]
        fn a_few_decimals_of_a_factor_survive(thousandths in 1_011_i64..=1_000_000) {
            let text = format!("{}x", decimal::print(i128::from(thousandths), 3));
            prop_assert_eq!(format_rate(parse_rate(&text).unwrap()), text);
        }

        #[test]
        fn no_text_panics(text in "[-+]?[0-9.,]{0,24}(ppm|%|x)?|.{0,12}") {
            if let Ok(rate) = parse_rate(&text) {
                prop_assert!(rate.is_valid());
            }
        }
    }
}
