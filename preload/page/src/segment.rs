//! A segment: one piece of a schedule, as a value and as eight words of shared memory.
//!
//! What must hold: any eight words decode to a segment whose evaluation neither panics nor divides by zero; what a
//! writer made evaluates exactly, rounded down to the nanosecond.

use crate::sync::{AtomicU64, Ordering};
use crate::time::{HostInstant, NANOS_PER_SEC, NodeInstant, Rate, Span, saturate};

/// How a clock runs during a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// True: the host's own clock, read as such.
    True,
    /// MONOTONIC + offset, gaining at `rate` from the segment's start.
    Linear,
    /// As linear, and ahead by `amplitude` in the first half of every `period`.
    Strobe {
        /// How far the clock is off in the first half of each period.
        amplitude: Span,
        /// The length of there and back; positive.
        period: Span,
    },
}

/// One piece of a schedule: from `from` until the next segment's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins.
    pub from: HostInstant,
    /// The whole second in which it ends; `i64::MAX` for the last one. Only the reader's fast path uses it: the
    /// exact end is the next segment's start.
    pub until_sec: i64,
    /// How the clock runs.
    pub shape: Shape,
    /// What the clock shows at `from`, less `from`, less a strobe's amplitude.
    pub offset: Span,
    /// The rate in force: the base rate and that of a slew or a stall together.
    pub rate: Rate,
    /// The base rate alone.
    pub base_rate: Rate,
    /// The change that this segment is the work of; 0 for none.
    pub change: u32,
}

impl Segment {
    /// A true clock from the beginning of time.
    pub const TRUE: Segment = Segment {
        from: HostInstant::MIN,
        until_sec: i64::MAX,
        shape: Shape::True,
        offset: Span::ZERO,
        rate: Rate::TRUE,
        base_rate: Rate::TRUE,
        change: 0,
    };

    /// What the clock shows at `at` by this segment alone, saturating. Of a true one: `at` plus its offset, which is
    /// where the host's clock was when the segment was laid.
    pub fn value(&self, at: HostInstant) -> NodeInstant {
        NodeInstant::from_nanos(saturate(self.shown(at)))
    }

    /// The same in 128 bits, not held within the range: what an inverse compares with, so that a strobe's amplitude
    /// is not lost at the ends.
    pub(crate) fn shown(&self, at: HostInstant) -> i128 {
        let elapsed = i128::from(at.as_nanos()) - i128::from(self.from.as_nanos());
        let base = i128::from(at.as_nanos()) + i128::from(self.offset.as_nanos());
        match self.shape {
            Shape::True => base,
            Shape::Linear => base + self.rate.gained(elapsed),
            Shape::Strobe { amplitude, period } => {
                base + self.rate.gained(elapsed)
                    + i128::from(strobe_at(elapsed, amplitude, period).as_nanos())
            }
        }
    }
}

/// How far a strobe has the clock off, `elapsed` after its start.
fn strobe_at(elapsed: i128, amplitude: Span, period: Span) -> Span {
    let period = i128::from(period.as_nanos().max(2));
    if elapsed.rem_euclid(period) < period / 2 { amplitude } else { Span::ZERO }
}

/// Kinds as they are stored.
const KIND_TRUE: u8 = 0;
const KIND_LINEAR: u8 = 1;
const KIND_STROBE: u8 = 2;

/// A segment in shared memory: eight words, each loaded and stored by itself, so that nothing of it is undefined
/// while a writer is at work.
///
/// | word | holds |
/// | --- | --- |
/// | 0 | start: seconds |
/// | 1 | start: nanoseconds (32 bits), kind (8) |
/// | 2 | offset: seconds |
/// | 3 | offset: nanoseconds (32 bits), change id (32) |
/// | 4 | rate, parts per 2^32 |
/// | 5 | the second in which it ends |
/// | 6 | strobe: amplitude |
/// | 7 | strobe: period; otherwise the base rate |
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct SegmentCell([AtomicU64; 8]);

/// What the reader's fast path takes of a segment: split seconds and nanoseconds, so that no division is needed.
#[derive(Clone, Copy, Debug)]
pub struct Hot {
    /// Start: seconds.
    pub from_sec: i64,
    /// Start: nanoseconds (32 bits), kind (8).
    pub from_nsec_kind: u64,
    /// Offset: seconds.
    pub offset_sec: i64,
    /// Offset: nanoseconds (32 bits), change id (32).
    pub offset_nsec_change: u64,
    /// Rate.
    pub rate: i64,
    /// The second in which it ends.
    pub until_sec: i64,
}

impl Hot {
    /// Nanoseconds of the start within its second.
    #[inline(always)]
    pub const fn from_nsec(&self) -> i64 {
        (self.from_nsec_kind & 0xffff_ffff).cast_signed()
    }

    /// Nanoseconds of the offset.
    #[inline(always)]
    pub const fn offset_nsec(&self) -> i64 {
        (self.offset_nsec_change & 0xffff_ffff).cast_signed()
    }

    /// Whether it is a straight line.
    #[inline(always)]
    pub const fn is_linear(&self) -> bool {
        (self.from_nsec_kind >> 32) & 0xff == KIND_LINEAR as u64
    }
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "words hold signed numbers bit by bit")]
impl SegmentCell {
    /// What the fast path needs; to be validated by the latch.
    #[inline(always)]
    pub fn load_hot(&self) -> Hot {
        Hot {
            from_sec: self.word(0) as i64,
            from_nsec_kind: self.word(1),
            offset_sec: self.word(2) as i64,
            offset_nsec_change: self.word(3),
            rate: self.word(4) as i64,
            until_sec: self.word(5) as i64,
        }
    }

    /// Whether the host's own clock is to be read.
    #[inline(always)]
    pub fn is_true(&self) -> bool {
        (self.word(1) >> 32) & 0xff == u64::from(KIND_TRUE)
    }

    /// The start alone, for a search.
    pub fn load_from(&self) -> HostInstant {
        HostInstant::from_split(self.word(0) as i64, (self.word(1) & 0xffff_ffff) as i64)
    }

    /// All of it; to be validated by the latch. What no writer makes decodes to something harmless.
    pub fn load(&self) -> Segment {
        let hot = self.load_hot();
        let (six, seven) = (self.word(6) as i64, self.word(7) as i64);
        let bits = hot.from_nsec_kind >> 32;
        let shape = match (bits & 0xff) as u8 {
            KIND_LINEAR => Shape::Linear,
            KIND_STROBE => {
                Shape::Strobe { amplitude: Span::from_nanos(six), period: Span::from_nanos(seven) }
            }
            _ => Shape::True,
        };
        let strobe = matches!(shape, Shape::Strobe { .. });
        Segment {
            from: HostInstant::from_split(hot.from_sec, hot.from_nsec()),
            until_sec: hot.until_sec,
            shape,
            offset: offset_of(hot.offset_sec, hot.offset_nsec()),
            rate: Rate::from_parts(hot.rate),
            base_rate: Rate::from_parts(if strobe { hot.rate } else { seven }),
            change: (hot.offset_nsec_change >> 32) as u32,
        }
    }

    /// Stores a segment; the slot must be the writer's own and not current.
    pub fn store(&self, segment: &Segment) {
        let (from_sec, from_nsec) = segment.from.split();
        let (offset_sec, offset_nsec) = segment.offset.split();
        let (kind, six, seven) = match segment.shape {
            Shape::True => (KIND_TRUE, 0, segment.base_rate.as_parts()),
            Shape::Linear => (KIND_LINEAR, 0, segment.base_rate.as_parts()),
            Shape::Strobe { amplitude, period } => (KIND_STROBE, amplitude.as_nanos(), period.as_nanos()),
        };
        self.set(0, from_sec as u64);
        self.set(1, u64::from(from_nsec) | u64::from(kind) << 32);
        self.set(2, offset_sec as u64);
        self.set(3, u64::from(offset_nsec) | u64::from(segment.change) << 32);
        self.set(4, segment.rate.as_parts() as u64);
        self.set(5, segment.until_sec as u64);
        self.set(6, six as u64);
        self.set(7, seven as u64);
    }

    #[inline(always)]
    fn word(&self, index: usize) -> u64 {
        self.0[index & 7].load(Ordering::Relaxed)
    }

    fn set(&self, index: usize, value: u64) {
        self.0[index & 7].store(value, Ordering::Relaxed);
    }
}

/// An offset from its split form: at the ends of the range the seconds alone would leave it by a fraction.
fn offset_of(sec: i64, nsec: i64) -> Span {
    Span::from_nanos(saturate(i128::from(sec) * i128::from(NANOS_PER_SEC) + i128::from(nsec)))
}
