//! `epoll_wait` and its kin: for a length of time, where the node's monotonic clock may be faulted.
#![allow(unsafe_code)]
// Sound because each function hands the caller's pointers to its namesake, with a timespec of its own.

use core::ffi::c_void;

use super::errno;
use super::polls::{nothing_ready, of_millis, of_timespec};
use crate::abi::Timespec;
use crate::sys::{self, errno::ENOSYS, nr};
use crate::wait::{real, relative};

type Events = *mut c_void;
type Mask = *mut c_void;

fn missing() -> i32 {
    errno::result(-(ENOSYS as isize)) as i32
}

/// How many milliseconds cover a length of time.
fn millis(left: &Timespec) -> i32 {
    let millis = left.sec.saturating_mul(1000).saturating_add(left.nsec.saturating_add(999_999) / 1_000_000);
    i32::try_from(millis).unwrap_or(i32::MAX)
}

/// `epoll_wait(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_wait(epoll: i32, events: Events, room: i32, length: i32) -> i32 {
    let Some(real) = real::epoll_wait() else { return missing() };
    if !relative::is_affected() {
        // SAFETY: the caller's contract.
        return unsafe { real(epoll, events, room, length) };
    }
    let none: Mask = core::ptr::null_mut();
    // SAFETY: everywhere the caller's contract.
    unsafe {
        match (of_millis(length), real::epoll_pwait2()) {
            (None, _) => real(epoll, events, room, length),
            (Some(wait), Some(exact)) => {
                wait.run(|left| exact(epoll, events, room, left, none), nothing_ready, 0)
            }
            (Some(wait), None) => wait.run(|left| real(epoll, events, room, millis(left)), nothing_ready, 0),
        }
    }
}

/// `epoll_pwait(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_pwait(epoll: i32, events: Events, room: i32, length: i32, mask: Mask) -> i32 {
    let Some(real) = real::epoll_pwait() else { return missing() };
    if !relative::is_affected() {
        // SAFETY: the caller's contract.
        return unsafe { real(epoll, events, room, length, mask) };
    }
    // SAFETY: everywhere the caller's contract.
    unsafe {
        match (of_millis(length), real::epoll_pwait2()) {
            (None, _) => real(epoll, events, room, length, mask),
            (Some(wait), Some(exact)) => {
                wait.run(|left| exact(epoll, events, room, left, mask), nothing_ready, 0)
            }
            (Some(wait), None) => {
                wait.run(|left| real(epoll, events, room, millis(left), mask), nothing_ready, 0)
            }
        }
    }
}

/// `epoll_pwait2(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_pwait2(
    epoll: i32,
    events: Events,
    room: i32,
    length: *const Timespec,
    mask: Mask,
) -> i32 {
    let Some(real) = real::epoll_pwait2() else { return missing() };
    if !relative::is_affected() {
        // SAFETY: the caller's contract.
        return unsafe { real(epoll, events, room, length, mask) };
    }
    // SAFETY: everywhere the caller's contract.
    unsafe {
        match of_timespec(length) {
            Some(wait) => wait.run(|left| real(epoll, events, room, left, mask), nothing_ready, 0),
            None => real(epoll, events, room, length, mask),
        }
    }
}

/// SYS_epoll_wait and SYS_epoll_pwait.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_millis(number: usize, arguments: [usize; 6]) -> isize {
    let [epoll, events, room, length, mask, size] = arguments;
    // SAFETY: the kernel checks the pointers.
    unsafe {
        let call = |millis: i32| sys::syscall6(number, epoll, events, room, millis as usize, mask, size);
        match of_millis(length as i32) {
            Some(wait) => wait.run(|left| call(millis(left)), |result| result == 0, 0),
            None => call(length as i32),
        }
    }
}

/// SYS_epoll_pwait2.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_timespec(arguments: [usize; 6]) -> isize {
    let [epoll, events, room, length, mask, size] = arguments;
    // SAFETY: the kernel checks the pointers.
    unsafe {
        let call = |length: usize| sys::syscall6(nr::EPOLL_PWAIT2, epoll, events, room, length, mask, size);
        let readable = relative::is_affected() && sys::is_readable(length, size_of::<Timespec>());
        match readable.then(|| of_timespec(length as *const Timespec)).flatten() {
            Some(wait) => wait.run(|left| call(core::ptr::from_ref(left) as usize), |result| result == 0, 0),
            None => call(length),
        }
    }
}
