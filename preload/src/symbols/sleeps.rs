//! `clock_nanosleep` until an instant of a clock that a fault may touch; all other sleeps are the kernel's.
//!
//! The kernel's sleep cannot be woken but by a signal, so such a sleep waits for a semaphore that nobody posts: with glibc, libc's
//! own, which is a cancellation point and is interrupted by a handler, SA_RESTART or not, just as the sleep. musl's goes on
//! after a handler with SA_RESTART, so there it is the futex itself.
#![allow(unsafe_code)]
// Sound because the caller's request is read only after the kernel has, and a semaphore or word here outlives its wait.

use core::sync::atomic::{AtomicU32, Ordering};

use super::errno;
use crate::abi::{Timespec, clock};
use crate::read::host_instant;
use crate::sys::{
    self,
    errno::{EINTR, ENOSYS, ETIMEDOUT},
    futex,
};
use crate::wait::{self, Early, Family, Measure, Object, Wait, libc, real};

const TIMER_ABSTIME: i32 = 1;
type Sleep = unsafe extern "C" fn(i32, i32, *const Timespec, *mut Timespec) -> i32;

/// `clock_nanosleep(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_nanosleep(
    id: i32,
    flags: i32,
    request: *const Timespec,
    remain: *mut Timespec,
) -> i32 {
    let Some(real) = real::clock_nanosleep() else { return ENOSYS };
    // SAFETY: the caller's contract.
    unsafe {
        if flags & TIMER_ABSTIME == 0 {
            return real(id, flags, request, remain);
        }
        until(id, flags, request, remain, real, true)
    }
}

/// SYS_clock_nanosleep, which is no cancellation point.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_number(arguments: [usize; 4]) -> isize {
    unsafe extern "C" fn kernel(id: i32, flags: i32, request: *const Timespec, remain: *mut Timespec) -> i32 {
        let (id, flags) = (id as usize, flags as usize);
        // SAFETY: the kernel checks the pointers.
        -unsafe { sys::syscall4(sys::nr::CLOCK_NANOSLEEP, id, flags, request as usize, remain as usize) }
            as i32
    }
    let [id, flags, request, remain] = arguments;
    let (id, flags, request, remain) = (id as i32, flags as i32, request as *const _, remain as *mut _);
    // SAFETY: the caller's contract.
    let error = unsafe {
        if flags & TIMER_ABSTIME == 0 {
            kernel(id, flags, request, remain)
        } else {
            until(id, flags, request, remain, kernel, false)
        }
    };
    -(error as isize)
}

/// Sleeps until an instant: 0 or an error number. `real` is for whatever is not ours.
unsafe fn until(
    id: i32,
    flags: i32,
    request: *const Timespec,
    remain: *mut Timespec,
    real: Sleep,
    cancel: bool,
) -> i32 {
    // SAFETY: the kernel has read where the request is read; `real` gets the caller's arguments, or a live timespec.
    unsafe {
        if !sys::is_readable(request as usize, size_of::<Timespec>()) {
            return real(id, flags, request, remain);
        }
        let Some((page, deadline)) = wait::deadline(id, request) else {
            return real(id, flags, request, remain);
        };
        if matches!(id, clock::REALTIME_ALARM | clock::BOOTTIME_ALARM) {
            // Whether this program may, and the machine can, is for the kernel to say.
            let past = Timespec { sec: 0, nsec: 0 };
            let allowed = real(id, flags, &raw const past, remain);
            if allowed != 0 {
                return allowed;
            }
        }
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
                let pend = |until| if pend(at.cast_mut().cast(), until) == 0 { 0 } else { errno::get() };
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
