//! `pthread_timedjoin_np` and `pthread_clockjoin_np`.
#![allow(unsafe_code)]
// Sound because each function hands the caller's pointers to its namesake.

use core::ffi::c_void;

use crate::abi::{Timespec, clock};
use crate::sys::errno::{ENOSYS, ETIMEDOUT};
use crate::wait::{self, Early, Family, Object, Wait, libc, real};

#[inline(always)]
unsafe fn join(thread: usize, id: i32, until: *const Timespec, real: impl Fn(*const Timespec) -> i32) -> i32 {
    // SAFETY: the caller's contract.
    let Some((page, deadline)) = (unsafe { wait::deadline(id, until) }) else { return real(until) };
    let (at, length) = libc::words_of_join(thread);
    let object = Object::shared(at, length);
    let measure = libc::measure(Family::Semaphore, id);
    Wait { deadline, measure, early: Early::Again, object }.run(page, real, |result| result == ETIMEDOUT, 0)
}

/// `pthread_timedjoin_np(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_timedjoin_np(
    thread: usize,
    result: *mut *mut c_void,
    until: *const Timespec,
) -> i32 {
    let Some(real) = real::pthread_timedjoin_np() else { return ENOSYS };
    // SAFETY: the caller's contract.
    unsafe { join(thread, clock::REALTIME, until, |until| real(thread, result, until)) }
}

/// `pthread_clockjoin_np(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_clockjoin_np(
    thread: usize,
    result: *mut *mut c_void,
    id: i32,
    until: *const Timespec,
) -> i32 {
    let Some(real) = real::pthread_clockjoin_np() else { return ENOSYS };
    // SAFETY: the caller's contract.
    unsafe {
        if !matches!(id, clock::REALTIME | clock::MONOTONIC) {
            return real(thread, result, id, until);
        }
        join(thread, id, until, |until| real(thread, result, id, until))
    }
}
