//! `adjtimex` and its kin, which tell the time on the side.
//!
//! The kernel's clock is read and steered as without the shim; only the time that comes back is the node's.
#![allow(unsafe_code)]
// Sound because the kernel has written the structure before it is changed.

use super::errno;
use crate::abi::{NtpTimeval, STA_NANO, Timespec, Timeval, Timex, clock};
use crate::read;
use crate::sys;

/// Puts the node's time where the kernel has put the host's.
unsafe fn correct(to: *mut Timex) {
    let mut now = Timespec::default();
    // SAFETY: a live timespec of ours; the kernel has just written all of `to`.
    unsafe {
        if read::clock_gettime(clock::REALTIME, &raw mut now) == 0 {
            let nano = (*to).status & STA_NANO != 0;
            (*to).time_sec = now.sec;
            (*to).time_usec = if nano { now.nsec } else { i64::from(now.nsec as u32 / 1000) };
        }
    }
}

/// SYS_adjtimex, corrected.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_adjtimex(to: *mut Timex) -> isize {
    // SAFETY: the kernel checks the pointer.
    let result = unsafe { sys::syscall1(sys::nr::ADJTIMEX, to as usize) };
    if result >= 0 {
        // SAFETY: the kernel has written there.
        unsafe { correct(to) };
    }
    result
}

/// SYS_clock_adjtime, corrected for the wall clock.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_clock_adjtime(id: usize, to: *mut Timex) -> isize {
    // SAFETY: the kernel checks the pointer.
    let result = unsafe { sys::syscall2(sys::nr::CLOCK_ADJTIME, id, to as usize) };
    if result >= 0 && id as i32 == clock::REALTIME {
        // SAFETY: the kernel has written there.
        unsafe { correct(to) };
    }
    result
}

/// `adjtimex(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn adjtimex(to: *mut Timex) -> i32 {
    // SAFETY: the caller's contract.
    errno::result(unsafe { by_adjtimex(to) }) as i32
}

/// glibc's other names for it.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn __adjtimex(to: *mut Timex) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { adjtimex(to) }
}

/// `ntp_adjtime(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn ntp_adjtime(to: *mut Timex) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { adjtimex(to) }
}

/// `clock_adjtime(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_adjtime(id: i32, to: *mut Timex) -> i32 {
    // SAFETY: the caller's contract.
    errno::result(unsafe { by_clock_adjtime(id as usize, to) }) as i32
}

/// `ntp_gettime(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn ntp_gettime(to: *mut NtpTimeval) -> i32 {
    let mut timex = Timex::default();
    // SAFETY: a live structure of ours, then the caller's pointer; this older call writes only these fields.
    unsafe {
        let state = errno::result(by_adjtimex(&raw mut timex)) as i32;
        (&raw mut (*to).time).write(Timeval { sec: timex.time_sec, usec: timex.time_usec });
        (&raw mut (*to).maxerror).write(timex.maxerror);
        (&raw mut (*to).esterror).write(timex.esterror);
        state
    }
}

/// `ntp_gettimex(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn ntp_gettimex(to: *mut NtpTimeval) -> i32 {
    let mut timex = Timex::default();
    // SAFETY: a live structure of ours, then the caller's pointer.
    unsafe {
        let state = errno::result(by_adjtimex(&raw mut timex)) as i32;
        to.write(NtpTimeval {
            time: Timeval { sec: timex.time_sec, usec: timex.time_usec },
            maxerror: timex.maxerror,
            esterror: timex.esterror,
            tai: i64::from(timex.tai),
            reserved: [0; 4],
        });
        state
    }
}
