//! The fast way: one segment, known by its index, applied to one host read.
//!
//! What must hold: the index was found under the same generation, and its change was marked by this process; the
//! generation is still the same after the segment was copied; the read lies strictly inside the segment's seconds.
//! Anything else leaves by the cold way. No division, no vector register.
#![allow(unsafe_code)]
// Sound because the slot and the index are bounded by construction, and the caller's pointer is the caller's.

use core::mem::MaybeUninit;
use core::sync::atomic::{Ordering, fence};

use falseticker_page::latch::Word;
use falseticker_page::layout::Clock;
use falseticker_page::segment::Hot;
use falseticker_page::time::NANOS_PER_SEC;

use super::gate;
use crate::abi::Timespec;
use crate::state::{Hint, PRIVATE, STATE};

/// Reads `clock`: by the host's clock `true_id` where it is true, else from the host's `mono_id`.
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
#[inline(always)]
pub unsafe fn read(clock: Clock, true_id: i32, mono_id: i32, to: *mut Timespec) -> i32 {
    let hint = Hint(PRIVATE.hints[clock as usize].load(Ordering::Relaxed));
    let (Some(page), Some(host)) = (STATE.page(), STATE.host_clock()) else {
        // SAFETY: the caller's contract.
        return unsafe { gate::cold(clock, true_id, mono_id, to) };
    };
    let word = page.header.word.load(Ordering::Acquire);
    if !hint.is_of(word) {
        // SAFETY: the caller's contract.
        return unsafe { gate::cold(clock, true_id, mono_id, to) };
    }
    // SAFETY: the slot is taken modulo their number, and only an index below `SEGMENTS` is ever made a hint.
    let cell = unsafe {
        let slot = &*page.slots.as_ptr().add(Word::from_raw(word).slot(falseticker_page::layout::SLOTS));
        slot.schedules[clock as usize].get_unchecked(hint.index())
    };
    let unchanged = || {
        fence(Ordering::Acquire);
        page.header.word.load(Ordering::Relaxed) == word
    };
    if cell.is_true() {
        // A true segment is only hinted at when nothing is planned after it.
        // SAFETY: the caller's contract.
        let result = unsafe { host(true_id, to) };
        if unchanged() {
            return result;
        }
    } else {
        // Not zeroed: that would take a vector register. The kernel's clocks read here always succeed.
        let mut now = MaybeUninit::<Timespec>::uninit();
        // SAFETY: room for a timespec, initialised when 0 comes back.
        let now = unsafe {
            if host(mono_id, now.as_mut_ptr()) != 0 {
                return gate::cold(clock, true_id, mono_id, to);
            }
            now.assume_init()
        };
        let segment = cell.load_hot();
        let inside = now.sec > segment.from_sec && now.sec < segment.until_sec;
        if unchanged() && inside && segment.is_linear() {
            let (sec, nsec) = apply(&segment, &now);
            // SAFETY: the caller's contract.
            unsafe { to.write(Timespec { sec, nsec }) };
            return 0;
        }
    }
    // SAFETY: the caller's contract.
    unsafe { gate::cold(clock, true_id, mono_id, to) }
}

/// What a linear segment shows at `now`. Wrapping, since the page may hold anything; always a normal timespec.
#[inline(always)]
fn apply(segment: &Hot, now: &Timespec) -> (i64, i64) {
    let mut sec = now.sec.wrapping_add(segment.offset_sec);
    let mut nsec = now.nsec.wrapping_add(segment.offset_nsec());
    if segment.rate != 0 {
        let elapsed = now.sec.wrapping_sub(segment.from_sec).wrapping_mul(NANOS_PER_SEC);
        let elapsed = elapsed.wrapping_add(now.nsec.wrapping_sub(segment.from_nsec()));
        nsec = nsec.wrapping_add((i128::from(elapsed) * i128::from(segment.rate) >> 32) as i64);
    }
    if nsec as u64 >= NANOS_PER_SEC as u64 {
        nsec = nsec.wrapping_sub(NANOS_PER_SEC);
        sec = sec.wrapping_add(1);
        if nsec as u64 >= NANOS_PER_SEC as u64 {
            sec = sec.wrapping_add(nsec.div_euclid(NANOS_PER_SEC));
            nsec = nsec.rem_euclid(NANOS_PER_SEC);
        }
    }
    (sec, nsec)
}
