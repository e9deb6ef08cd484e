//! `poll`, `ppoll` and their checked forms: for a length of time, where the node's monotonic clock may be faulted.
#![allow(unsafe_code)]
// Sound because each function hands the caller's pointers to its namesake, with a timespec of its own.

use core::ffi::c_void;

use falseticker_page::layout::Clock;
use falseticker_page::time::Span;

use super::errno;
use crate::abi::Timespec;
use crate::sys::{self, errno::ENOSYS, nr};
use crate::wait::{
    real,
    relative::{self, Relative},
};

type Descriptors = *mut c_void;
type Mask = *mut c_void;

/// A wait of so many milliseconds, if that is ours.
#[inline(always)]
pub fn of_millis(millis: i32) -> Option<Relative> {
    Relative::begin(Clock::Mono, Span::from_millis(i64::from(millis)))
}

/// A wait as long as a timespec says, if that is ours.
///
/// # Safety
/// `length` is null, or can be read.
#[inline(always)]
pub unsafe fn of_timespec(length: *const Timespec) -> Option<Relative> {
    if !relative::is_affected() {
        return None;
    }
    // SAFETY: the caller's contract.
    Relative::begin(Clock::Mono, relative::span(unsafe { *length.as_ref()? })?)
}

/// Whether nothing was ready when the time was up.
pub fn nothing_ready(result: i32) -> bool {
    result == 0
}

fn missing() -> i32 {
    errno::result(-(ENOSYS as isize)) as i32
}

/// `poll(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn poll(descriptors: Descriptors, count: u64, millis: i32) -> i32 {
    let Some(straight) = real::poll() else { return missing() };
    if !relative::is_affected() {
        // SAFETY: the caller's contract.
        return unsafe { straight(descriptors, count, millis) };
    }
    // SAFETY: everywhere the caller's contract.
    unsafe {
        match (of_millis(millis), real::ppoll()) {
            (Some(wait), Some(real)) => {
                wait.run(|left| real(descriptors, count, left, core::ptr::null_mut()), nothing_ready, 0)
            }
            _ => straight(descriptors, count, millis),
        }
    }
}

/// `ppoll(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn ppoll(descriptors: Descriptors, count: u64, length: *const Timespec, mask: Mask) -> i32 {
    let Some(real) = real::ppoll() else { return missing() };
    if !relative::is_affected() {
        // SAFETY: the caller's contract.
        return unsafe { real(descriptors, count, length, mask) };
    }
    // SAFETY: everywhere the caller's contract.
    unsafe {
        match of_timespec(length) {
            Some(wait) => wait.run(|left| real(descriptors, count, left, mask), nothing_ready, 0),
            None => real(descriptors, count, length, mask),
        }
    }
}

/// `poll` as _FORTIFY_SOURCE has it.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn __poll_chk(descriptors: Descriptors, count: u64, millis: i32, size: usize) -> i32 {
    let Some(straight) = real::__poll_chk() else { return missing() };
    if !relative::is_affected() {
        // SAFETY: the caller's contract.
        return unsafe { straight(descriptors, count, millis, size) };
    }
    // SAFETY: everywhere the caller's contract.
    unsafe {
        match (of_millis(millis), real::__ppoll_chk()) {
            (Some(wait), Some(real)) => {
                wait.run(|left| real(descriptors, count, left, core::ptr::null_mut(), size), nothing_ready, 0)
            }
            _ => straight(descriptors, count, millis, size),
        }
    }
}

/// `ppoll` as _FORTIFY_SOURCE has it.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn __ppoll_chk(
    descriptors: Descriptors,
    count: u64,
    length: *const Timespec,
    mask: Mask,
    size: usize,
) -> i32 {
    let Some(real) = real::__ppoll_chk() else { return missing() };
    if !relative::is_affected() {
        // SAFETY: the caller's contract.
        return unsafe { real(descriptors, count, length, mask, size) };
    }
    // SAFETY: everywhere the caller's contract.
    unsafe {
        match of_timespec(length) {
            Some(wait) => wait.run(|left| real(descriptors, count, left, mask, size), nothing_ready, 0),
            None => real(descriptors, count, length, mask, size),
        }
    }
}

/// SYS_poll.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_poll([descriptors, count, millis]: [usize; 3]) -> isize {
    // SAFETY: the kernel checks the pointers.
    unsafe {
        match of_millis(millis as i32) {
            Some(wait) => wait.run(
                |left| {
                    let left = core::ptr::from_ref(left) as usize;
                    sys::syscall5(nr::PPOLL, descriptors, count, left, 0, 8)
                },
                |result| result == 0,
                0,
            ),
            None => sys::syscall3(nr::POLL, descriptors, count, millis),
        }
    }
}

/// SYS_ppoll, which writes down what is left.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_ppoll([descriptors, count, length, mask, size]: [usize; 5]) -> isize {
    // SAFETY: the kernel checks the pointers.
    unsafe {
        let call = |length| sys::syscall5(nr::PPOLL, descriptors, count, length, mask, size);
        with_remainder(length, call, |result| result == 0)
    }
}

/// A system call with a length of time in which the kernel writes down what is left. It writes to a copy, if the caller's can be
/// written, and what is left by the node's clock goes to the caller's.
///
/// # Safety
/// As for the system call.
pub unsafe fn with_remainder(
    length: usize,
    call: impl Fn(usize) -> isize,
    timed_out: impl Fn(isize) -> bool,
) -> isize {
    let given = length as *mut Timespec;
    // SAFETY: the kernel says what can be read and written.
    unsafe {
        let readable = relative::is_affected() && sys::is_readable(length, size_of::<Timespec>());
        let Some(wait) = readable.then(|| of_timespec(given)).flatten() else { return call(length) };
        let result = wait.run(
            |left| {
                let mut copy = *left;
                call((&raw mut copy) as usize)
            },
            timed_out,
            0,
        );
        if sys::is_writable_timespec(length) {
            given.write(wait.left());
        }
        result
    }
}
