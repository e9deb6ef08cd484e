//! A clock read: which schedule answers which clock id, the fast way, and the cold one.
//!
//! What must hold: each false clock is a monotone function of one host read; the fast way is a handful of loads and
//! compares around the vDSO's own read; whatever is rare leaves by the cold one.
#![allow(unsafe_code)]
// Sound because the caller's pointer is written as the real function would write it, and nothing else is.

mod cold;
mod fast;
mod gate;
mod hooks;
mod other;
mod raw;

pub use cold::host_instant;
pub use hooks::{vdso_clock_gettime, vdso_gettimeofday, vdso_time};

use core::sync::atomic::Ordering;

use falseticker_page::layout::Clock;

use crate::abi::{Timespec, clock};
use crate::state::STATE;
use crate::sys;

/// Reads a host clock: the true vDSO where it is known, else the kernel. 0 or a negative errno.
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
#[inline(always)]
unsafe fn host(id: i32, to: *mut Timespec) -> i32 {
    match STATE.host_clock() {
        // SAFETY: the true function under the caller's contract.
        Some(read) => unsafe { read(id, to) },
        None => {
            // SAFETY: the kernel checks the pointer.
            (unsafe { sys::syscall2(sys::nr::CLOCK_GETTIME, id as usize, to as usize) }) as i32
        }
    }
}

/// Answers a read of any clock: 0 or a negative errno, as the vDSO does.
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
pub unsafe fn clock_gettime(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: everywhere the caller's own pointer, passed on.
    unsafe {
        if id == clock::REALTIME {
            return fast::read(Clock::Wall, clock::REALTIME, clock::MONOTONIC, to);
        }
        if id == clock::MONOTONIC {
            if STATE.monotonic.load(Ordering::Relaxed) == 0
                && let Some(read) = STATE.host_clock()
            {
                return read(id, to);
            }
            return fast::read(Clock::Mono, clock::MONOTONIC, clock::MONOTONIC, to);
        }
        if id == clock::REALTIME_COARSE {
            return fast::read(Clock::Wall, id, clock::MONOTONIC_COARSE, to);
        }
        if id == clock::MONOTONIC_COARSE {
            return fast::read(Clock::Mono, id, clock::MONOTONIC_COARSE, to);
        }
        if id == clock::BOOTTIME {
            return fast::read(Clock::Boot, id, clock::MONOTONIC, to);
        }
        gate::seldom(id, to)
    }
}
