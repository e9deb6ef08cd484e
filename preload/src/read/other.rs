//! The clocks that are seldom read: TAI, RAW, the alarm clocks, and those that no fault touches.
#![allow(unsafe_code)]
// Sound because the caller's pointer is the caller's.

use falseticker_page::layout::Clock;

use super::{cold, host, raw};
use crate::abi::{Timespec, clock};
use crate::sys;

/// Reads any of them.
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
pub unsafe extern "C" fn read(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: everywhere the caller's own pointer, passed on.
    unsafe {
        match id {
            clock::TAI => cold::read(Clock::Wall, id, clock::MONOTONIC, to),
            clock::MONOTONIC_RAW => raw::read(to),
            clock::REALTIME_ALARM => alarm(Clock::Wall, id, to),
            clock::BOOTTIME_ALARM => alarm(Clock::Boot, id, to),
            _ => host(id, to),
        }
    }
}

/// The alarm clocks, which the kernel itself reads: it says whether there is one and whether the pointer is good.
unsafe fn alarm(clock: Clock, id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: the kernel checks the pointer.
    let result = (unsafe { sys::syscall2(sys::nr::CLOCK_GETTIME, id as usize, to as usize) }) as i32;
    if result != 0 {
        return result;
    }
    // SAFETY: the kernel has just written there.
    unsafe { cold::read(clock, id, clock::MONOTONIC, to) }
}
