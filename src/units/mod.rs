//! How people write spans, rates and instants, and how the toolkit prints them back.
//!
//! What must hold: a text either means one value exactly or is refused with what to write instead, never rounded
//! or guessed (a rate alone is rounded, to the nearest that a clock can hold); what is printed parses back to the
//! same value. All arithmetic is in 128-bit integers.
//!
//! | what | written | read by |
//! | --- | --- | --- |
//! | span | `-1h30m`, `+250ms`, `1.5s`, `2d` | [`parse_span`] |
//! | rate | `200ppm`, `-5%`, `0.5x`, `2x` | [`parse_rate`] |
//! | instant | `2026-11-23T12:00:00Z`, `2026-11-23 12:00:00`, `@1700000000` | [`parse_instant`] |
//! | libfaketime's FAKETIME | `-15d`, `+1y x2`, `@2020-12-24 20:30:00` | [`parse_faketime`] |

mod civil;
mod decimal;
pub mod faketime;
pub mod instant;
pub mod rate;
pub mod span;

pub use faketime::{Faketime, Start, parse_faketime};
pub use instant::{format_instant, parse_instant};
pub use rate::{format_rate, parse_rate};
pub use span::{format_span, parse_span};

use std::fmt;

use crate::error::Error;

/// Why a text was not understood and what to write instead: an [`Error`] that does not yet say what was attempted,
/// so that one reader can serve several syntaxes.
#[derive(Debug)]
struct Refusal {
    why: String,
    remedy: String,
}

/// What a reader of one syntax hands to the function that knows what was attempted.
type Read<T> = std::result::Result<T, Refusal>;

impl Refusal {
    fn new(why: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Refusal { why: why.to_string(), remedy: remedy.to_string() }
    }

    /// The whole error; `attempted` reads after "cannot".
    fn of(self, attempted: impl fmt::Display) -> Error {
        Error::bad_input(attempted, self.why).remedy(self.remedy)
    }
}
