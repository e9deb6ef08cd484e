//! The registry: an entry for each thread that waits, with the deadline that libc looks at and that the helper may change.
//!
//! What must hold:
//! 1. No lock: an entry is its waiter's, or for the moment of an update the helper's, by [`falseticker_page::seat`].
//! 2. Entries are never unmapped: libc and the kernel may look at a deadline at any time.
//! 3. In a forked child all of it is zero (MADV_WIPEONFORK): every entry free, and a wait that a handler's fork took along
//!    ends at once, since its deadline is zero; whoever waited notices and begins anew.
//! 4. A waiter that was cancelled, or left by longjmp, leaves its entry behind. When no entry is free, those are found: of
//!    threads that are gone, or of this thread's own frames that are.
#![allow(unsafe_code)]
// Sound because entries hold atomic words alone, in memory that is never unmapped.

use core::sync::atomic::{AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use falseticker_page::layout::Clock;
use falseticker_page::seat::Seat as Word;
use falseticker_page::time::{HostInstant, NodeInstant};

use super::due::{Deadline, Due, Measure};
use super::{Early, Object, Wait, libc};
use crate::abi::Timespec;
use crate::arch::thread::stack_pointer;
use crate::state::PRIVATE;
use crate::sys;

/// Entries that are made at a time.
const CHUNK: usize = 512;
/// How often they may be made: 65,536 waiters; further ones wait in slices.
pub const CHUNKS: usize = 128;

/// Entries that are mapped together.
#[repr(C)]
pub struct Chunk([Entry; CHUNK]);

/// One waiter.
#[repr(C, align(128))]
pub struct Entry {
    /// Whose it is.
    word: Word,
    /// What libc is given: seconds and nanoseconds.
    deadline: [AtomicI64; 2],
    target: AtomicI64,
    since: AtomicI64,
    /// When the deadline comes by the schedule as it was last seen, and whether the clock is true then.
    at: AtomicI64,
    on_true: AtomicU32,
    /// Not 0 from a change of `at` on: the waiter is to be woken until it leaves.
    moved: AtomicU32,
    /// The clock, the measure and what to do when it ends early, packed by [`pack`].
    how: AtomicU64,
    /// What is waited on.
    object: AtomicUsize,
    length: AtomicU32,
    /// Where the waiter's stack ended, and what else is known of the object.
    stack: AtomicUsize,
    kind: AtomicU32,
}

/// Libc's own words on the stack are waited on.
const ON_STACK: u32 = 1;
/// Nobody else waits there.
const IS_OWN: u32 = 2;

/// An entry that is this waiter's until it is dropped.
pub struct Seat {
    entry: &'static Entry,
    thread: u32,
}

/// Takes an entry; `None` when none is to be had.
pub fn take() -> Option<Seat> {
    let thread = libc::own_thread();
    let seat = |entry: &'static Entry| entry.claim(thread);
    if let Some(seat) = entries().find_map(seat) {
        return Some(seat);
    }
    for entry in entries() {
        entry.free_if_left(thread);
    }
    entries().find_map(seat).or_else(|| grow()?.0.iter().find_map(seat))
}

/// All entries.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    chunks().flat_map(|chunk| &chunk.0)
}

fn chunks() -> impl Iterator<Item = &'static Chunk> {
    // SAFETY: null, or a mapping of a chunk's size that is never unmapped; zeroed, which is every entry free.
    PRIVATE.chunks.iter().map_while(|chunk| unsafe { chunk.load(Ordering::Acquire).as_ref() })
}

/// Maps another chunk.
fn grow() -> Option<&'static Chunk> {
    let place = PRIVATE.chunks.iter().find(|chunk| chunk.load(Ordering::Acquire).is_null())?;
    let at = sys::mmap_anonymous(size_of::<Chunk>()).ok()?;
    sys::wipe_on_fork(at, size_of::<Chunk>());
    sys::name_mapping(at, size_of::<Chunk>(), c"falseticker waits");
    let new = at as *mut Chunk;
    let known = match place.compare_exchange(core::ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire)
    {
        Ok(_) => new,
        Err(other) => {
            // SAFETY: just mapped, and known to nobody.
            let _ = unsafe { sys::munmap(at, size_of::<Chunk>()) };
            other
        }
    };
    // SAFETY: as for every chunk.
    unsafe { known.as_ref() }
}

impl Entry {
    fn claim(&'static self, thread: u32) -> Option<Seat> {
        self.word.claim(thread).then(|| Seat { entry: self, thread })
    }

    /// Frees an entry whose waiter has gone without a word.
    fn free_if_left(&self, own: u32) {
        let Some(thread) = self.word.opened_by() else { return };
        let left = if thread == own { self.is_of_a_frame_gone() } else { is_gone(thread) };
        if left {
            self.word.free(thread);
        }
    }

    /// Whether this thread's stack no longer reaches down to where the entry was made. On a signal's own stack nothing is known.
    fn is_of_a_frame_gone(&self) -> bool {
        let made_at = self.stack.load(Ordering::Relaxed);
        made_at != 0 && made_at < stack_pointer() && !sys::thread::is_on_signal_stack()
    }

    /// Puts the deadline where the schedule now has it, as `due` says.
    pub fn refresh(&self, due: impl FnOnce(&Deadline) -> Option<Due>) -> Refreshed {
        let Some(_update) = self.word.begin_update() else { return Refreshed::Same };
        let (deadline, measure, early) = self.deadline();
        let Some(due) = due(&deadline) else { return Refreshed::Unknown };
        let at = HostInstant::from_nanos(self.at.load(Ordering::Relaxed));
        if due.agrees_with(at, self.on_true.load(Ordering::Relaxed) != 0) {
            return Refreshed::Same;
        }
        self.show(&due, &deadline, measure, early);
        self.moved.store(1, Ordering::Relaxed);
        Refreshed::Moved
    }

    /// Puts a deadline that is measured by a node's clock anew, for a waiter that looks at it in another segment than the one
    /// for which it was made. Whether it now is the same whenever the waiter looks.
    pub fn renew(&self, due: impl FnOnce(&Deadline) -> Option<Due>) -> bool {
        let Some(_update) = self.word.begin_update() else { return false };
        let (deadline, measure, early) = self.deadline();
        if let Measure::Host(_) = measure {
            return true;
        }
        let Some(due) = due(&deadline) else { return false };
        self.show(&due, &deadline, measure, early);
        !due.turns()
    }

    /// Its waiter has looked at the deadline since that moved.
    pub fn settle(&self) {
        let update = self.word.begin_update();
        if update.is_some() {
            self.moved.store(0, Ordering::Relaxed);
        }
    }

    fn deadline(&self) -> (Deadline, Measure, Early) {
        let (clock, measure, early) = unpack(self.how.load(Ordering::Relaxed));
        let target = NodeInstant::from_nanos(self.target.load(Ordering::Relaxed));
        let since = HostInstant::from_nanos(self.since.load(Ordering::Relaxed));
        (Deadline { clock, target, since }, measure, early)
    }

    fn show(&self, due: &Due, deadline: &Deadline, measure: Measure, early: Early) {
        let shown = deadline.for_libc(due, measure, early == Early::Again);
        self.at.store(due.at.as_nanos(), Ordering::Relaxed);
        self.on_true.store(u32::from(due.on_true), Ordering::Relaxed);
        // Should libc look in between, it ends too early, which is noticed, or is woken once more.
        self.deadline[1].store(shown.nsec, Ordering::Relaxed);
        self.deadline[0].store(shown.sec, Ordering::Release);
    }

    /// What is waited on.
    pub fn object(&self) -> Object {
        Object {
            at: self.object.load(Ordering::Relaxed),
            length: self.length.load(Ordering::Relaxed) as usize,
            on_stack: self.kind.load(Ordering::Relaxed) & ON_STACK != 0,
            is_own: self.kind.load(Ordering::Relaxed) & IS_OWN != 0,
        }
    }

    /// Where the waiter's stack ended.
    pub fn stack(&self) -> usize {
        self.stack.load(Ordering::Relaxed)
    }

    /// Whether the waiter is to be woken only when its clock shows the change.
    pub fn is_for_a_length(&self) -> bool {
        unpack(self.how.load(Ordering::Relaxed)).2 == Early::SpuriousOnceShown
    }

    /// Whether the waiter is to be woken.
    pub fn has_moved(&self) -> bool {
        self.word.opened_by().is_some() && self.moved.load(Ordering::Relaxed) != 0
    }
}

/// What became of a deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// It is where it was, or nobody's.
    Same,
    /// It has moved.
    Moved,
    /// The page gave no answer.
    Unknown,
}

impl Seat {
    /// Writes down what is waited for, and where the stack of who calls libc ends, for the helper to find once [`Seat::open`]
    /// is called.
    pub fn fill(&self, wait: &Wait, due: &Due, stack: usize) {
        let (entry, deadline, object) = (self.entry, &wait.deadline, wait.object);
        entry.target.store(deadline.target.as_nanos(), Ordering::Relaxed);
        entry.since.store(deadline.since.as_nanos(), Ordering::Relaxed);
        entry.how.store(pack(deadline.clock, wait.measure, wait.early), Ordering::Relaxed);
        entry.moved.store(0, Ordering::Relaxed);
        entry.object.store(object.at, Ordering::Relaxed);
        entry.length.store(object.length as u32, Ordering::Relaxed);
        let kind = if object.on_stack { ON_STACK } else { 0 } | if object.is_own { IS_OWN } else { 0 };
        entry.kind.store(kind, Ordering::Relaxed);
        entry.stack.store(stack, Ordering::Relaxed);
        entry.show(due, deadline, wait.measure, wait.early);
    }

    /// Lets the helper see the entry; the page's word is to be looked at after this.
    pub fn open(&self) {
        self.entry.word.open(self.thread);
    }

    /// Takes it back to be filled anew; `false` when the helper is at it, which then does just that.
    pub fn close(&self) -> bool {
        self.entry.word.close(self.thread)
    }

    /// The deadline for libc to look at.
    pub fn deadline(&self) -> *const Timespec {
        self.entry.deadline.as_ptr().cast()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.entry.word.leave(self.thread);
    }
}

/// Whether no thread or process of this id is left.
fn is_gone(thread: u32) -> bool {
    sys::thread::signal(thread, 0) == Err(sys::errno::ESRCH)
}

fn pack(clock: Clock, measure: Measure, early: Early) -> u64 {
    let (kind, id) = match measure {
        Measure::Host(id) => (0, id),
        Measure::Node(id) => (1, id),
    };
    clock as u64 | kind << 8 | (early as u64) << 16 | u64::from(id as u32) << 32
}

fn unpack(how: u64) -> (Clock, Measure, Early) {
    let clock = match how as u8 {
        0 => Clock::Wall,
        1 => Clock::Mono,
        _ => Clock::Boot,
    };
    let id = (how >> 32) as i32;
    let measure = if (how >> 8) as u8 == 0 { Measure::Host(id) } else { Measure::Node(id) };
    let early = match (how >> 16) as u8 {
        0 => Early::Again,
        1 => Early::Spurious,
        _ => Early::SpuriousOnceShown,
    };
    (clock, measure, early)
}

/// What the state holds of the registry.
pub type Chunks = [AtomicPtr<Chunk>; CHUNKS];

const _: () = assert!(size_of::<Entry>() == 128 && core::mem::offset_of!(Entry, deadline) == 8);
