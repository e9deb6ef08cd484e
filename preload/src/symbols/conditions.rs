//! `pthread_cond_timedwait` and its kin.
//!
//! What must hold: a condition is never waited on again before the program has looked at what it waits for, since a signal may
//! have gone by: what ends too early is a spurious wake-up, which POSIX allows.
#![allow(unsafe_code)]
// Sound because each function hands the caller's pointers to its namesake.

use core::ffi::c_void;

use crate::abi::{Timespec, clock};
use crate::sys::errno::{ENOSYS, ETIMEDOUT};
use crate::wait::{self, Early, Family, Object, Wait, libc, real};

type Condition = *mut c_void;
type Mutex = *mut c_void;

/// The size of a condition in glibc and musl.
const LENGTH: usize = 48;
/// `thrd_error` and `thrd_timedout` of C11 threads.
const THRD_ERROR: i32 = 2;
const THRD_TIMEDOUT: i32 = 4;

/// Waits by `real`; `end` is what it returns when the time is up.
///
/// # Safety
/// As for the function that `real` calls.
#[inline(always)]
unsafe fn wait(
    condition: Condition,
    id: i32,
    until: *const Timespec,
    end: i32,
    real: impl Fn(*const Timespec) -> i32,
) -> i32 {
    // SAFETY: the caller's contract.
    let Some((page, deadline)) = (unsafe { wait::deadline(id, until) }) else { return real(until) };
    let object =
        Object { at: condition as usize, length: LENGTH, on_stack: !libc::is_glibc(), is_own: false };
    let measure = libc::measure(Family::Condition, id);
    Wait { deadline, measure, early: Early::Spurious, object }.run(page, real, |result| result == end, 0)
}

/// `pthread_cond_timedwait(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_cond_timedwait_2_3_2(
    condition: Condition,
    mutex: Mutex,
    until: *const Timespec,
) -> i32 {
    let Some(real) = real::pthread_cond_timedwait() else { return ENOSYS };
    // SAFETY: the caller's contract; glibc reads the condition's clock too.
    unsafe {
        let id = libc::condition_clock(condition);
        wait(condition, id, until, ETIMEDOUT, |until| real(condition, mutex, until))
    }
}

/// The same of glibc before 2.3.2, whose conditions hold a pointer and know one clock. Where there is no such version (a libc
/// that does not look at versions may still take this one), it is the other function.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_cond_timedwait_2_2_5(
    condition: Condition,
    mutex: Mutex,
    until: *const Timespec,
) -> i32 {
    // SAFETY: the caller's contract. Libc has made the condition that the pointer leads to, or makes it now.
    unsafe {
        let Some(real) = real::pthread_cond_timedwait_2_2_5() else {
            return pthread_cond_timedwait_2_3_2(condition, mutex, until);
        };
        let Some((page, deadline)) = wait::deadline(clock::REALTIME, until) else {
            return real(condition, mutex, until);
        };
        let inner = condition.cast::<Condition>().read_volatile();
        if inner.is_null() {
            // The first wait makes it: one that ends at once, and then, since a signal may have gone by, without cause.
            let past = Timespec { sec: 0, nsec: 0 };
            let result = real(condition, mutex, &raw const past);
            return if result == ETIMEDOUT && !deadline.has_come(page) { 0 } else { result };
        }
        wait(inner, clock::REALTIME, until, ETIMEDOUT, |until| real(condition, mutex, until))
    }
}

/// `pthread_cond_clockwait(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_cond_clockwait(
    condition: Condition,
    mutex: Mutex,
    id: i32,
    until: *const Timespec,
) -> i32 {
    let Some(real) = real::pthread_cond_clockwait() else { return ENOSYS };
    if !matches!(id, clock::REALTIME | clock::MONOTONIC) {
        // SAFETY: the caller's contract.
        return unsafe { real(condition, mutex, id, until) };
    }
    // SAFETY: the caller's contract.
    unsafe { wait(condition, id, until, ETIMEDOUT, |until| real(condition, mutex, id, until)) }
}

/// C11's `cnd_timedwait`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn cnd_timedwait(condition: Condition, mutex: Mutex, until: *const Timespec) -> i32 {
    let Some(real) = real::cnd_timedwait() else { return THRD_ERROR };
    // SAFETY: the caller's contract.
    unsafe { wait(condition, clock::REALTIME, until, THRD_TIMEDOUT, |until| real(condition, mutex, until)) }
}
