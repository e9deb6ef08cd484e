//! What the vDSO's own entries are sent to: the same reads, with the vDSO's conventions (a negative errno, no `errno`).
#![allow(unsafe_code)]
// Sound because each writes where the function that it stands for would write.

use core::mem::MaybeUninit;

use super::clock_gettime;
use crate::abi::{Timespec, Timeval, clock};
use crate::sys;

/// `__vdso_clock_gettime`.
///
/// # Safety
/// As for `clock_gettime`.
pub unsafe extern "C" fn vdso_clock_gettime(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { clock_gettime(id, to) }
}

/// A clock as the node has it; `Err` with a negative errno.
#[inline(always)]
pub fn now(id: i32) -> Result<Timespec, i32> {
    let mut now = MaybeUninit::<Timespec>::uninit();
    // SAFETY: room for a timespec, initialised when 0 comes back.
    unsafe {
        match clock_gettime(id, now.as_mut_ptr()) {
            0 => Ok(now.assume_init()),
            refused => Err(refused),
        }
    }
}

/// `__vdso_gettimeofday`.
///
/// # Safety
/// As for `gettimeofday`: each pointer is null or good.
pub unsafe extern "C" fn vdso_gettimeofday(to: *mut Timeval, zone: *mut u8) -> i32 {
    if !to.is_null() {
        let now = match now(clock::REALTIME) {
            Ok(now) => now,
            Err(refused) => return refused,
        };
        // SAFETY: the caller's contract. Field by field, and not zeroed before: that would take a vector register.
        unsafe {
            (&raw mut (*to).sec).write(now.sec);
            (&raw mut (*to).usec).write_volatile(i64::from((now.nsec as u32) / 1000));
        }
    }
    if !zone.is_null() {
        // The kernel's own zone, written as the vDSO writes it: a bad pointer is the caller's fault, not an EFAULT.
        let mut minutes_and_dst = [0_i32; 2];
        // SAFETY: the kernel writes two ints to the live array; then the caller's contract.
        unsafe {
            sys::syscall2(sys::nr::GETTIMEOFDAY, 0, (&raw mut minutes_and_dst) as usize);
            zone.cast::<i32>().write_volatile(minutes_and_dst[0]);
            zone.cast::<i32>().add(1).write_volatile(minutes_and_dst[1]);
        }
    }
    0
}

/// `__vdso_time`.
///
/// # Safety
/// As for `time`: the pointer is null or good.
pub unsafe extern "C" fn vdso_time(to: *mut i64) -> i64 {
    let now = match now(clock::REALTIME_COARSE) {
        Ok(now) => now,
        Err(refused) => return i64::from(refused),
    };
    if !to.is_null() {
        // SAFETY: the caller's contract.
        unsafe { to.write(now.sec) };
    }
    now.sec
}
