//! `clock_gettime` and its kin.
#![allow(unsafe_code)]
// Sound because each function writes through the caller's pointers exactly what its namesake writes.

use super::errno;
use crate::abi::{Timeb, Timespec, Timeval, clock};
use crate::read;
use crate::sys;

/// `clock_gettime(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: the caller's contract.
    let result = unsafe { read::clock_gettime(id, to) };
    if result == 0 { 0 } else { errno::result(result as isize) as i32 }
}

/// `__clock_gettime`, glibc's other name for it.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn __clock_gettime(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { clock_gettime(id, to) }
}

/// `gettimeofday(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(to: *mut Timeval, zone: *mut u8) -> i32 {
    // SAFETY: the caller's contract.
    errno::result(unsafe { read::vdso_gettimeofday(to, zone) } as isize) as i32
}

/// `time(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn time(to: *mut i64) -> i64 {
    // SAFETY: the caller's contract.
    unsafe { read::vdso_time(to) }
}

const TIME_UTC: i32 = 1;

/// C11's `timespec_get`; C23's other bases are those of the clocks of the same names.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn timespec_get(to: *mut Timespec, base: i32) -> i32 {
    if base == TIME_UTC {
        // SAFETY: the caller's contract.
        let result = unsafe { read::clock_gettime(clock::REALTIME, to) };
        return if result == 0 { base } else { 0 };
    }
    // Whether a libc knows other bases is for that libc to say; none of them is the wall clock.
    type Function = unsafe extern "C" fn(*mut Timespec, i32) -> i32;
    // SAFETY: the next function of this name has this type; the caller's contract is passed on.
    unsafe {
        let real: Option<Function> = core::mem::transmute(crate::load::next::find(c"timespec_get"));
        real.map_or(0, |real| real(to, base))
    }
}

/// `ftime(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn ftime(to: *mut Timeb) -> i32 {
    let mut now = Timespec::default();
    // SAFETY: a live timespec of ours, then the caller's pointer.
    unsafe {
        if read::clock_gettime(clock::REALTIME, &raw mut now) != 0 {
            return -1;
        }
        let millitm = (now.nsec as u32 / 1_000_000) as u16;
        to.write(Timeb { time: now.sec, millitm, timezone: 0, dstflag: 0 });
    }
    0
}

/// The reads among the raw system calls. The kernel goes first: it says whether the pointers are good.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_number(nr: usize, one: usize, two: usize) -> isize {
    // SAFETY: the kernel checks the pointers before it writes; where it has written, so may we.
    unsafe {
        match nr {
            sys::nr::CLOCK_GETTIME => match sys::syscall2(nr, one, two) {
                0 => read::clock_gettime(one as i32, two as *mut Timespec) as isize,
                refused => refused,
            },
            sys::nr::GETTIMEOFDAY => match sys::syscall2(nr, one, two) {
                0 => read::vdso_gettimeofday(one as *mut Timeval, core::ptr::null_mut()) as isize,
                refused => refused,
            },
            _ => match sys::syscall1(sys::nr::TIME, one) {
                refused @ -4095..=-1 => refused,
                _ => read::vdso_time(one as *mut i64) as isize,
            },
        }
    }
}
