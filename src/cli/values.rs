//! What flags take: the library's own readers, and the bounds that a flag sets beside them.

use falseticker::units::{Faketime, format_rate};
use falseticker::units::{format_span, parse_faketime, parse_instant, parse_rate, parse_span};
use falseticker::{Error, NodeInstant, Rate, Result, Span};

/// A span with its sign.
pub fn span(text: &str) -> Result<Span> {
    parse_span(text)
}

/// How long something lasts: longer than nothing.
pub fn length(text: &str) -> Result<Span> {
    let span = parse_span(text)?;
    if span > Span::ZERO {
        return Ok(span);
    }
    Err(Error::bad_input(
        format_args!("take {} as a length of time", format_span(span)),
        "it must be longer than nothing",
    )
    .remedy("write a span such as 250ms, 5s or 1m"))
}

/// How long to wait at most; nothing is to look once.
pub fn limit(text: &str) -> Result<Span> {
    let span = parse_span(text)?;
    if !span.is_negative() {
        return Ok(span);
    }
    Err(Error::bad_input(format_args!("wait for {}", format_span(span)), "it is negative")
        .remedy("write a span such as 250ms or 5s, or 0s to look once"))
}

/// A rate.
pub fn rate(text: &str) -> Result<Rate> {
    parse_rate(text)
}

/// A rate at which a clock is led back, whichever way that is.
pub fn way_back(text: &str) -> Result<Rate> {
    let rate = parse_rate(text)?;
    let size = rate.as_parts().saturating_abs();
    let why = if size == 0 {
        "a clock of the true rate does not come nearer"
    } else if size >= Rate::STANDSTILL.as_parts().saturating_abs() {
        "a clock that is ahead would stand still or run backward"
    } else {
        return Ok(rate);
    };
    Err(Error::bad_input(format_args!("lead a clock back at {}", format_rate(rate)), why)
        .remedy("give the rate as a deviation below 100%, such as 500ppm or 5%"))
}

/// An instant of the node's wall clock.
pub fn instant(text: &str) -> Result<NodeInstant> {
    parse_instant(text)
}

/// What libfaketime takes.
pub fn faketime(text: &str) -> Result<Faketime> {
    parse_faketime(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_limits_have_bounds() {
        assert!(length("1ns").is_ok());
        for bad in ["0s", "-1s", "5"] {
            assert!(length(bad).unwrap_err().help().is_some(), "{bad}");
        }
        assert!(limit("0s").is_ok());
        assert!(limit("-1ns").is_err());
    }

    #[test]
    fn a_way_back_is_a_deviation() {
        for good in ["500ppm", "-500ppm", "-99%", "1.5x", "0.5x"] {
            assert!(way_back(good).is_ok(), "{good}");
        }
        for bad in ["1x", "0ppm", "2x", "0x", "100%", "-100%"] {
            assert!(way_back(bad).unwrap_err().help().is_some(), "{bad}");
        }
    }
}
