//! What this process's libc keeps to itself, found out at load by looking: where a condition says its clock, where a mutex says
//! that it inherits priority, where a thread's id lies, and which waits read the clock themselves.
//!
//! What must hold: what could not be found out is as in a program that uses none of it: conditions are on CLOCK_REALTIME, mutexes
//! plain, and the kernel is given absolute deadlines.
#![allow(unsafe_code)]
// Sound because libc's functions are given zeroed objects, larger than any libc's, that no other thread knows; zeroes are what
// the static initialisers of glibc and musl are. A program's object is read where libc itself reads it.

use core::ffi::c_void;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::due::Measure;
use super::real;
use crate::abi::{Timespec, clock};
use crate::arch::thread::{stack_pointer, thread_pointer};
use crate::read;
use crate::symbols::errno;
use crate::sys;

/// Which of libc's waits.
#[derive(Clone, Copy)]
pub enum Family {
    /// Conditions.
    Condition = 0,
    /// Mutexes.
    Mutex = 1,
    /// Locks for readers and a writer.
    Lock = 2,
    /// Semaphores, and joins.
    Semaphore = 3,
}

/// Whether this is glibc.
static GLIBC: AtomicU32 = AtomicU32::new(0);
/// The families, a bit each, that read the clock and give the kernel what is left.
static READ_THE_CLOCK: AtomicU32 = AtomicU32::new(0);
static CONDITION_CLOCK: Bit = Bit::new();
static MUTEX_INHERITS: Bit = Bit::new();
/// Where in what `pthread_t` points to the thread's id is; 0 if unknown.
static THREAD_ID: AtomicUsize = AtomicUsize::new(0);

/// Room for any libc's object; zeroed.
type Room = [u64; 32];

/// A bit of an object: the byte it is in, plus one, and its mask.
struct Bit(AtomicUsize, AtomicU32);

impl Bit {
    const fn new() -> Self {
        Bit(AtomicUsize::new(0), AtomicU32::new(0))
    }

    /// Takes it from where two objects differ.
    fn learn(&self, plain: &Room, other: &Room) {
        let bytes = |room: &Room| room.map(u64::to_ne_bytes);
        let (plain, other) = (bytes(plain), bytes(other));
        let mut pairs = plain.as_flattened().iter().zip(other.as_flattened()).enumerate();
        if let Some((at, (one, two))) = pairs.find(|(_, (one, two))| one != two) {
            self.1.store(u32::from(one ^ two), Ordering::Relaxed);
            self.0.store(at + 1, Ordering::Release);
        }
    }

    /// Whether it is set in an object.
    fn is_set_in(&self, object: *const c_void) -> bool {
        let at = self.0.load(Ordering::Acquire);
        // SAFETY: a byte of a live object that libc is about to look at too.
        at != 0
            && u32::from(unsafe { object.cast::<u8>().add(at - 1).read_volatile() })
                & self.1.load(Ordering::Relaxed)
                != 0
    }
}

/// Whether this process's libc is glibc.
pub fn is_glibc() -> bool {
    GLIBC.load(Ordering::Relaxed) != 0
}

/// The clock of a condition.
pub fn condition_clock(condition: *const c_void) -> i32 {
    if CONDITION_CLOCK.is_set_in(condition) { clock::MONOTONIC } else { clock::REALTIME }
}

/// Whether a mutex hands its holder the waiter's priority: the kernel's own lock, which nobody can be woken from.
pub fn inherits_priority(mutex: *const c_void) -> bool {
    MUTEX_INHERITS.is_set_in(mutex)
}

/// The calling thread's id, as libc has it: a sandbox may punish whoever asks the kernel.
pub fn own_thread() -> u32 {
    match THREAD_ID.load(Ordering::Relaxed) {
        0 => sys::thread::id(),
        // SAFETY: a word of the calling thread's own storage.
        offset => unsafe { ((thread_pointer() + offset) as *const u32).read_volatile() },
    }
}

/// Whether the calling thread holds this mutex already, where libc is musl: there the second word says who does.
pub fn holds_in_musl(mutex: *const c_void) -> bool {
    const OWNER: u32 = 0x3fff_ffff;
    // SAFETY: a word of a live mutex that libc is about to look at too.
    !is_glibc() && unsafe { mutex.cast::<u32>().add(1).read_volatile() } & OWNER == own_thread() & OWNER
}

/// By which clock a wait of a family is measured, for a deadline on this host clock.
pub fn measure(family: Family, id: i32) -> Measure {
    let reads = READ_THE_CLOCK.load(Ordering::Relaxed) & 1 << family as u32 != 0;
    if reads { Measure::Node(id) } else { Measure::Host(id) }
}

/// The words of a thread that a join of it may sleep on.
pub fn words_of_join(thread: usize) -> (usize, usize) {
    match THREAD_ID.load(Ordering::Relaxed) {
        offset if is_glibc() && offset > 0 => (thread.wrapping_add(offset), 4),
        _ => (thread, 256),
    }
}

/// Finds all of it out. `errno` is as before.
pub fn learn() {
    let before = errno::get();
    real::find_all();
    GLIBC.store(u32::from(real::gnu_get_libc_version().is_some()), Ordering::Relaxed);
    learn_layouts();
    learn_who_reads_the_clock();
    errno::set(before);
}

const PTHREAD_PRIO_INHERIT: i32 = 1;

fn learn_layouts() {
    let room = || [0_u64; 32];
    let (mut attribute, mut plain, mut other) = (room(), room(), room());
    // SAFETY: see the head of this file.
    unsafe {
        if let (Some(prepare), Some(set), Some(init)) =
            (real::pthread_condattr_init(), real::pthread_condattr_setclock(), real::pthread_cond_init())
        {
            let at = (&raw mut attribute).cast();
            if prepare(at) == 0
                && init((&raw mut plain).cast(), at) == 0
                && set(at, clock::MONOTONIC) == 0
                && init((&raw mut other).cast(), at) == 0
            {
                CONDITION_CLOCK.learn(&plain, &other);
            }
        }
        (attribute, plain, other) = (room(), room(), room());
        if let (Some(prepare), Some(set), Some(init)) = (
            real::pthread_mutexattr_init(),
            real::pthread_mutexattr_setprotocol(),
            real::pthread_mutex_init(),
        ) {
            let at = (&raw mut attribute).cast();
            if prepare(at) == 0
                && init((&raw mut plain).cast(), at) == 0
                && set(at, PTHREAD_PRIO_INHERIT) == 0
                && init((&raw mut other).cast(), at) == 0
            {
                MUTEX_INHERITS.learn(&plain, &other);
            }
        }
        // As much of it as is surely there in either libc.
        let words = if is_glibc() { 384 } else { 32_usize };
        let (own, id) = (thread_pointer() as *const u32, sys::thread::id());
        let found = (0..words).find(|index| own.add(*index).read_volatile() == id);
        THREAD_ID.store(found.map_or(0, |index| index * 4), Ordering::Relaxed);
    }
}

/// Calls a wait of each family, on an object that is taken and with a deadline long past, and sees whether the node's clock is
/// read on the way.
fn learn_who_reads_the_clock() {
    // SAFETY: see the head of this file; the second lock of a mutex or a lock by the same thread ends with the deadline.
    unsafe {
        // Before the epoch, so that a libc that passes deadlines on does not bother the kernel.
        let past = Timespec { sec: -1, nsec: 0 };
        let (mut mutex, mut condition, mut lock, mut semaphore) = ([0_u64; 32], [0; 32], [0; 32], [0; 32]);
        let mutex: *mut c_void = (&raw mut mutex).cast();
        if let (Some(take), Some(timed), Some(give)) =
            (real::pthread_mutex_trylock(), real::pthread_mutex_timedlock(), real::pthread_mutex_unlock())
            && take(mutex) == 0
        {
            note(Family::Mutex, || timed(mutex, &raw const past));
            if let Some(timed) = real::pthread_cond_timedwait() {
                note(Family::Condition, || timed((&raw mut condition).cast(), mutex, &raw const past));
            }
            give(mutex);
        }
        let lock: *mut c_void = (&raw mut lock).cast();
        if let (Some(take), Some(timed), Some(give)) = (
            real::pthread_rwlock_tryrdlock(),
            real::pthread_rwlock_timedwrlock(),
            real::pthread_rwlock_unlock(),
        ) && take(lock) == 0
        {
            note(Family::Lock, || timed(lock, &raw const past));
            give(lock);
        }
        if let Some(timed) = real::sem_timedwait() {
            note(Family::Semaphore, || timed((&raw mut semaphore).cast(), &raw const past));
        }
    }
}

fn note(family: Family, wait: impl FnOnce() -> i32) {
    let read = read::cold::watched(stack_pointer(), || {
        let _ = wait();
    });
    if read {
        READ_THE_CLOCK.fetch_or(1 << family as u32, Ordering::Relaxed);
    }
}
