//! The fast way: one segment, known by its index, applied to one host read.
//!
//! What must hold: the index was found under the same generation, and its change was marked by this process; the
//! generation is still the same after the segment was copied; the read lies strictly inside the segment's seconds.
//! Anything else leaves by the cold way. No division, no vector register.
#![allow(unsafe_code)]
// Sound because a hint is a place in the page by construction, and the caller's pointer is the caller's.

use core::mem::MaybeUninit;
use core::sync::atomic::{Ordering, fence};

use falseticker_page::layout::{Clock, Page};
use falseticker_page::segment::Hot;
use falseticker_page::time::NANOS_PER_SEC;

use crate::abi::Timespec;
use crate::arch::gates;
use crate::state::{Hint, STATE};

/// Reads `clock`: by the host's clock `true_id` where it is true, else from the host's `mono_id`.
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
#[inline(always)]
pub unsafe fn read(clock: Clock, true_id: i32, mono_id: i32, to: *mut Timespec) -> i32 {
    let hint = Hint::load(clock);
    let Some(page) = STATE.page() else {
        // SAFETY: the caller's contract.
        return unsafe { gates::cold(clock, true_id, mono_id, to) };
    };
    let word = page.header.word.load(Ordering::Acquire);
    if !hint.is_of(word) {
        // SAFETY: the caller's contract.
        return unsafe { gates::cold(clock, true_id, mono_id, to) };
    }
    // SAFETY: the page has been seen.
    let host = unsafe { STATE.host_clock_behind_page() };
    if hint.is_true() {
        // SAFETY: the caller's contract.
        let result = unsafe { host(true_id, to) };
        if unchanged(page, word) {
            return result;
        }
    } else {
        // Not zeroed: that would take a vector register. The kernel's clocks read here always succeed.
        let mut now = MaybeUninit::<Timespec>::uninit();
        // SAFETY: room for a timespec, initialised when 0 comes back.
        let now = unsafe {
            if host(mono_id, now.as_mut_ptr()) != 0 {
                return gates::cold(clock, true_id, mono_id, to);
            }
            now.assume_init()
        };
        let segment = hint.cell(page).load_hot();
        let inside = now.sec > segment.from_sec && now.sec < segment.until_sec;
        if unchanged(page, word) && inside {
            let (sec, nsec) = apply(&segment, &now);
            // SAFETY: the caller's contract.
            unsafe { to.write(Timespec { sec, nsec }) };
            return 0;
        }
    }
    // SAFETY: the caller's contract.
    unsafe { gates::cold(clock, true_id, mono_id, to) }
}

/// Whether what was copied since `word` was loaded is of one generation.
#[inline(always)]
fn unchanged(page: &Page, word: u64) -> bool {
    fence(Ordering::Acquire);
    page.header.word.load(Ordering::Relaxed) == word
}

/// What a linear segment shows at `now`. Wrapping, since the page may hold anything; always a normal timespec.
#[inline(always)]
fn apply(segment: &Hot, now: &Timespec) -> (i64, i64) {
    let mut sec = now.sec.wrapping_add(segment.offset_sec);
    let mut nsec = now.nsec.wrapping_add(segment.offset_nsec());
    if segment.rate != 0 {
        let elapsed = now.sec.wrapping_sub(segment.from_sec).wrapping_mul(NANOS_PER_SEC);
        let elapsed = elapsed.wrapping_add(now.nsec.wrapping_sub(segment.from_nsec()));
        nsec = nsec.wrapping_add(((i128::from(elapsed) * i128::from(segment.rate)) >> 32) as i64);
    }
    if nsec as u64 >= NANOS_PER_SEC as u64 {
        let over = seconds_over(nsec);
        nsec = nsec.wrapping_sub(over.wrapping_mul(NANOS_PER_SEC));
        sec = sec.wrapping_add(over);
    }
    (sec, nsec)
}

/// How many whole seconds there are in more than one; rounded down, also below zero.
#[inline(always)]
fn seconds_over(nsec: i64) -> i64 {
    const SECOND: u64 = NANOS_PER_SEC as u64;
    if (nsec as u64) < 2 * SECOND {
        1
    } else if nsec >= 0 {
        // Unsigned, a division by a constant is one multiplication.
        (nsec as u64 / SECOND) as i64
    } else {
        nsec.div_euclid(NANOS_PER_SEC)
    }
}
