//! `clock_nanosleep`, `nanosleep`, `usleep`, `sleep`, `thrd_sleep`: until an instant of a clock that a fault may touch, and for a
//! length of time where the node's monotonic clock may be faulted; all others are the kernel's.
#![allow(unsafe_code)]
// Sound because the caller's request is read only after the kernel has, and what is left is written where the kernel would.

use falseticker_page::layout::Clock;
use falseticker_page::time::Span;

use super::errno;
use crate::abi::{Timespec, clock};
use crate::sys::{self, errno::EINTR, errno::ENOSYS, nr};
use crate::wait::{
    self, real,
    relative::{self, Relative},
    sleep,
};

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
    unsafe { clock_sleep(id, flags, request, remain, real, true) }
}

/// `nanosleep(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn nanosleep(request: *const Timespec, remain: *mut Timespec) -> i32 {
    let Some(real) = real::nanosleep() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: the caller's contract.
    unsafe {
        if !relative::is_affected() {
            return real(request, remain);
        }
        match for_a_while(clock::MONOTONIC, request, remain, true) {
            Some(error) => errno::result(-(error as isize)) as i32,
            None => real(request, remain),
        }
    }
}

/// `usleep(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn usleep(micros: u32) -> i32 {
    let Some(real) = real::usleep() else { return errno::result(-(ENOSYS as isize)) as i32 };
    match Relative::begin(Clock::Mono, Span::from_nanos(i64::from(micros) * 1000)) {
        Some(wait) => errno::result(-(wait.sleep(true) as isize)) as i32,
        // SAFETY: takes a number.
        None => unsafe { real(micros) },
    }
}

/// `sleep(3)`: what is left, in seconds, rounded as libc does.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn sleep(seconds: u32) -> u32 {
    let Some(real) = real::sleep() else { return seconds };
    let Some(wait) = Relative::begin(Clock::Mono, Span::from_secs(i64::from(seconds))) else {
        // SAFETY: takes a number.
        return unsafe { real(seconds) };
    };
    match wait.sleep(true) {
        0 => 0,
        _ => wait.left().sec as u32,
    }
}

/// C11's `thrd_sleep`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn thrd_sleep(request: *const Timespec, remain: *mut Timespec) -> i32 {
    /// What it says of a signal, and of anything else.
    const INTERRUPTED: i32 = -1;
    const FAILED: i32 = -2;
    let Some(real) = real::thrd_sleep() else { return FAILED };
    // SAFETY: the caller's contract.
    unsafe {
        if !relative::is_affected() {
            return real(request, remain);
        }
        match for_a_while(clock::REALTIME, request, remain, true) {
            Some(0) => 0,
            Some(EINTR) => INTERRUPTED,
            Some(_) => FAILED,
            None => real(request, remain),
        }
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
        -unsafe { sys::syscall4(nr::CLOCK_NANOSLEEP, id, flags, request as usize, remain as usize) } as i32
    }
    let [id, flags, request, remain] = arguments;
    let (id, flags, request, remain) = (id as i32, flags as i32, request as *const _, remain as *mut _);
    // SAFETY: the caller's contract.
    -(unsafe { clock_sleep(id, flags, request, remain, kernel, false) } as isize)
}

/// SYS_nanosleep.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_nanosleep(request: usize, remain: usize) -> isize {
    // SAFETY: the caller's contract.
    unsafe {
        let given = (request as *const Timespec, remain as *mut Timespec);
        let own = relative::is_affected().then(|| for_a_while(clock::MONOTONIC, given.0, given.1, false));
        match own.flatten() {
            Some(error) => -(error as isize),
            None => sys::syscall2(nr::NANOSLEEP, request, remain),
        }
    }
}

/// Sleeps by a clock: 0 or an error number. `real` is for whatever is not ours.
unsafe fn clock_sleep(
    id: i32,
    flags: i32,
    request: *const Timespec,
    remain: *mut Timespec,
    real: Sleep,
    cancel: bool,
) -> i32 {
    // SAFETY: the caller's contract.
    let own = unsafe {
        if flags & TIMER_ABSTIME != 0 {
            until(id, flags, request, remain, real, cancel)
        } else if relative::is_affected() {
            for_a_while(id, request, remain, cancel)
        } else {
            None
        }
    };
    // SAFETY: the caller's contract.
    own.unwrap_or_else(|| unsafe { real(id, flags, request, remain) })
}

/// Sleeps until an instant: 0 or an error number; `None` when that is not ours.
unsafe fn until(
    id: i32,
    flags: i32,
    request: *const Timespec,
    remain: *mut Timespec,
    real: Sleep,
    cancel: bool,
) -> Option<i32> {
    if !sys::is_readable(request as usize, size_of::<Timespec>()) {
        return None;
    }
    // SAFETY: the kernel has read where the request is read; `real` gets a live timespec.
    unsafe {
        let (page, deadline) = wait::deadline(id, request)?;
        if matches!(id, clock::REALTIME_ALARM | clock::BOOTTIME_ALARM) {
            // Whether this program may, and the machine can, is for the kernel to say.
            let past = Timespec { sec: 0, nsec: 0 };
            let allowed = real(id, flags, &raw const past, remain);
            if allowed != 0 {
                return Some(allowed);
            }
        }
        Some(sleep::until(page, deadline, cancel))
    }
}

/// Sleeps for a length of time: 0 or an error number; `None` when that is not ours.
unsafe fn for_a_while(id: i32, request: *const Timespec, remain: *mut Timespec, cancel: bool) -> Option<i32> {
    // The kernel measures lengths of time by CLOCK_MONOTONIC, whatever steps the wall clock makes.
    let clock = match id {
        clock::REALTIME | clock::TAI | clock::MONOTONIC => Clock::Mono,
        clock::BOOTTIME => Clock::Boot,
        _ => return None,
    };
    if !sys::is_readable(request as usize, size_of::<Timespec>()) {
        return None;
    }
    // SAFETY: the kernel has just read there.
    let wait = Relative::begin(clock, relative::span(unsafe { request.read() })?)?;
    let error = wait.sleep(cancel);
    if error == EINTR && sys::is_writable_timespec(remain as usize) {
        // SAFETY: the caller's contract.
        unsafe { remain.write(wait.left()) };
    }
    Some(error)
}
