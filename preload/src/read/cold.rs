//! The cold way: finds the segment, marks its change, remembers where it was; and the first read of all, which loads.
//!
//! What must hold: no system call that a sandbox may filter (an armed trap apart), no lock, an end after [`READ_ATTEMPTS`] tries whatever
//! the page says; a change is marked before its segment is remembered, so that the fast way need not look.
#![allow(unsafe_code)]
// Sound because the caller's pointer is the caller's, and all else is in the page crate.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use falseticker_page::latch::{READ_ATTEMPTS, Word, read_once};
use falseticker_page::layout::{Clock, Page};
use falseticker_page::schedule::{Pieces, find};
use falseticker_page::segment::{Segment, Shape};
use falseticker_page::time::{HostInstant, NANOS_PER_SEC, NodeInstant, Span};

use super::host;
use crate::abi::{Timespec, clock};
use crate::arch::thread::stack_pointer;
use crate::load;
use crate::state::{Hint, STATE};
use crate::trap;

/// What a read found: a segment, where, and when the next one begins.
#[derive(Clone, Copy)]
pub struct Found {
    /// The generation under which it was found.
    pub word: Word,
    index: usize,
    /// The segment in force.
    pub segment: Segment,
    next: HostInstant,
    tai_offset: i64,
}

/// Reads `clock` by looking its segment up. See [`super::fast::read`].
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
#[cold]
#[inline(never)]
pub unsafe extern "C" fn read(clock: Clock, true_id: i32, mono_id: i32, to: *mut Timespec) -> i32 {
    load::ensure();
    let Some(page) = STATE.page().filter(|_| !is_watched()) else {
        // SAFETY: the caller's contract.
        return unsafe { host(true_id, to) };
    };
    let mut last = None;
    for _ in 0..READ_ATTEMPTS {
        // Whatever was written over the page since it was mapped: what is no page any more gives true time.
        if page.check().is_err() {
            break;
        }
        let Some(now) = host_instant(mono_id) else { break };
        let Some(found) = look_up(page, clock, now) else { continue };
        if found.segment.shape == Shape::True {
            // SAFETY: the caller's contract.
            let result = unsafe { host(true_id, to) };
            if !still_true(page, &found, mono_id) {
                continue;
            }
            remember(clock, &found, now);
            if result == 0 {
                trap::after_read(clock, now);
            }
            return result;
        }
        last = Some((now, found));
        if page.header.word.load(Ordering::Relaxed) == found.word.raw() {
            break;
        }
    }
    let Some((now, found)) = last else {
        // Nothing validated: true time.
        // SAFETY: the caller's contract.
        return unsafe { host(true_id, to) };
    };
    remember(clock, &found, now);
    let mut shown = found.segment.value(now);
    if true_id == clock::TAI {
        shown = shown.saturating_add(Span::from_nanos(found.tai_offset));
    }
    // SAFETY: the caller's contract.
    unsafe { store(shown, to) };
    trap::after_read(clock, now);
    0
}

/// The end of the stack below which reads are looked for; 0 when nobody looks.
static WATCHED: AtomicUsize = AtomicUsize::new(0);
/// Whether one was seen.
static SEEN: AtomicU32 = AtomicU32::new(0);

/// Whether the wall clock is read on this thread's stack below `stack` while `call` runs. For loading alone, where no other
/// thread changes the hint that is taken away here, so that the read comes this way.
pub fn watched(stack: usize, call: impl FnOnce()) -> bool {
    Hint::forget(Clock::Wall);
    SEEN.store(0, Ordering::Relaxed);
    WATCHED.store(stack, Ordering::Relaxed);
    call();
    WATCHED.store(0, Ordering::Relaxed);
    SEEN.load(Ordering::Relaxed) != 0
}

/// Whether this read is one that is looked for: then it is noted, and no evidence of anything.
fn is_watched() -> bool {
    const NEAR: usize = 16 * 1024;
    let watched = WATCHED.load(Ordering::Relaxed).wrapping_sub(stack_pointer()) < NEAR;
    if watched {
        SEEN.store(1, Ordering::Relaxed);
    }
    watched
}

/// A host clock as an instant.
pub fn host_instant(id: i32) -> Option<HostInstant> {
    let mut now = Timespec::default();
    // SAFETY: a live timespec of ours.
    let result = unsafe { host(id, &raw mut now) };
    (result == 0).then(|| HostInstant::from_split(now.sec, now.nsec))
}

/// Writes an instant as a normal timespec.
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
pub unsafe fn store(shown: NodeInstant, to: *mut Timespec) {
    let nanos = shown.as_nanos();
    let shown = Timespec { sec: nanos.div_euclid(NANOS_PER_SEC), nsec: nanos.rem_euclid(NANOS_PER_SEC) };
    // SAFETY: the caller's contract.
    unsafe { to.write(shown) };
}

/// The segment in force at `now`; `None` when a publication came between, or `now` is older than what is kept.
pub fn look_up(page: &Page, clock: Clock, now: HostInstant) -> Option<Found> {
    let (word, found) = read_once(&page.header.word, |word| {
        let slot = page.slot(word);
        let pieces = slot.segments(clock);
        let index = find(pieces, now)?;
        #[expect(clippy::cast_possible_wrap, reason = "a signed number, bit by bit")]
        let tai_offset = slot.head.tai_offset.load(Ordering::Relaxed) as i64;
        Some(Found { word, index, segment: pieces.piece(index), next: pieces.start(index + 1), tai_offset })
    })?;
    found.map(|found| Found { word, ..found })
}

/// Whether the clock was true all the time from the look-up until now: then what was read between is its value.
pub fn still_true(page: &Page, found: &Found, mono_id: i32) -> bool {
    (found.next == HostInstant::MAX || host_instant(mono_id).is_some_and(|now| now < found.next))
        && page.header.word.load(Ordering::Acquire) == found.word.raw()
}

/// Marks the change, then leaves word for the fast way; but not while each read is to come this way. (A trap is armed before
/// the publication that makes all hints stale, so no hint outlives that.)
pub fn remember(clock: Clock, found: &Found, now: HostInstant) {
    mark(found.segment.change, now);
    let worth = match found.segment.shape {
        Shape::True => found.next == HostInstant::MAX,
        Shape::Linear => true,
        Shape::Strobe { .. } => false,
    };
    let is_free = |page: &&Page| worth && !trap::is_armed_for(page, clock, now);
    let Some(page) = STATE.page().filter(is_free) else { return };
    let hint = page
        .slot(found.word)
        .segments(clock)
        .get(found.index)
        .and_then(|cell| Hint::new(found.word.raw(), page, cell, found.segment.shape == Shape::True));
    if let Some(hint) = hint {
        hint.store(clock);
    }
}

/// Marks that this process has read its clock under `change`.
fn mark(change: u32, now: HostInstant) {
    let Some(evidence) = STATE.evidence() else { return };
    if change == 0 {
        return;
    }
    let Some(row) = load::row(evidence, now) else { return };
    let epoch = i64::try_from(evidence.header.created.load(Ordering::Relaxed)).unwrap_or(0);
    evidence.mark(row, change, now, HostInstant::from_nanos(epoch));
}
