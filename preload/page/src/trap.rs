//! A trap: whoever reads a clock (or connects to a port) while it is armed may be held right there.
//!
//! What is armed stands in the page's header, which targets only read; what came of it stands in the evidence file, which
//! they write: a count of the reads under the trap, and a record of each that was held.
//!
//! What must hold:
//! 1. A trap is armed for as long as its controller says so again: after [`TrapCell::armed_until`] it is none.
//! 2. Ids grow and never come back, and fields are written only while no id is there: a copy between two looks at the same
//!    id is of one trap.
//! 3. How long a thread is held is copied once and capped: whatever the page says later, it ends.
//! 4. Counts carry the id of their trap: who is late from an older one counts nothing.

use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::time::{HostInstant, Span};

/// The longest that a thread is held, whatever the page says.
pub const LONGEST: Span = Span::from_secs(3600);
/// Records of held threads that are kept.
pub const FIRINGS: usize = 256;
/// Tries at a count that others change at the same moment, before it is left alone: a hostile one must not be a hang.
const TRIES: usize = 1000;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// A read of CLOCK_REALTIME or what follows it.
    Wall,
    /// A read of CLOCK_MONOTONIC, its coarse form or RAW.
    Mono,
    /// A call of `connect` to this port of an internet address.
    Connect(u16),
}

/// Which of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The Nth, and every Nth after that; not 0.
    Nth(u64),
    /// Each for which a hash of the seed and its number is not above the threshold.
    Chance {
        /// What a chance of 1 is is `u64::MAX`.
        threshold: u64,
        /// The same seed picks the same numbers.
        seed: u64,
    },
}

impl Pick {
    /// Whether it is this one; they are numbered from 1.
    pub const fn picks(self, ticket: u64) -> bool {
        match self {
            Pick::Nth(nth) => nth != 0 && ticket.is_multiple_of(nth),
            Pick::Chance { threshold, seed } => mix(seed, ticket) <= threshold,
        }
    }
}

/// SplitMix64's `ticket`th output (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
const fn mix(seed: u64, ticket: u64) -> u64 {
    let state = seed.wrapping_add(ticket.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// An armed trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Its id; never 0.
    pub id: u32,
    /// What is waited for.
    pub on: On,
    /// Which of these.
    pub pick: Pick,
    /// After how many it is over.
    pub count: u32,
    /// How long a thread is held at most, if nobody releases it before.
    pub hold: Span,
    /// Whether its controller freezes the whole node, and releases the thread at the end of that.
    pub whole_node: bool,
    /// How long a pause was asked for: what people are told.
    pub asked: Span,
    /// The release word as it was: a thread is held while it stays so.
    pub release: u32,
}

/// A trap in the page's header.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct TrapCell {
    /// The id of what is armed; 0 for nothing.
    id: AtomicU32,
    /// A futex: held threads go on when it changes.
    pub release: AtomicU32,
    /// Until when it is armed, if nobody says so again: nanoseconds of the host's CLOCK_MONOTONIC.
    armed_until: AtomicU64,
    /// Kind (8 bits), way of picking (8), whether the node is frozen (8), port (16).
    what: AtomicU64,
    /// Which one, or the threshold of a chance.
    number: AtomicU64,
    seed: AtomicU64,
    /// The longest hold, in nanoseconds.
    hold: AtomicU64,
    asked: AtomicU64,
    count: AtomicU32,
    /// The last id that was given.
    last_id: AtomicU32,
    /// Who armed it: a pid, 0 until readers are sent by it ...
    pub by_pid: AtomicU64,
    /// ... and when that process started, in ticks since boot.
    pub by_start: AtomicU64,
}

const WALL: u64 = 1;
const MONO: u64 = 2;
const CONNECT: u64 = 3;

#[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "words hold signed numbers bit by bit")]
impl TrapCell {
    /// What is armed at `now`.
    pub fn armed(&self, now: HostInstant) -> Option<Trap> {
        let id = self.id.load(Ordering::Acquire);
        if id == 0 {
            return None;
        }
        let (trap, armed_until) = (self.copy(id)?, self.armed_until());
        fence(Ordering::Acquire);
        (self.id.load(Ordering::Relaxed) == id && now < armed_until).then_some(trap)
    }

    fn copy(&self, id: u32) -> Option<Trap> {
        let what = self.what.load(Ordering::Relaxed);
        let number = self.number.load(Ordering::Relaxed);
        let on = match what & 0xff {
            WALL => On::Wall,
            MONO => On::Mono,
            CONNECT => On::Connect((what >> 24 & 0xffff) as u16),
            _ => return None,
        };
        let pick = match what >> 8 & 0xff {
            0 => Pick::Nth(number),
            _ => Pick::Chance { threshold: number, seed: self.seed.load(Ordering::Relaxed) },
        };
        let span = |word: &AtomicU64| Span::from_nanos(word.load(Ordering::Relaxed) as i64);
        Some(Trap {
            id,
            on,
            pick,
            count: self.count.load(Ordering::Relaxed),
            hold: span(&self.hold).max(Span::ZERO).min(LONGEST),
            whole_node: what >> 16 & 0xff != 0,
            asked: span(&self.asked),
            release: self.release.load(Ordering::Relaxed),
        })
    }

    /// Until when it is armed, if nobody says so again.
    pub fn armed_until(&self) -> HostInstant {
        HostInstant::from_nanos(self.armed_until.load(Ordering::Relaxed) as i64)
    }

    /// The id of what is armed, or was when its controller last said so; 0 for nothing.
    pub fn id(&self) -> u32 {
        self.id.load(Ordering::Acquire)
    }

    /// Arms it under an id of its own, which comes back; `trap`'s own id and release word are not looked at. Only for who has
    /// the right to arm, one at a time. `log` is ready for the first read under it.
    pub fn arm(&self, trap: &Trap, log: &TrapLog, until: HostInstant) -> u32 {
        self.id.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        let id = self.last_id.load(Ordering::Relaxed).wrapping_add(1).max(1);
        self.last_id.store(id, Ordering::Relaxed);
        let (kind, port) = match trap.on {
            On::Wall => (WALL, 0),
            On::Mono => (MONO, 0),
            On::Connect(port) => (CONNECT, u64::from(port)),
        };
        let (way, number, seed) = match trap.pick {
            Pick::Nth(nth) => (0, nth, 0),
            Pick::Chance { threshold, seed } => (1, threshold, seed),
        };
        self.what.store(kind | way << 8 | u64::from(trap.whole_node) << 16 | port << 24, Ordering::Relaxed);
        self.number.store(number, Ordering::Relaxed);
        self.seed.store(seed, Ordering::Relaxed);
        self.hold.store(trap.hold.as_nanos() as u64, Ordering::Relaxed);
        self.asked.store(trap.asked.as_nanos() as u64, Ordering::Relaxed);
        self.count.store(trap.count, Ordering::Relaxed);
        self.renew(until);
        log.begin(id);
        self.id.store(id, Ordering::Release);
        id
    }

    /// It is armed until then.
    pub fn renew(&self, until: HostInstant) {
        self.armed_until.store(until.as_nanos() as u64, Ordering::Release);
    }

    /// Ends it, if it is this one that is armed; threads that are held stay so. Whether it was.
    pub fn disarm(&self, id: u32) -> bool {
        id != 0 && self.id.compare_exchange(id, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Says that held threads may go on; whoever calls this wakes them.
    pub fn let_go(&self) {
        self.release.fetch_add(1, Ordering::AcqRel);
    }
}

/// A thread that was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    /// Its process, as its own pid namespace has it.
    pub pid: u32,
    /// Itself.
    pub tid: u32,
    /// That namespace, by its inode; 0 when unknown.
    pub namespace: u64,
    /// Which of the reads under the trap it was, from 1 on.
    pub ticket: u64,
    /// Since when it was held.
    pub at: HostInstant,
    /// Until when at most.
    pub until: HostInstant,
    /// When it went on; `None` while it has not.
    pub ended: Option<HostInstant>,
    /// Why it could not be held: what the kernel answered.
    pub refused: Option<u32>,
}

/// The record of one.
#[repr(C, align(64))]
#[derive(Debug, Default)]
struct FiringCell {
    /// The trap's id and which of its firings it is, from 1 on; the last that is written.
    key: AtomicU64,
    who: AtomicU64,
    namespace: AtomicU64,
    ticket: AtomicU64,
    at: AtomicU64,
    until: AtomicU64,
    ended: AtomicU64,
    refused: AtomicU64,
}

/// What came of a trap.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct TrapLog {
    /// The trap's tag (16 bits), and how many reads there were under it.
    tickets: AtomicU64,
    /// The trap's id (32 bits), and how many of them were held.
    fired: AtomicU64,
    /// A futex: changes when one is held, or goes on.
    pub changed: AtomicU32,
    _rest: [u32; 11],
    firings: [FiringCell; FIRINGS],
}

const TICKET_BITS: u32 = 48;
const TICKETS: u64 = (1 << TICKET_BITS) - 1;

const fn tag(id: u32) -> u64 {
    (id as u64 & 0xffff) << TICKET_BITS
}

const fn key(id: u32, index: u32) -> u64 {
    (id as u64) << 32 | index as u64
}

/// Zeroes, as a new evidence file has them.
impl Default for TrapLog {
    fn default() -> Self {
        TrapLog {
            tickets: AtomicU64::new(0),
            fired: AtomicU64::new(0),
            changed: AtomicU32::new(0),
            _rest: [0; 11],
            firings: core::array::from_fn(|_| FiringCell::default()),
        }
    }
}

#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "words hold packed and signed numbers bit by bit"
)]
impl TrapLog {
    fn begin(&self, id: u32) {
        self.fired.store(key(id, 0), Ordering::Relaxed);
        self.tickets.store(tag(id), Ordering::Relaxed);
    }

    /// The number of a read under the trap, from 1 on.
    pub fn ticket(&self, id: u32) -> Option<u64> {
        let taken = count_up(&self.tickets, |seen| seen & !TICKETS == tag(id) && seen & TICKETS != TICKETS)?;
        Some(taken & TICKETS)
    }

    /// Which firing of a trap that has so many this is, from 1 on; `None` when there were enough.
    pub fn claim(&self, id: u32, count: u32) -> Option<u32> {
        let claimed = count_up(&self.fired, |seen| seen >> 32 == u64::from(id) && (seen as u32) < count)?;
        Some(claimed as u32)
    }

    /// How many reads there were under a trap, and how many of them were held.
    pub fn counts(&self, id: u32) -> (u64, u32) {
        let (tickets, fired) = (self.tickets.load(Ordering::Relaxed), self.fired.load(Ordering::Relaxed));
        (
            if tickets & !TICKETS == tag(id) { tickets & TICKETS } else { 0 },
            if fired >> 32 == u64::from(id) { fired as u32 } else { 0 },
        )
    }

    /// Records a firing that was claimed.
    pub fn record(&self, id: u32, index: u32, firing: &Firing) {
        let cell = self.cell(index);
        cell.key.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        cell.who.store(u64::from(firing.pid) << 32 | u64::from(firing.tid), Ordering::Relaxed);
        cell.namespace.store(firing.namespace, Ordering::Relaxed);
        cell.ticket.store(firing.ticket, Ordering::Relaxed);
        cell.at.store(firing.at.as_nanos() as u64, Ordering::Relaxed);
        cell.until.store(firing.until.as_nanos() as u64, Ordering::Relaxed);
        cell.ended.store(0, Ordering::Relaxed);
        cell.refused.store(0, Ordering::Relaxed);
        cell.key.store(key(id, index), Ordering::Release);
        self.changed.fetch_add(1, Ordering::AcqRel);
    }

    /// Records that the thread went on, and what the kernel said if it could not be held.
    pub fn end(&self, id: u32, index: u32, at: HostInstant, refused: Option<u32>) {
        let cell = self.cell(index);
        if cell.key.load(Ordering::Relaxed) == key(id, index) {
            cell.refused.store(u64::from(refused.unwrap_or(0)), Ordering::Relaxed);
            cell.ended.store(at.as_nanos().max(1) as u64, Ordering::Release);
            self.changed.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// A firing of a trap; `None` where it is not recorded yet, or no more.
    pub fn firing(&self, id: u32, index: u32) -> Option<Firing> {
        self.of(self.cell(index), key(id, index))
    }

    /// All that are kept, of whatever trap.
    pub fn firings(&self) -> impl Iterator<Item = Firing> {
        self.firings.iter().filter_map(|cell| self.of(cell, cell.key.load(Ordering::Acquire)))
    }

    fn of(&self, cell: &FiringCell, key: u64) -> Option<Firing> {
        if key == 0 || cell.key.load(Ordering::Acquire) != key {
            return None;
        }
        let instant = |word: &AtomicU64| HostInstant::from_nanos(word.load(Ordering::Relaxed) as i64);
        let who = cell.who.load(Ordering::Relaxed);
        let ended = cell.ended.load(Ordering::Acquire);
        let refused = cell.refused.load(Ordering::Relaxed) as u32;
        let firing = Firing {
            pid: (who >> 32) as u32,
            tid: who as u32,
            namespace: cell.namespace.load(Ordering::Relaxed),
            ticket: cell.ticket.load(Ordering::Relaxed),
            at: instant(&cell.at),
            until: instant(&cell.until),
            ended: (ended != 0).then(|| HostInstant::from_nanos(ended as i64)),
            refused: (refused != 0).then_some(refused),
        };
        fence(Ordering::Acquire);
        (cell.key.load(Ordering::Relaxed) == key).then_some(firing)
    }

    fn cell(&self, index: u32) -> &FiringCell {
        &self.firings[index as usize % FIRINGS]
    }
}

/// Adds one to a word that is as it should be; what it is then.
fn count_up(word: &AtomicU64, fits: impl Fn(u64) -> bool) -> Option<u64> {
    let mut seen = word.load(Ordering::Relaxed);
    for _ in 0..TRIES {
        if !fits(seen) {
            return None;
        }
        match word.compare_exchange_weak(seen, seen + 1, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return Some(seen + 1),
            Err(now) => seen = now,
        }
    }
    None
}

const _: () = {
    assert!(size_of::<TrapCell>() == 128 && size_of::<FiringCell>() == 64);
    assert!(size_of::<TrapLog>().is_multiple_of(4096));
    const fn shared<T: Sync>() {}
    shared::<TrapCell>();
    shared::<TrapLog>();
};

#[cfg(test)]
mod tests;
