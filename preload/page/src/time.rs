//! Instants, spans and rates: newtypes, so that a host instant is never taken for a node's.
//!
//! What must hold: every operation is checked or saturating; products are taken in 128 bits; rounding is always
//! towards minus infinity, which keeps every clock with a rate at or above standstill monotone.

/// Nanoseconds in a second.
pub const NANOS_PER_SEC: i64 = 1_000_000_000;

/// An instant of the host's CLOCK_MONOTONIC, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostInstant(i64);

/// What a node's clock shows, in nanoseconds since that clock's epoch (1970 for `wall`, boot for the others).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeInstant(i64);

/// A signed length of time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

macro_rules! instant {
    ($name:ident) => {
        impl $name {
            /// The last instant that can be represented; of a segment's end: never.
            pub const MAX: Self = Self(i64::MAX);
            /// The first instant that can be represented.
            pub const MIN: Self = Self(i64::MIN);

            /// From nanoseconds since the clock's epoch.
            pub const fn from_nanos(nanos: i64) -> Self {
                Self(nanos)
            }

            /// Nanoseconds since the clock's epoch.
            pub const fn as_nanos(self) -> i64 {
                self.0
            }

            /// This instant moved by `span`, or the end of the range.
            #[must_use]
            pub const fn saturating_add(self, span: Span) -> Self {
                Self(self.0.saturating_add(span.0))
            }

            /// This instant moved by `span`; `None` out of range.
            pub const fn checked_add(self, span: Span) -> Option<Self> {
                match self.0.checked_add(span.0) {
                    Some(nanos) => Some(Self(nanos)),
                    None => None,
                }
            }

            /// How long after `earlier` this is; negative when it is before.
            pub const fn saturating_since(self, earlier: Self) -> Span {
                Span(self.0.saturating_sub(earlier.0))
            }

            /// Whole seconds, rounded down, and the nanoseconds into that second.
            pub const fn split(self) -> (i64, u32) {
                split(self.0)
            }

            /// From whole seconds and nanoseconds, saturating.
            pub const fn from_split(sec: i64, nsec: i64) -> Self {
                Self(saturate(sec as i128 * NANOS_PER_SEC as i128 + nsec as i128))
            }
        }
    };
}
instant!(HostInstant);
instant!(NodeInstant);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Span(0);
    /// The longest span.
    pub const MAX: Self = Span(i64::MAX);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Span(nanos)
    }

    /// From milliseconds, saturating.
    pub const fn from_millis(millis: i64) -> Self {
        Span(millis.saturating_mul(1_000_000))
    }

    /// From seconds, saturating.
    pub const fn from_secs(secs: i64) -> Self {
        Span(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// In nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whether it points backward.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Its length, in nanoseconds.
    pub const fn unsigned_nanos(self) -> u64 {
        self.0.unsigned_abs()
    }

    /// The opposite span, saturating.
    #[must_use]
    pub const fn saturating_neg(self) -> Self {
        Span(self.0.saturating_neg())
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Span(self.0.saturating_add(other.0))
    }

    /// The sum; `None` out of range.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nanos) => Some(Span(nanos)),
            None => None,
        }
    }

    /// Whole seconds, rounded down, and the nanoseconds into that second.
    pub const fn split(self) -> (i64, u32) {
        split(self.0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "0 <= the remainder < 10^9")]
const fn split(nanos: i64) -> (i64, u32) {
    (nanos.div_euclid(NANOS_PER_SEC), nanos.rem_euclid(NANOS_PER_SEC) as u32)
}

/// How much faster than the host's clock a clock runs, in parts per 2^32: 0 is true, [`Rate::STANDSTILL`] does
/// not move, +2^32 is 2x. One part is 0.23 parts per billion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(i64);

impl Rate {
    /// The host's own rate.
    pub const TRUE: Self = Rate(0);
    /// A clock that does not move.
    pub const STANDSTILL: Self = Rate(-(1 << 32));
    /// The fastest clock that a schedule accepts: 1000x.
    pub const MAX: Self = Rate(999 << 32);

    /// From parts per 2^32 above the host's rate.
    pub const fn from_parts(parts: i64) -> Self {
        Rate(parts)
    }

    /// From parts per million above the host's rate; exact to the nearest part of 2^32. `None` out of range.
    pub fn from_ppm(ppm: f64) -> Option<Self> {
        let parts = ppm * 4_294.967_296;
        // Half a part is added by hand: `round` is not in core.
        let rounded = if parts < 0.0 { parts - 0.5 } else { parts + 0.5 };
        if !(-1e15..1e15).contains(&rounded) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded a line above")]
        Some(Rate(rounded as i64))
    }

    /// Parts per 2^32 above the host's rate.
    pub const fn as_parts(self) -> i64 {
        self.0
    }

    /// Parts per million above the host's rate.
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    pub fn as_ppm(self) -> f64 {
        self.0 as f64 / 4_294.967_296
    }

    /// Whether it lies between standstill and [`Rate::MAX`].
    pub const fn is_valid(self) -> bool {
        self.0 >= Rate::STANDSTILL.0 && self.0 <= Rate::MAX.0
    }

    /// Both rates at once, saturating.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Rate(self.0.saturating_add(other.0))
    }

    /// The opposite deviation from the host's rate.
    #[must_use]
    pub const fn saturating_neg(self) -> Self {
        Rate(self.0.saturating_neg())
    }

    /// How far a clock of this rate moves ahead of the host's in `elapsed`, rounded down, in 128 bits.
    pub const fn gained(self, elapsed: i128) -> i128 {
        elapsed.saturating_mul(self.0 as i128) >> 32
    }
}

/// A number of nanoseconds in 128 bits, held within 64.
pub const fn saturate(nanos: i128) -> i64 {
    if nanos > i64::MAX as i128 {
        i64::MAX
    } else if nanos < i64::MIN as i128 {
        i64::MIN
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the branches above")]
        let nanos = nanos as i64;
        nanos
    }
}
