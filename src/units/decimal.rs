//! Decimal numbers as people write them, read and printed exactly.
//!
//! What must hold: no float anywhere; a number is `digits / 10^scale` with at most 19 digits before the point and
//! 18 after it (zeros at either end do not count), so that it and its products with a unit fit in 128 bits or are
//! known to be too large.

use super::Refusal;

/// The most digits that count before the point: those of 2^63.
const MAX_WHOLE: usize = 19;
/// The most digits that count after the point.
const MAX_FRACTION: usize = 18;

/// A number without a sign: `digits / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) digits: i128,
    pub(super) scale: u32,
}

/// Why a number cannot be used; the reader knows which range and which step to name.
#[derive(Debug)]
pub(super) enum NumberError {
    /// It is not a number.
    Malformed(Refusal),
    /// It is beyond the range.
    TooLarge,
    /// It lies between two values that can be represented.
    TooFine,
}

/// The sign in front of a text (whether there is one, and whether it is a minus) and what follows it.
pub(super) fn split_sign(text: &str) -> (Option<char>, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (Some('-'), rest),
        None => text.strip_prefix('+').map_or((None, text), |rest| (Some('+'), rest)),
    }
}

/// The number at the start of a text, by its characters alone, and what follows it.
pub(super) fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_number_char(c)).unwrap_or(text.len()))
}

/// Whether a number may hold this character. The comma is one so that it is refused by name.
pub(super) fn is_number_char(c: char) -> bool {
    c.is_ascii_digit() || c == '.' || c == ','
}

impl Decimal {
    /// Reads `12`, `1.5` or `.5`.
    pub(super) fn parse(text: &str) -> Result<Self, NumberError> {
        let malformed = |why: String, remedy: String| Err(NumberError::Malformed(Refusal::new(why, remedy)));
        if text.contains(',') {
            let remedy = format!("write a point: {}", text.replace(',', "."));
            return malformed(format!("'{text}' has a comma"), remedy);
        }
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let complete = fraction.map_or(!whole.is_empty(), |fraction| !fraction.is_empty());
        if !complete || !digits_only(whole) || !fraction.is_none_or(digits_only) {
            return malformed(
                format!("'{text}' is not a number"),
                "write digits with at most one point among them: 1.5".to_owned(),
            );
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.unwrap_or("").trim_end_matches('0');
        if whole.len() > MAX_WHOLE {
            return Err(NumberError::TooLarge);
        }
        if fraction.len() > MAX_FRACTION {
            return Err(NumberError::TooFine);
        }
        let digits = whole.bytes().chain(fraction.bytes()).fold(0, |n, b| n * 10 + i128::from(b - b'0'));
        // At most MAX_FRACTION, so it fits.
        let scale = u32::try_from(fraction.len()).map_err(|_| NumberError::TooFine)?;
        Ok(Decimal { digits, scale })
    }

    /// The product with `unit`, if it is whole.
    pub(super) fn times(self, unit: i128) -> Result<i128, NumberError> {
        let product = self.digits.checked_mul(unit).ok_or(NumberError::TooLarge)?;
        let divisor = 10_i128.pow(self.scale);
        if product % divisor == 0 { Ok(product / divisor) } else { Err(NumberError::TooFine) }
    }
}

/// The quotient to the nearest whole number, halves away from zero; `divisor` is positive.
pub(super) fn round(dividend: i128, divisor: i128) -> i128 {
    let left = (dividend % divisor).abs();
    let away = if left >= divisor - left { dividend.signum() } else { 0 };
    dividend / divisor + away
}

/// Prints `value / 10^scale` without zeros at the end of its fraction.
pub(super) fn print(value: i128, scale: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let divisor = 10_u128.pow(scale);
    let (whole, fraction) = (value.unsigned_abs() / divisor, value.unsigned_abs() % divisor);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let width = usize::try_from(scale).unwrap_or(0);
    let fraction = format!("{fraction:0width$}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        for (text, digits, scale) in
            [("12", 12, 0), ("1.5", 15, 1), (".5", 5, 1), ("007.250", 725, 2), ("0.000", 0, 0)]
        {
            assert_eq!(Decimal::parse(text).unwrap(), Decimal { digits, scale }, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "1.", "1..2", "1.2.3", "1,5", "1e3", "-1", "٣"] {
            assert!(matches!(Decimal::parse(text), Err(NumberError::Malformed(_))), "{text}");
        }
        assert!(matches!(Decimal::parse("1").and_then(|one| one.times(i128::MAX)), Ok(i128::MAX)));
        assert!(matches!(
            Decimal::parse("2").and_then(|two| two.times(i128::MAX)),
            Err(NumberError::TooLarge)
        ));
        assert!(matches!(Decimal::parse(&"9".repeat(20)), Err(NumberError::TooLarge)));
        assert!(matches!(Decimal::parse(&format!("0.{}", "1".repeat(19))), Err(NumberError::TooFine)));
        assert!(matches!(Decimal::parse("1.5").and_then(|n| n.times(1)), Err(NumberError::TooFine)));
    }

    #[test]
    fn quotients_are_rounded_to_the_nearest() {
        for (dividend, rounded) in [(0, 0), (14, 1), (15, 2), (-14, -1), (-15, -2), (25, 3), (20, 2)] {
            assert_eq!(round(dividend, 10), rounded, "{dividend}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(value in 0..=i128::from(i64::MAX), scale in 0_u32..=18) {
            let read = Decimal::parse(&print(value, scale)).unwrap();
            prop_assert_eq!(read.digits * 10_i128.pow(scale - read.scale), value);
        }
    }
}
