//! What the image exports: the names of a vDSO, with their conventions.
//!
//! What must hold: each function that the kernel's vDSO may have is here, since a program takes all from the image or none.
//! What is not about the time of day goes on to the kernel's own; where it has none, to what stands for none.
#![allow(unsafe_code)]
// Sound because each passes its caller's pointers on as the kernel's function would have had them.

use crate::abi::{Timespec, Timeval};
use crate::load::MORE;
use crate::read;

/// # Safety
/// As for `clock_gettime`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __vdso_clock_gettime(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { read::vdso_clock_gettime(id, to) }
}

/// # Safety
/// As for `gettimeofday`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __vdso_gettimeofday(to: *mut Timeval, zone: *mut u8) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { read::vdso_gettimeofday(to, zone) }
}

/// # Safety
/// As for `time`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __vdso_time(to: *mut i64) -> i64 {
    // SAFETY: the caller's contract.
    unsafe { read::vdso_time(to) }
}

crate::arch::passed_on! {
    /// The kernel's, or the system call.
    __vdso_getcpu => MORE.getcpu, or crate::arch::GETCPU;
    /// The kernel's, or the system call.
    __vdso_clock_getres => MORE.clock_getres, or crate::sys::nr::CLOCK_GETRES;
    /// The kernel's. There is no system call with its arguments: the number of none says ENOSYS, which callers know.
    __vdso_getrandom => MORE.getrandom, or usize::MAX;
}
