//! What stands where in a ledger.

use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};

use super::text::Text;
use crate::freeze::means::Means;
use crate::process::ProcessId;
use crate::{HostInstant, Span, host_clock};

/// How many processes or threads one freeze can hold.
pub(in crate::freeze) const CAPACITY: usize = 1 << 18;
/// How many control groups one freeze can take processes from.
pub(in crate::freeze) const ORIGINS: usize = 32;
/// The longest path of a control group, and one.
pub(in crate::freeze) const PATH: usize = 1024;
/// The number of no control group.
pub(in crate::freeze) const NO_ORIGIN: u32 = u32::MAX;

const MAGIC: u64 = u64::from_le_bytes(*b"FTFROZE\xf1");
const VERSION: u32 = 1;
/// An instant that has not come.
const NEVER: i64 = i64::MIN;

/// How far a freeze has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(in crate::freeze) enum Phase {
    /// The controller stops processes. A guard that is asked to end the pause may not leave before the
    /// controller is dead or done: the controller could stop one more after the guard has gone.
    Freezing = 0,
    /// All are stopped; the controller sends no more stops, and the pause ends with the controller.
    Held = 1,
    /// The same, but the controller may leave.
    Detached = 2,
    /// A guard was asked to end the pause while it was [`Phase::Freezing`]; the controller must give up.
    CalledOff = 3,
    /// Somebody resumes the processes; whoever finds him dead does it again.
    Thawing = 4,
    /// All run again.
    Done = 5,
}

impl Phase {
    fn of(number: u32) -> Phase {
        match number {
            0 => Phase::Freezing,
            1 => Phase::Held,
            2 => Phase::Detached,
            3 => Phase::CalledOff,
            5 => Phase::Done,
            _ => Phase::Thawing,
        }
    }

    /// Whether whoever stands in the ledger is to stay held.
    pub(in crate::freeze) fn claims(self) -> bool {
        matches!(self, Phase::Freezing | Phase::Held | Phase::Detached)
    }
}

/// A ledger in memory.
#[repr(C)]
pub(in crate::freeze) struct Shared {
    magic: AtomicU64,
    version: AtomicU32,
    phase: AtomicU32,
    count: AtomicU32,
    session: AtomicI32,
    means: AtomicU32,
    /// Whoever holds threads counts here how often something has happened; a futex.
    pub(in crate::freeze) progress: AtomicU32,
    began: AtomicI64,
    since: AtomicI64,
    since_wall: AtomicI64,
    until: AtomicI64,
    requested: AtomicI64,
    /// Why these means were chosen.
    pub(in crate::freeze) why: Text<256>,
    /// The control group that holds them, of which version; empty if there is none.
    pub(in crate::freeze) cgroup: Text<PATH>,
    pub(in crate::freeze) cgroup_version: AtomicU32,
    /// From which control groups they were taken.
    pub(in crate::freeze) origins: [Text<PATH>; ORIGINS],
    entries: [Entry; CAPACITY],
}

/// Whom a freeze holds.
#[repr(C)]
pub(in crate::freeze) struct Entry {
    pid: AtomicI32,
    tid: AtomicI32,
    start_ticks: AtomicU64,
    is_found: AtomicU32,
    origin: AtomicU32,
    /// Of a thread: why it could not be held, or 0.
    pub(in crate::freeze) errno: AtomicI32,
    stop_sent: AtomicI64,
    confirmed: AtomicI64,
    resumed: AtomicI64,
}

/// What is written of one process or thread before it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::freeze) struct Held {
    /// The process; of a thread, its number and start within that process.
    pub(in crate::freeze) id: ProcessId,
    /// The thread, or 0 for all of them.
    pub(in crate::freeze) tid: i32,
    /// It was found stopped, and is left so.
    pub(in crate::freeze) is_found: bool,
    /// The number of the control group that it was taken from.
    pub(in crate::freeze) origin: u32,
}

impl Held {
    pub(in crate::freeze) fn process(id: ProcessId) -> Held {
        Held { id, tid: 0, is_found: false, origin: NO_ORIGIN }
    }
}

/// Why a ledger is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::freeze) enum Unfit {
    /// Nothing was written yet.
    Empty,
    /// It is no ledger.
    Magic,
    /// It is one of another version.
    Version(u32),
}

impl Shared {
    /// The length of a ledger of so many entries.
    pub(super) fn length(entries: usize) -> usize {
        offset_of!(Shared, entries) + entries * size_of::<Entry>()
    }

    /// Makes a ledger of zeroes, which nobody but the guards takes for one yet.
    pub(super) fn begin(&self) {
        self.version.store(VERSION, Ordering::Relaxed);
        for never in [&self.began, &self.since, &self.since_wall, &self.until, &self.requested] {
            never.store(NEVER, Ordering::Relaxed);
        }
        self.began.store(host_clock::monotonic().as_nanos(), Ordering::Relaxed);
    }

    /// Makes it one for all, now that somebody answers for it.
    pub(in crate::freeze) fn publish(&self) {
        self.magic.store(MAGIC, Ordering::SeqCst);
    }

    /// Whether it is a ledger of this version. Async-signal-safe, as all that follows.
    pub(in crate::freeze) fn check(&self) -> Result<(), Unfit> {
        match (self.magic.load(Ordering::SeqCst), self.version.load(Ordering::Relaxed)) {
            (MAGIC, VERSION) => Ok(()),
            (0, _) => Err(Unfit::Empty),
            (MAGIC, other) => Err(Unfit::Version(other)),
            _ => Err(Unfit::Magic),
        }
    }

    pub(in crate::freeze) fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Ordering::SeqCst))
    }

    /// Go to a phase from wherever it is; the phase that was.
    pub(in crate::freeze) fn enter_phase(&self, phase: Phase) -> Phase {
        Phase::of(self.phase.swap(phase as u32, Ordering::SeqCst))
    }

    /// Go from one phase to another, unless it has moved.
    pub(in crate::freeze) fn step(&self, from: Phase, to: Phase) -> bool {
        self.phase.compare_exchange(from as u32, to as u32, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// The session of the guards, which never stop one another: 0 until they run.
    pub(in crate::freeze) fn session(&self) -> i32 {
        self.session.load(Ordering::SeqCst)
    }

    pub(in crate::freeze) fn set_session(&self, session: i32) {
        self.session.store(session, Ordering::SeqCst);
    }

    /// By which means they are held.
    pub(in crate::freeze) fn means(&self) -> Means {
        Means::of(self.means.load(Ordering::SeqCst)).unwrap_or_default()
    }

    pub(in crate::freeze) fn set_means(&self, means: Means) {
        self.means.store(means as u32, Ordering::SeqCst);
    }

    pub(in crate::freeze) fn count(&self) -> usize {
        usize::try_from(self.count.load(Ordering::SeqCst)).unwrap_or(0).min(CAPACITY)
    }

    /// Everyone in it.
    pub(in crate::freeze) fn entries(&self) -> &[Entry] {
        self.entries.get(..self.count()).unwrap_or(&[])
    }

    /// Everyone who is to be resumed.
    pub(in crate::freeze) fn held(&self) -> impl Iterator<Item = &Entry> {
        self.entries().iter().filter(|entry| !entry.is_found())
    }

    /// Writes entries, of which there is room for, behind the first `from`.
    pub(super) fn add(&self, from: usize, held: &[Held]) {
        for (entry, held) in self.entries.iter().skip(from).zip(held) {
            entry.write(held);
        }
        self.count.store(u32::try_from(from + held.len()).unwrap_or(0), Ordering::SeqCst);
    }

    /// When the freeze began.
    pub(in crate::freeze) fn began(&self) -> HostInstant {
        HostInstant::from_nanos(self.began.load(Ordering::Relaxed))
    }

    /// Since when all stand still, by CLOCK_MONOTONIC and by CLOCK_REALTIME.
    pub(in crate::freeze) fn since(&self) -> Option<(HostInstant, i64)> {
        Some((instant(&self.since)?, self.since_wall.load(Ordering::Relaxed)))
    }

    pub(in crate::freeze) fn set_since(&self, since: HostInstant, wall: i64) {
        self.since_wall.store(wall, Ordering::Relaxed);
        self.since.store(since.as_nanos(), Ordering::Release);
    }

    /// The planned end, and how long it was asked to last.
    pub(in crate::freeze) fn plan(&self) -> (Option<HostInstant>, Option<Span>) {
        let requested = instant(&self.requested).map(|span| Span::from_nanos(span.as_nanos()));
        (instant(&self.until), requested)
    }

    pub(in crate::freeze) fn set_plan(&self, until: Option<HostInstant>, requested: Option<Span>) {
        self.until.store(until.map_or(NEVER, HostInstant::as_nanos), Ordering::Relaxed);
        self.requested.store(requested.map_or(NEVER, Span::as_nanos), Ordering::Relaxed);
    }
}

impl Entry {
    fn write(&self, held: &Held) {
        self.pid.store(held.id.pid, Ordering::Relaxed);
        self.tid.store(held.tid, Ordering::Relaxed);
        self.start_ticks.store(held.id.start_ticks, Ordering::Relaxed);
        self.is_found.store(u32::from(held.is_found), Ordering::Relaxed);
        self.origin.store(held.origin, Ordering::Relaxed);
        for never in [&self.stop_sent, &self.confirmed, &self.resumed] {
            never.store(NEVER, Ordering::Relaxed);
        }
    }

    /// The process; of a thread, with the thread's start.
    pub(in crate::freeze) fn id(&self) -> ProcessId {
        ProcessId {
            pid: self.pid.load(Ordering::Relaxed),
            start_ticks: self.start_ticks.load(Ordering::Relaxed),
        }
    }

    /// The thread, or 0.
    pub(in crate::freeze) fn tid(&self) -> i32 {
        self.tid.load(Ordering::Relaxed)
    }

    /// Whether it was found stopped, and is left so.
    pub(in crate::freeze) fn is_found(&self) -> bool {
        self.is_found.load(Ordering::Relaxed) != 0
    }

    pub(in crate::freeze) fn origin(&self) -> u32 {
        self.origin.load(Ordering::Relaxed)
    }

    /// Just before its stop was sent for the first time.
    pub(in crate::freeze) fn stop_sent(&self) -> Option<HostInstant> {
        instant(&self.stop_sent)
    }

    /// When it had been seen to stand still.
    pub(in crate::freeze) fn confirmed(&self) -> Option<HostInstant> {
        instant(&self.confirmed)
    }

    /// Just before it was resumed.
    pub(in crate::freeze) fn resumed(&self) -> Option<HostInstant> {
        instant(&self.resumed)
    }

    pub(in crate::freeze) fn set_stop_sent(&self, at: HostInstant) {
        self.stop_sent.store(at.as_nanos(), Ordering::Relaxed);
    }

    pub(in crate::freeze) fn set_confirmed(&self, at: HostInstant) {
        self.confirmed.store(at.as_nanos(), Ordering::Release);
    }

    /// Notes that it is resumed now; the first time counts.
    pub(in crate::freeze) fn resume_now(&self) {
        let now = host_clock::monotonic().as_nanos();
        let _ = self.resumed.compare_exchange(NEVER, now, Ordering::Relaxed, Ordering::Relaxed);
    }
}

fn instant(word: &AtomicI64) -> Option<HostInstant> {
    let nanos = word.load(Ordering::Acquire);
    (nanos != NEVER).then(|| HostInstant::from_nanos(nanos))
}
