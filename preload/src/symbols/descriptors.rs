//! What is done to a timer's descriptor: copies of it are timers too, and a read of one fails once when the clock was set.
//!
//! A descriptor that is closed needs no word: before a timer is moved the kernel's is looked at.
#![allow(unsafe_code)]
// Sound because each function hands the caller's arguments to its namesake.

use core::ffi::c_void;

use super::errno;
use crate::sys::{self, errno::ENOSYS, nr};
use crate::timer::{self, book};
use crate::wait::real;

/// `ECANCELED`
const ECANCELED: isize = 125;
const F_DUPFD: i32 = 0;
const F_DUPFD_CLOEXEC: i32 = 1030;

fn missing() -> isize {
    errno::result(-(ENOSYS as isize))
}

/// Makes a copy, and notes it.
#[inline(always)]
fn copied(from: i32, copy: impl FnOnce() -> isize) -> isize {
    if !book::has_descriptors() {
        return copy();
    }
    timer::while_none_is_moved(|| {
        let to = copy();
        if to >= 0 {
            timer::copy(from, to as i32);
        }
        to
    })
}

/// `dup(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn dup(old: i32) -> i32 {
    let Some(real) = real::dup() else { return missing() as i32 };
    // SAFETY: takes a number.
    copied(old, || unsafe { real(old) } as isize) as i32
}

/// `dup2(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn dup2(old: i32, to: i32) -> i32 {
    let Some(real) = real::dup2() else { return missing() as i32 };
    // SAFETY: takes numbers.
    copied(old, || unsafe { real(old, to) } as isize) as i32
}

/// `dup3(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn dup3(old: i32, to: i32, flags: i32) -> i32 {
    let Some(real) = real::dup3() else { return missing() as i32 };
    // SAFETY: takes numbers.
    copied(old, || unsafe { real(old, to, flags) } as isize) as i32
}

/// `fcntl(2)`, whose third argument is whatever the second says.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl(descriptor: i32, command: i32, argument: usize) -> i32 {
    let Some(real) = real::fcntl() else { return missing() as i32 };
    // SAFETY: the caller's contract.
    let call = || unsafe { real(descriptor, command, argument) };
    // Others may wait, for a lock for instance.
    if matches!(command, F_DUPFD | F_DUPFD_CLOEXEC) {
        copied(descriptor, || call() as isize) as i32
    } else {
        call()
    }
}

/// The same with files of any size.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl64(descriptor: i32, command: i32, argument: usize) -> i32 {
    // SAFETY: the caller's contract; on 64-bit machines it is the same function.
    unsafe { fcntl(descriptor, command, argument) }
}

/// SYS_dup, SYS_dup2, SYS_dup3 and SYS_fcntl.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_number(number: usize, [one, two, three]: [usize; 3]) -> isize {
    // SAFETY: the kernel checks the pointers.
    let call = || unsafe { sys::syscall3(number, one, two, three) };
    if number != nr::FCNTL || matches!(two as i32, F_DUPFD | F_DUPFD_CLOEXEC) {
        copied(one as i32, call)
    } else {
        call()
    }
}

/// `read(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn read(descriptor: i32, to: *mut c_void, count: usize) -> isize {
    let Some(real) = real::read() else { return missing() };
    if timer::is_nothing_cancelable() {
        // SAFETY: the caller's contract.
        return unsafe { real(descriptor, to, count) };
    }
    timer::watch_over_inherited();
    // SAFETY: the caller's contract.
    let result = unsafe { real(descriptor, to, count) };
    if timer::is_canceled(descriptor) { errno::result(-ECANCELED) } else { result }
}

/// `read` as _FORTIFY_SOURCE has it.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn __read_chk(descriptor: i32, to: *mut c_void, count: usize, size: usize) -> isize {
    let Some(real) = real::__read_chk() else { return missing() };
    if timer::is_nothing_cancelable() {
        // SAFETY: the caller's contract.
        return unsafe { real(descriptor, to, count, size) };
    }
    timer::watch_over_inherited();
    // SAFETY: the caller's contract.
    let result = unsafe { real(descriptor, to, count, size) };
    if timer::is_canceled(descriptor) { errno::result(-ECANCELED) } else { result }
}

/// SYS_read.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_read(descriptor: usize, to: usize, count: usize) -> isize {
    timer::watch_over_inherited();
    // SAFETY: the kernel checks the pointers.
    let result = unsafe { sys::syscall3(nr::READ, descriptor, to, count) };
    if timer::is_canceled(descriptor as i32) { -ECANCELED } else { result }
}
