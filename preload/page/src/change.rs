//! A change: a clock fault with an id, as the page records it. The unit of evidence.
//!
//! What must hold: records stand in the slot beside the segments that carry their ids, so that both are published at
//! one instant; ids grow by one and are never used again in a node's life.

use crate::sync::{AtomicU64, Ordering};
use crate::time::HostInstant;

/// What kind of fault a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The wall clock moved by an amount of nanoseconds.
    Jump = 1,
    /// The wall clock was set to an instant, in nanoseconds since 1970.
    Set = 2,
    /// The base rate, in parts per 2^32.
    Drift = 3,
    /// Nanoseconds to gain, and the rate at which they are gained.
    Slew = 4,
    /// The clock stands still.
    Stall = 5,
    /// There and back: amplitude and period, in nanoseconds.
    Strobe = 6,
    /// All faults ended.
    Heal = 7,
    /// The planned end of another change.
    End = 8,
    /// The clock stands still while the node's processes are frozen: what it loses by that, on the wall clock and on
    /// the monotonic one, in nanoseconds. Of its end the first figure is the change that corrects the wall clock, or 0.
    Suspend = 9,
    /// A suspend that was called off: at its end the clocks get back what they lost.
    CalledOff = 10,
}

impl Kind {
    /// From the stored byte.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            1 => Kind::Jump,
            2 => Kind::Set,
            3 => Kind::Drift,
            4 => Kind::Slew,
            5 => Kind::Stall,
            6 => Kind::Strobe,
            7 => Kind::Heal,
            8 => Kind::End,
            9 => Kind::Suspend,
            10 => Kind::CalledOff,
            _ => return None,
        })
    }
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its id; ids begin at 1.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
    /// The schedules that it touches: bit 0 `wall`, 1 `mono`, 2 `boot`.
    pub clocks: u8,
    /// When it takes effect.
    pub at: HostInstant,
    /// When it ends by itself; [`HostInstant::MAX`] for never.
    pub until: HostInstant,
    /// Its first figure; see [`Kind`].
    pub amount: i64,
    /// Its second figure; see [`Kind`].
    pub second: i64,
    /// Of an [`Kind::End`]: the change that ends. Of any other: the change that is its planned end, or 0.
    pub partner: u32,
    /// Whether a heal ended it, or took it back before it began.
    pub cancelled: bool,
    /// By how many nanoseconds it was published after the instant at which it was to take effect; 0 when in time.
    pub late_by: i64,
}

/// Records that a slot keeps: the last so many changes.
pub const CHANGES: usize = 1024;

/// A change in shared memory.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct ChangeCell([AtomicU64; 8]);

#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "words hold packed and signed numbers bit by bit"
)]
impl ChangeCell {
    /// The record; `None` where there is none, or none that makes sense.
    pub fn load(&self) -> Option<Change> {
        let word = |index: usize| self.0[index & 7].load(Ordering::Relaxed);
        let head = word(0);
        let kind = Kind::from_bits((head >> 32) as u8)?;
        Some(Change {
            id: head as u32,
            kind,
            clocks: (head >> 40) as u8,
            at: HostInstant::from_nanos(word(1) as i64),
            until: HostInstant::from_nanos(word(2) as i64),
            amount: word(3) as i64,
            second: word(4) as i64,
            partner: word(5) as u32,
            cancelled: (head >> 48) & 1 != 0,
            late_by: word(6) as i64,
        })
    }

    /// Stores a record.
    pub fn store(&self, change: &Change) {
        let set = |index: usize, value: u64| self.0[index & 7].store(value, Ordering::Relaxed);
        let bits =
            (change.kind as u64) << 32 | u64::from(change.clocks) << 40 | u64::from(change.cancelled) << 48;
        set(0, u64::from(change.id) | bits);
        set(1, change.at.as_nanos() as u64);
        set(2, change.until.as_nanos() as u64);
        set(3, change.amount as u64);
        set(4, change.second as u64);
        set(5, u64::from(change.partner));
        set(6, change.late_by as u64);
    }

    /// Removes the record.
    pub fn clear(&self) {
        self.0[0].store(0, Ordering::Relaxed);
    }

    /// Notes, after publication, that it came late.
    pub fn set_late_by(&self, nanos: i64) {
        self.0[6].store(nanos as u64, Ordering::Relaxed);
    }
}
