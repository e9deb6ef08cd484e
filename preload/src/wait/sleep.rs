//! A sleep until a deadline that may move, for `clock_nanosleep` and its kin.
//!
//! The kernel's sleep cannot be woken but by a signal, so such a sleep waits for a semaphore that nobody posts: with glibc, libc's
//! own, which is a cancellation point and is interrupted by a handler, SA_RESTART or not, just as the sleep. musl's goes on
//! after a handler with SA_RESTART, so there it is the futex itself.
#![allow(unsafe_code)]
// Sound because a semaphore or word here outlives its wait.

use core::sync::atomic::{AtomicU32, Ordering};

use falseticker_page::layout::Page;

use super::due::Deadline;
use super::{Early, Family, Measure, Object, Wait, libc, real};
use crate::abi::{Timespec, clock};
use crate::read::host_instant;
use crate::symbols::errno;
use crate::sys::{
    self,
    errno::{EINTR, ETIMEDOUT},
    futex,
};

/// Sleeps until the deadline has come: 0 or an error number. `cancel` says whether the thread may be cancelled meanwhile.
pub fn until(page: &'static Page, deadline: Deadline, cancel: bool) -> i32 {
    // In memory of this frame, where wakes may come late and find nobody.
    let semaphore = [const { AtomicU32::new(0) }; 8];
    let at = semaphore.as_ptr();
    let object = Object { is_own: true, ..Object::shared(at as usize, size_of_val(&semaphore)) };
    let early = Early::Again;
    let timed_out = |error| error == ETIMEDOUT;
    let before = errno::get();
    let error = match real::sem_timedwait().filter(|_| cancel && libc::is_glibc()) {
        Some(pend) => {
            let measure = libc::measure(Family::Semaphore, clock::REALTIME);
            // SAFETY: a live semaphore, and a deadline that can be read.
            let pend =
                |until| if unsafe { pend(at.cast_mut().cast(), until) } == 0 { 0 } else { errno::get() };
            Wait { deadline, measure, early, object }.run(page, pend, timed_out, 0)
        }
        None => {
            let measure = Measure::Host(clock::REALTIME);
            let pend = |until| pend_on(&semaphore[0], until, cancel);
            Wait { deadline, measure, early, object }.run(page, pend, timed_out, 0)
        }
    };
    errno::set(before);
    if error == ETIMEDOUT { 0 } else { error }
}

/// Sleeps on a word until a deadline that may move, or a signal.
///
/// A thread that is cancelled is interrupted, and ends here. Should the cancellation come between the look for it and the
/// kernel, it waits for the next look, so there is one every second.
fn pend_on(word: &AtomicU32, until: *const Timespec, cancel: bool) -> i32 {
    const OPERATION: usize = futex::WAIT_BITSET | futex::PRIVATE | futex::CLOCK_REALTIME;
    let look = real::pthread_testcancel().filter(|_| cancel);
    loop {
        if let Some(look) = look {
            // SAFETY: takes no argument; where it does not return, nothing here is held.
            unsafe { look() };
        }
        // SAFETY: the registry's deadline, or this wait's own.
        let end = unsafe { until.read_volatile() };
        let soon = host_instant(clock::REALTIME).map_or(i64::MAX, |now| now.split().0 + 1);
        let cut = look.is_some() && end.sec > soon;
        let given = if cut { Timespec { sec: soon, nsec: 0 } } else { end };
        let (word, given) = (word.as_ptr() as usize, (&raw const given) as usize);
        // SAFETY: a live word and a live timespec.
        let result = unsafe { sys::syscall6(sys::nr::FUTEX, word, OPERATION, 0, given, 0, futex::ANY) };
        let error = -result as i32;
        match error {
            // Woken, to look at the deadline again.
            0 => {}
            ETIMEDOUT if cut => {}
            EINTR => {
                if let Some(look) = look {
                    // SAFETY: as above.
                    unsafe { look() };
                }
                return EINTR;
            }
            error => return error,
        }
        core::sync::atomic::fence(Ordering::Acquire);
    }
}
