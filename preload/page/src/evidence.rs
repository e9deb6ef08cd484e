//! Evidence: each process's own marks that it has read its clock under a change.
//!
//! A file apart from the schedules, since its readers write here. A process has a row: a head that says who it is,
//! and a ring of [`MARKS`] marks, each at its change's id modulo their number. A mark is one word (the high bits of
//! the id, and the instant), so that it is never torn, needs no lock and can be made in a signal handler.
//!
//! What must hold: a mark is of the change whose segment was used, made at the process's first read under it; a newer
//! mark is never replaced by an older one; what is overwritten is counted. The file is written by programs that may
//! be wild: the controller believes none of it beyond what it can check.

use core::mem::size_of;

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::time::HostInstant;
use crate::trap::TrapLog;

/// "FTMARK" and two bytes that no text has.
pub const MAGIC: u64 = u64::from_le_bytes(*b"FTMARK\x1a\xf7");
/// The version of this layout.
pub const VERSION: u32 = 3;
/// Marks in a process's ring.
pub const MARKS: usize = 1024;
/// Processes that can have a row at one time.
pub const ROWS: usize = 1024;
/// In [`RowHead::detour`]: no shim, but a vDSO that was replaced when the program was executed. Above what refusals' codes need.
pub const REACHED_BY_VDSO: u64 = 1 << 32;
/// In [`RowHead::detour`]: no shim, but a vDSO that was detoured while the process ran.
pub const REACHED_BY_ATTACH: u64 = 2 << 32;
/// The size of the evidence file.
pub const EVIDENCE_SIZE: usize = size_of::<Evidence>();

/// The file's first 4 KiB.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// [`VERSION`].
    pub version: AtomicU32,
    /// Counts the processes that loaded the shim; a futex is woken here at each.
    pub arrivals: AtomicU32,
    /// [`EVIDENCE_SIZE`].
    pub size: AtomicU64,
    /// Where the next search for a free row begins.
    pub cursor: AtomicU64,
    /// Processes that found no row: their evidence is unknown.
    pub unseated: AtomicU64,
    /// When the node was made, on the host's CLOCK_MONOTONIC in nanoseconds; marks count from here.
    pub created: AtomicU64,
    /// Calls that set the clock and were refused, in all of the node's processes: those that are gone, and those that
    /// have no row, too.
    pub refused_settings: AtomicU64,
    /// Counts what helpers have said in [`RowHead::followed`]; a futex is woken here at each.
    pub acknowledged: AtomicU32,
}

/// What state a row is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody's.
    Free,
    /// Being taken or cleared by a process.
    Busy(u32),
    /// A process's.
    Live(u32),
    /// Of a process that is gone, kept until somebody needs the row.
    Gone(u32),
}

impl State {
    const fn bits(self) -> u64 {
        match self {
            State::Free => 0,
            State::Busy(pid) => 1 << 32 | pid as u64,
            State::Live(pid) => 2 << 32 | pid as u64,
            State::Gone(pid) => 3 << 32 | pid as u64,
        }
    }

    const fn from_bits(bits: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the pid is the low half")]
        let pid = bits as u32;
        match bits >> 32 {
            1 => State::Busy(pid),
            2 => State::Live(pid),
            3 => State::Gone(pid),
            _ => State::Free,
        }
    }
}

/// How a process's waits follow its node's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It has not waited for an instant of a clock that may be faulted.
    None,
    /// A helper re-evaluates them at each change.
    Kicked,
    /// In slices, since the helper could not be made, for this errno.
    Sliced(u32),
}

impl Waits {
    const fn bits(self) -> u64 {
        match self {
            Waits::None => 0,
            Waits::Kicked => 1 << 32,
            Waits::Sliced(errno) => 2 << 32 | errno as u64,
        }
    }

    const fn from_bits(bits: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the errno is the low half")]
        let errno = bits as u32;
        match bits >> 32 {
            1 => Waits::Kicked,
            2 => Waits::Sliced(errno),
            _ => Waits::None,
        }
    }
}

/// How far a process's helper has followed the schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// The publication that it has seen to: all waits are by it.
    pub generation: u64,
    /// Whether all armed timers are by it too.
    pub whole: bool,
}

impl Followed {
    const fn bits(self) -> u64 {
        self.generation << 1 | self.whole as u64
    }

    const fn from_bits(bits: u64) -> Self {
        Followed { generation: bits >> 1, whole: bits & 1 != 0 }
    }
}

/// Who a row belongs to.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct RowHead {
    state: AtomicU64,
    /// When it was taken, by the host's CLOCK_MONOTONIC: a process that started later is another one with this pid.
    pub taken_at: AtomicU64,
    /// Marks that were overwritten by newer ones.
    pub overflow: AtomicU64,
    /// How the process is reached: 0 by the shim with its vDSO detoured, [`REACHED_BY_VDSO`], [`REACHED_BY_ATTACH`]; any
    /// other word is why the shim's vDSO is not detoured ([`Refusal::code`](crate::detour::Refusal::code)).
    pub detour: AtomicU64,
    /// The pid namespace in which the pid is the process's own, by its inode; 0 when unknown. Whoever is in another one knows
    /// that process by another pid, if at all.
    pub namespace: AtomicU64,
    /// Calls of the process that set the clock and were refused.
    pub refused_settings: AtomicU64,
    waits: AtomicU64,
    followed: AtomicU64,
}

impl RowHead {
    /// The row's state.
    pub fn state(&self) -> State {
        State::from_bits(self.state.load(Ordering::Acquire))
    }

    /// Changes the state, if it is still `from`.
    pub fn turn(&self, from: State, to: State) -> bool {
        self.state.compare_exchange(from.bits(), to.bits(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// How the process's waits follow the clock, as it last said.
    pub fn waits(&self) -> Waits {
        Waits::from_bits(self.waits.load(Ordering::Relaxed))
    }

    /// Says how the process's waits follow the clock.
    pub fn note_waits(&self, waits: Waits) {
        self.waits.store(waits.bits(), Ordering::Relaxed);
    }

    /// How far the process's helper has followed the schedule, as it last said.
    pub fn followed(&self) -> Followed {
        Followed::from_bits(self.followed.load(Ordering::Acquire))
    }

    /// Says how far the process's helper has followed the schedule; whether that is news.
    pub fn note_followed(&self, followed: Followed) -> bool {
        self.followed.swap(followed.bits(), Ordering::Release) != followed.bits()
    }
}

/// The marks of one process.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Ring([AtomicU64; MARKS]);

/// Bits of a mark that hold the instant, in units of 16 ns since the node was made: 52 days.
const INSTANT_BITS: u32 = 48;
const INSTANT_SHIFT: u32 = 4;
const INSTANT_MASK: u64 = (1 << INSTANT_BITS) - 1;

/// The part of a change's id that its place in the ring does not say.
const fn tag(change: u32) -> u64 {
    (change as u64 / MARKS as u64) & 0xffff
}

impl Ring {
    /// Marks that the process read its clock under `change` at `at`; `epoch` is when the node was made. Returns
    /// whether an older mark was overwritten.
    pub fn mark(&self, change: u32, at: HostInstant, epoch: HostInstant) -> bool {
        let Some(cell) = self.0.get(change as usize % MARKS) else {
            return false;
        };
        let units = at.saturating_since(epoch).as_nanos().max(0).unsigned_abs() >> INSTANT_SHIFT;
        // One more, so that a mark is never zero.
        let made = tag(change) << INSTANT_BITS | units.saturating_add(1).min(INSTANT_MASK);
        let mut seen = cell.load(Ordering::Relaxed);
        loop {
            if seen != 0 && !newer(tag(change), seen >> INSTANT_BITS) {
                return false;
            }
            match cell.compare_exchange(seen, made, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return seen != 0,
                Err(now) => seen = now,
            }
        }
    }

    /// When the process first read its clock under `change`; `None` if it has not, or the mark was overwritten.
    pub fn marked(&self, change: u32, epoch: HostInstant) -> Option<HostInstant> {
        let mark = self.0.get(change as usize % MARKS)?.load(Ordering::Acquire);
        if mark == 0 || mark >> INSTANT_BITS != tag(change) {
            return None;
        }
        // Its instant is never zero, unless somebody else than `mark` wrote it.
        let nanos = (mark & INSTANT_MASK).checked_sub(1)? << INSTANT_SHIFT;
        Some(epoch.saturating_add(crate::time::Span::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))))
    }

    fn clear(&self) {
        for mark in &self.0 {
            mark.store(0, Ordering::Relaxed);
        }
    }
}

/// Whether one tag is newer than another, as serial numbers compare.
const fn newer(tag: u64, than: u64) -> bool {
    let ahead = tag.wrapping_sub(than) & 0xffff;
    ahead != 0 && ahead < 0x8000
}

/// The evidence file as a whole.
#[repr(C)]
#[derive(Debug)]
pub struct Evidence {
    /// Magic, version, counters.
    pub header: Header,
    /// Who was held at a read.
    pub traps: TrapLog,
    /// Who is who.
    pub heads: [RowHead; ROWS],
    /// The marks, in the same order.
    pub rings: [Ring; ROWS],
}

impl Evidence {
    /// Whether this is an evidence file of this version.
    pub fn check(&self) -> bool {
        self.header.magic.load(Ordering::Acquire) == MAGIC
            && self.header.version.load(Ordering::Relaxed) == VERSION
            && self.header.size.load(Ordering::Relaxed) == EVIDENCE_SIZE as u64
    }

    /// Takes a row for the process that has `pid` in `namespace`: a free one, or one whose owner `gone` says is gone. Makes no
    /// syscall of its own.
    pub fn take(
        &self,
        pid: u32,
        namespace: u64,
        now: HostInstant,
        gone: impl Fn(&RowHead) -> bool,
    ) -> Option<usize> {
        let begin = usize::try_from(self.header.cursor.fetch_add(1, Ordering::Relaxed)).unwrap_or(0);
        let row = self
            .search(pid, begin, |head| head.state() == State::Free)
            .or_else(|| self.search(pid, begin, |head| matches!(head.state(), State::Gone(_))))
            .or_else(|| self.search(pid, begin, gone));
        let Some(row) = row else {
            self.header.unseated.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let head = self.heads.get(row)?;
        self.rings.get(row)?.clear();
        head.taken_at.store(now.as_nanos().unsigned_abs(), Ordering::Relaxed);
        head.overflow.store(0, Ordering::Relaxed);
        head.detour.store(0, Ordering::Relaxed);
        // Before the row is live: a pid without its namespace could be taken for somebody else's.
        head.namespace.store(namespace, Ordering::Relaxed);
        head.refused_settings.store(0, Ordering::Relaxed);
        head.note_waits(Waits::None);
        head.note_followed(Followed::default());
        head.turn(State::Busy(pid), State::Live(pid)).then_some(row)
    }

    /// The first row from `begin` on that is as wanted, now busy for `pid`.
    fn search(&self, pid: u32, begin: usize, wanted: impl Fn(&RowHead) -> bool) -> Option<usize> {
        (0..ROWS).map(|step| begin.wrapping_add(step) % ROWS).find(|row| {
            let Some(head) = self.heads.get(*row) else {
                return false;
            };
            let state = head.state();
            wanted(head) && head.turn(state, State::Busy(pid))
        })
    }

    /// Marks that the process of `row` read its clock under `change`.
    pub fn mark(&self, row: usize, change: u32, at: HostInstant, epoch: HostInstant) {
        if let (Some(head), Some(ring)) = (self.heads.get(row), self.rings.get(row))
            && ring.mark(change, at, epoch)
        {
            head.overflow.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a call that set the clock and was refused; `row` is the process's, if it has one.
    pub fn count_refused_setting(&self, row: Option<usize>) {
        self.header.refused_settings.fetch_add(1, Ordering::Relaxed);
        if let Some(head) = row.and_then(|row| self.heads.get(row)) {
            head.refused_settings.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes how the waits of the process of `row` follow the clock.
    pub fn note_waits(&self, row: usize, waits: Waits) {
        if let Some(head) = self.heads.get(row) {
            head.note_waits(waits);
        }
    }
}

const _: () = {
    assert!(size_of::<Header>() == 4096 && size_of::<RowHead>() == 64);
    assert!(size_of::<Ring>() == MARKS * 8 && MARKS.is_power_of_two());
    assert!(EVIDENCE_SIZE.is_multiple_of(4096));
    const fn shared<T: Sync>() {}
    shared::<Evidence>();
};
