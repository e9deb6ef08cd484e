//! A leap second, as a machine's wall clock sees it: 23:59:59 comes twice, or not at all, or the second is smeared over a
//! window.
//!
//! The kernel repeats or leaves out a second of UTC, which is a step of the wall clock; servers that smear slew it away. So
//! a leap is a [`Jump`] or a [`Slew`], and the page records it as one.
//!
//! What breaks it: CLOCK_TAI, which a real leap second leaves alone, follows the wall clock here.
//!
//! Source: clock_adjtime(2), STA_INS and STA_DEL; Google's leap smear (24 h, linear).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Fault, Jump, Rate, Slew, Span, format_span};
use crate::error::{Error, Result};

/// Which leap second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LeapKind {
    /// A second is inserted: the clock is stepped back by it.
    #[default]
    Insert,
    /// A second is left out: the clock is stepped forward by it.
    Delete,
    /// A second is inserted, smeared over a window.
    Smear,
}

/// A leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leap {
    kind: LeapKind,
    window: Option<Span>,
}

/// Over how long a second is smeared, unless it is said.
pub const WINDOW: Span = Span::from_secs(24 * 3_600);

const SECOND: Span = Span::from_secs(1);
/// A second in less than this would let the clock stand still.
const SHORTEST: Span = Span::from_secs(2);

impl Leap {
    /// Of this kind; the window is that of a smear.
    pub fn new(kind: LeapKind, window: Option<Span>) -> Result<Self> {
        let refused = |why: &str| Err(Error::bad_input(format_args!("make a leap second ({kind})"), why));
        match (kind, window) {
            (LeapKind::Insert | LeapKind::Delete, Some(_)) => refused("only a smear has a window")
                .map_err(|error| error.remedy("leave the window out, or use the kind smear")),
            (LeapKind::Smear, Some(window)) if window < SHORTEST => refused("the window is too short")
                .map_err(|error| error.remedy(format_args!("give {} or more", format_span(SHORTEST)))),
            _ => Ok(Leap { kind, window }),
        }
    }

    /// What it does to the wall clock.
    pub fn fault(&self) -> Result<Fault> {
        let back = SECOND.saturating_neg();
        Ok(match self.kind {
            LeapKind::Insert => Jump { by: back }.into(),
            LeapKind::Delete => Jump { by: SECOND }.into(),
            LeapKind::Smear => {
                let window = self.window.unwrap_or(WINDOW);
                let parts = (i128::from(back.as_nanos()) << 32) / i128::from(window.as_nanos().max(1));
                let rate = Rate::from_parts(i64::try_from(parts).unwrap_or(i64::MIN));
                Slew::new(back, rate)?.into()
            }
        })
    }
}

impl fmt::Display for LeapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeapKind::Insert => "insert",
            LeapKind::Delete => "delete",
            LeapKind::Smear => "smear",
        })
    }
}

impl FromStr for LeapKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [LeapKind::Insert, LeapKind::Delete, LeapKind::Smear]
            .into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| {
                Error::bad_input("read the kind of a leap second", format_args!("there is no kind '{text}'"))
                    .remedy("write insert, delete or smear")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_is_a_step_or_a_slope_of_a_second() {
        let fault = |kind, window| Leap::new(kind, window).and_then(|leap| leap.fault());
        assert_eq!(fault(LeapKind::Insert, None).unwrap(), Jump { by: Span::from_secs(-1) }.into());
        assert_eq!(fault(LeapKind::Delete, None).unwrap(), Jump { by: Span::from_secs(1) }.into());
        let smear = fault(LeapKind::Smear, Some(Span::from_secs(1_000))).unwrap();
        assert_eq!(smear.describe().split(' ').nth(1), Some("-1s"));
        let length = smear.length().unwrap().as_nanos();
        assert!((length - 1_000_000_000_000).abs() < 1_000_000, "{length}");
        let day = fault(LeapKind::Smear, None).unwrap().length().unwrap();
        assert!(day.as_nanos().abs_diff(WINDOW.as_nanos()) < 10_000_000_000, "{}", format_span(day));
    }

    #[test]
    fn only_a_smear_has_a_window_and_it_is_not_shorter_than_the_second() {
        assert!(Leap::new(LeapKind::Insert, Some(WINDOW)).unwrap_err().help().is_some());
        assert!(Leap::new(LeapKind::Smear, Some(SECOND)).unwrap_err().help().is_some());
        assert!("skip".parse::<LeapKind>().unwrap_err().help().is_some());
    }
}
