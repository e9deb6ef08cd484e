//! A value that is tried: a span or a rate, as a whole number that can be halved and rounded.
//!
//! What must hold: a span is its nanoseconds; a rate is the thousandths of a part per million by which it differs from true, and
//! what is printed parses back to the same.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::units::{format_rate, format_span, parse_rate, parse_span};
use crate::{Rate, Span};

/// What kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quantity {
    /// A length of time.
    Span,
    /// A rate.
    Rate,
}

/// A span or a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    /// Which of them.
    pub quantity: Quantity,
    /// Nanoseconds, or thousandths of a part per million.
    pub amount: i64,
}

/// The amounts of a rate that is twice the true one.
const WHOLE: i128 = 1_000_000_000;

impl Value {
    /// Nothing: no time, or the true rate.
    pub fn is_zero(self) -> bool {
        self.amount == 0
    }

    /// A span.
    pub fn of_span(span: Span) -> Value {
        Value { quantity: Quantity::Span, amount: span.as_nanos() }
    }

    /// The nearest to a rate.
    pub fn of_rate(rate: Rate) -> Value {
        let amount = nearest(i128::from(rate.as_parts()) * WHOLE, 1 << 32);
        Value { quantity: Quantity::Rate, amount }
    }

    /// As a span; of a rate, nothing that is meant.
    pub fn span(self) -> Span {
        Span::from_nanos(self.amount)
    }

    /// As a rate.
    pub fn rate(self) -> Rate {
        Rate::from_parts(nearest(i128::from(self.amount) << 32, WHOLE))
    }
}

/// A quotient, rounded to the nearest.
fn nearest(dividend: i128, divisor: i128) -> i64 {
    let rounded = (dividend * 2 + divisor).div_euclid(divisor * 2);
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

impl FromStr for Value {
    type Err = Error;

    fn from_str(text: &str) -> Result<Value> {
        // Whatever ends like a rate is one: no span does.
        if text.ends_with("ppm") || text.ends_with('%') || text.ends_with('x') {
            parse_rate(text).map(Value::of_rate)
        } else {
            parse_span(text).map(Value::of_span)
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self.quantity {
            Quantity::Span => format_span(self.span()),
            Quantity::Rate => format_rate(self.rate()),
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Quantity::Span => "span",
            Quantity::Rate => "rate",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_and_rates_are_told_apart() {
        let of = |text: &str| text.parse::<Value>().unwrap();
        assert_eq!(of("-1.5s"), Value { quantity: Quantity::Span, amount: -1_500_000_000 });
        assert_eq!(of("200ppm"), Value { quantity: Quantity::Rate, amount: 200_000 });
        assert_eq!(of("-5%"), Value { quantity: Quantity::Rate, amount: -50_000_000 });
        assert_eq!(of("2x").to_string(), "2x");
        assert_eq!(of("200ppm").to_string(), "200ppm");
        assert!(of("0ppm").is_zero() && of("0s").is_zero() && of("1x").is_zero());
        for bad in ["5", "fast", "", "-3x"] {
            assert!(bad.parse::<Value>().unwrap_err().help().is_some(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(amount in -1_000_000_000_i64..999_000_000_000, is_rate in any::<bool>()) {
            let quantity = if is_rate { Quantity::Rate } else { Quantity::Span };
            let value = Value { quantity, amount };
            prop_assert_eq!(value.to_string().parse::<Value>().unwrap(), value);
        }
    }
}
