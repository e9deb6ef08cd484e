//! The raw system calls that tell or set the time, or wait for it. (The function `syscall` itself is the processor's, in `arch`.)
#![allow(unsafe_code)]
// Sound because the caller's contract is the system call's.

use super::{errno, futexes, reads, sleeps};
use crate::setting;
use crate::sys::nr;

/// The calls that are about time.
///
/// # Safety
/// As for the system call.
pub unsafe extern "C" fn hooked(
    number: usize,
    one: usize,
    two: usize,
    three: usize,
    four: usize,
    five: usize,
    six: usize,
) -> isize {
    // SAFETY: the caller's contract.
    errno::result(unsafe {
        match number {
            nr::FUTEX => futexes::by_number([one, two, three, four, five, six]),
            nr::FUTEX_WAITV => futexes::by_waitv([one, two, three, four, five]),
            nr::CLOCK_NANOSLEEP => sleeps::by_number([one, two, three, four]),
            nr::ADJTIMEX => setting::adjtimex(one as *mut _),
            nr::CLOCK_ADJTIME => setting::clock_adjtime(one as i32, two as *mut _),
            nr::CLOCK_SETTIME => setting::clock_settime(one as i32, two as *const _),
            nr::SETTIMEOFDAY => setting::settimeofday(one as *const _, two as *const _),
            _ => reads::by_number(number, one, two),
        }
    })
}

/// What libc makes of an error.
pub extern "C" fn failed(kernel: isize) -> isize {
    errno::result(kernel)
}
