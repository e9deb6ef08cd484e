//! The raw system calls that tell the time. (The function `syscall` itself is the processor's, in `arch`.)
#![allow(unsafe_code)]
// Sound because the caller's contract is the system call's.

use super::{errno, reads, settings};
use crate::sys::nr;

/// The calls that tell the time.
///
/// # Safety
/// As for the system call.
pub unsafe extern "C" fn hooked(number: usize, one: usize, two: usize) -> isize {
    // SAFETY: the caller's contract.
    errno::result(unsafe {
        match number {
            nr::ADJTIMEX => settings::by_adjtimex(one as *mut _),
            nr::CLOCK_ADJTIME => settings::by_clock_adjtime(one, two as *mut _),
            _ => reads::by_number(number, one, two),
        }
    })
}

/// What libc makes of an error.
pub extern "C" fn failed(kernel: isize) -> isize {
    errno::result(kernel)
}
