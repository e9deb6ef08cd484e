//! Which value is tried next: bisection, over round numbers, of what has come out.
//!
//! What must hold: it is a function of what was tried, so that a campaign goes on where it was; it comes to an end whatever the
//! plays say. Tried are, one after the other:
//! 1. the two ends: the first has to hold, the second to fail, or there is no threshold between them;
//! 2. what lies between the greatest value below which all held and the least that failed in any play, until they are as near as
//!    is wanted; plays of which it cannot be told are gone around on both sides;
//! 3. if plays of one value disagree, what lies between the greatest that did not always fail and the least from which on all did;
//! 4. the middle of any gap that is more than half of its side: a threshold is one only if what is far from it behaves so too.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::campaign::numbers::between;
use crate::campaign::{Quantity, Tally, Value};
use crate::error::{Error, Result};

/// How near the two ends of the answer are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// To a share of them, in millionths.
    Share(u32),
    /// To an amount.
    Amount(Value),
}

/// Between what is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    from: Value,
    to: Value,
    within: Within,
}

/// What was tried, by how far it is on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried(pub(super) BTreeMap<i64, Tally>);

/// The range over which no finer share is wanted: so many times it is halved at most.
const FINEST: u32 = 20;

impl FromStr for Within {
    type Err = Error;

    fn from_str(text: &str) -> Result<Within> {
        let value: Value = text.parse()?;
        if !text.ends_with('%') {
            return Ok(Within::Amount(value));
        }
        // Thousandths of a part per million.
        u32::try_from(value.amount / 1_000).map(Within::Share).map_err(|_| {
            Error::bad_input(format_args!("come within {text}"), "it is no share")
                .remedy("write a share such as 1%, or an amount such as 10ms or 10ppm")
        })
    }
}

/// As it is written.
impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Within::Share(millionths) => write!(f, "{}%", f64::from(*millionths) / 10_000.0),
            Within::Amount(value) => write!(f, "{value}"),
        }
    }
}

impl Bounds {
    /// From a value that holds to one that fails.
    pub fn new(from: Value, to: Value, within: Within) -> Result<Bounds> {
        let refused = |why: &str, remedy: &str| {
            Err(Error::bad_input(format_args!("sweep from {from} to {to}"), why).remedy(remedy))
        };
        if from.quantity != to.quantity {
            return refused("one is a span and the other a rate", "write two spans or two rates");
        }
        if from == to {
            return refused(
                "there is nothing between them",
                "begin with a value that is safe, and end with one that is not",
            );
        }
        match within {
            Within::Share(0 | 1_000_000..) => {
                refused("--within is no share of it", "write --within 1%, or a span")
            }
            Within::Amount(value) if value.quantity != from.quantity || value.amount <= 0 => refused(
                "--within is no such amount above nothing",
                "write --within 1%, or an amount such as 10ms or 10ppm",
            ),
            _ => Ok(Bounds { from, to, within }),
        }
    }

    /// Where it begins.
    pub fn from(&self) -> Value {
        self.from
    }

    /// Where it ends.
    pub fn to(&self) -> Value {
        self.to
    }

    /// Of spans or rates.
    pub fn quantity(&self) -> Quantity {
        self.from.quantity
    }

    /// How near.
    pub fn within(&self) -> Within {
        self.within
    }

    /// An amount as a place on the way, which grows from `from` to `to`, and back.
    fn turned(&self, amount: i64) -> i64 {
        if self.from.amount <= self.to.amount { amount } else { amount.saturating_neg() }
    }

    pub(super) fn place(&self, value: Value) -> i64 {
        self.turned(value.amount)
    }

    pub(super) fn value(&self, place: i64) -> Value {
        Value { amount: self.turned(place), ..self.from }
    }

    /// Whether a gap is as small as is wanted.
    pub(super) fn is_near(&self, low: i64, high: i64) -> bool {
        let gap = i128::from(high) - i128::from(low);
        let allowed = match self.within {
            Within::Amount(value) => i128::from(value.amount),
            Within::Share(millionths) => {
                let size = i128::from(low.unsigned_abs().max(high.unsigned_abs()));
                let range =
                    i128::from(self.turned(self.to.amount)) - i128::from(self.turned(self.from.amount));
                (size * i128::from(millionths) / 1_000_000).max(range >> FINEST)
            }
        };
        gap <= allowed.max(1)
    }
}

impl Tried {
    /// With what came of one more.
    pub fn add(&mut self, bounds: &Bounds, value: Value, tally: Tally) {
        self.0.insert(bounds.place(value), tally);
    }

    /// What was tried, from the first end on.
    pub fn all<'a>(&'a self, bounds: &'a Bounds) -> impl Iterator<Item = (Value, Tally)> + 'a {
        self.0.iter().map(|(place, tally)| (bounds.value(*place), *tally))
    }

    /// The least that failed in any play.
    pub(super) fn failed(&self) -> Option<i64> {
        self.0.iter().find(|(_, tally)| tally.any_failed()).map(|(place, _)| *place)
    }

    /// The greatest below that which held in all plays.
    pub(super) fn held(&self) -> Option<i64> {
        let failed = self.failed().unwrap_or(i64::MAX);
        let below = self.0.range(..failed).rev();
        below.into_iter().find(|(_, tally)| tally.all_passed()).map(|(place, _)| *place)
    }

    /// The least from which on everything that was tried failed in all plays.
    pub(super) fn always(&self) -> Option<i64> {
        self.0.iter().rev().take_while(|(_, tally)| tally.all_failed()).last().map(|(place, _)| *place)
    }
}

/// The value to try next; `None` when nothing is left that would say more.
pub fn next(bounds: &Bounds, tried: &Tried) -> Option<Value> {
    let (from, to) = (bounds.place(bounds.from), bounds.place(bounds.to));
    let place = match (tried.0.get(&from), tried.0.get(&to)) {
        (None, _) => Some(from),
        (Some(first), _) if !first.all_passed() => None,
        (_, None) => Some(to),
        (_, Some(last)) if !last.any_failed() => None,
        _ => narrowed(bounds, tried).or_else(|| wavering(bounds, tried)).or_else(|| far(bounds, tried)),
    };
    place.map(|place| bounds.value(place))
}

/// Between what held and what failed.
fn narrowed(bounds: &Bounds, tried: &Tried) -> Option<i64> {
    let (held, failed) = (tried.held()?, tried.failed()?);
    // What lies between them cannot be told: the gap above it first, then the one below.
    let below_failed = tried.0.range(..failed).next_back().map_or(held, |(place, _)| *place);
    let above_held = tried.0.range(held + 1..).next().map_or(failed, |(place, _)| *place);
    let gaps = [(below_failed, failed), (held, above_held)];
    gaps.into_iter()
        .find(|(low, high)| !bounds.is_near(*low, *high))
        .and_then(|(low, high)| between(low, high))
}

/// Between what fails sometimes and what fails always.
fn wavering(bounds: &Bounds, tried: &Tried) -> Option<i64> {
    let (failed, always) = (tried.failed()?, tried.always()?);
    if always == failed {
        return None;
    }
    let below = tried.0.range(..always).next_back().map(|(place, _)| *place)?;
    if bounds.is_near(below, always) { None } else { between(below, always) }
}

/// In a gap that is more than half of all that was found to hold, or to fail.
fn far(bounds: &Bounds, tried: &Tried) -> Option<i64> {
    let (held, failed) = (tried.held()?, tried.failed()?);
    let sides = [(bounds.place(bounds.from), held), (failed, bounds.place(bounds.to))];
    sides.into_iter().find_map(|(first, last)| {
        let side = i128::from(last) - i128::from(first);
        let places: Vec<i64> = tried.0.range(first..=last).map(|(place, _)| *place).collect();
        let wide = places.windows(2).find(|pair| {
            let gap = i128::from(pair[1]) - i128::from(pair[0]);
            gap * 2 > side && !bounds.is_near(pair[0], pair[1])
        })?;
        between(wide[0], wide[1])
    })
}
