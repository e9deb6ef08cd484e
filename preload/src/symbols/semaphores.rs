//! `sem_timedwait` and `sem_clockwait`. A semaphore that is free is taken first, without a look at the deadline: so they do
//! themselves.
#![allow(unsafe_code)]
// Sound because each function hands the caller's pointers to its namesake.

use core::ffi::c_void;

use super::errno;
use crate::abi::{Timespec, clock};
use crate::sys::errno::{ENOSYS, ETIMEDOUT};
use crate::wait::{self, Early, Family, Object, Wait, libc, real};

type Semaphore = *mut c_void;

/// The size of a semaphore in glibc and musl.
const LENGTH: usize = 32;

/// Whether a call that returns -1 and sets `errno` says that the time is up.
pub fn is_timeout(result: i32) -> bool {
    result == -1 && errno::get() == ETIMEDOUT
}

/// Takes a semaphore that is free, as libc does before it looks at the deadline: after a look whether the thread is to end.
///
/// # Safety
/// As for `sem_trywait`.
unsafe fn take(semaphore: Semaphore) -> bool {
    let (Some(look), Some(attempt)) = (real::pthread_testcancel(), real::sem_trywait()) else { return false };
    let before = errno::get();
    // SAFETY: the caller's contract.
    let taken = unsafe {
        look();
        attempt(semaphore) == 0
    };
    errno::set(before);
    taken
}

#[inline(always)]
unsafe fn wait(
    semaphore: Semaphore,
    id: i32,
    until: *const Timespec,
    real: impl Fn(*const Timespec) -> i32,
) -> i32 {
    // SAFETY: the caller's contract.
    let Some(given) = (unsafe { wait::given(id, until) }) else { return real(until) };
    // SAFETY: the caller's contract.
    if unsafe { take(semaphore) } {
        return 0;
    }
    let Some((page, deadline)) = given.begin() else { return real(until) };
    let object = Object::shared(semaphore as usize, LENGTH);
    let measure = libc::measure(Family::Semaphore, id);
    Wait { deadline, measure, early: Early::Again, object }.run(page, real, is_timeout, 0)
}

/// `sem_timedwait(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn sem_timedwait(semaphore: Semaphore, until: *const Timespec) -> i32 {
    let Some(real) = real::sem_timedwait() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: the caller's contract.
    unsafe { wait(semaphore, clock::REALTIME, until, |until| real(semaphore, until)) }
}

/// glibc's `sem_clockwait`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn sem_clockwait(semaphore: Semaphore, id: i32, until: *const Timespec) -> i32 {
    let Some(real) = real::sem_clockwait() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: the caller's contract.
    unsafe {
        if !matches!(id, clock::REALTIME | clock::MONOTONIC) {
            return real(semaphore, id, until);
        }
        wait(semaphore, id, until, |until| real(semaphore, id, until))
    }
}
