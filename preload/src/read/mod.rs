//! A clock read: which schedule answers which clock id, the fast way, and the cold one.
//!
//! What must hold: each false clock is a monotone function of one host read; the fast way is a handful of loads and
//! compares around the vDSO's own read; whatever is rare leaves by the cold one.
#![allow(unsafe_code)]
// Sound because the caller's pointer is written as the real function would write it, and nothing else is.

pub mod cold;
mod fast;
mod hooks;
pub mod other;
mod raw;

pub use cold::host_instant;
pub use hooks::{vdso_clock_gettime, vdso_gettimeofday, vdso_time};

use falseticker_page::layout::{Clock, Page};

use crate::abi::{Timespec, clock};
use crate::arch::gates;
use crate::state::STATE;

/// Reads a host clock. 0 or a negative errno.
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
#[inline(always)]
unsafe fn host(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: the true function under the caller's contract.
    unsafe { STATE.host_clock()(id, to) }
}

/// Answers a read of any clock: 0 or a negative errno, as the vDSO does.
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
#[inline(always)]
pub unsafe fn clock_gettime(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: everywhere the caller's own pointer, passed on; the page has been seen where a monotonic clock is plain.
    unsafe {
        if id == clock::REALTIME {
            fast::read(Clock::Wall, clock::REALTIME, clock::MONOTONIC, to)
        } else if id == clock::MONOTONIC && STATE.page().is_some_and(Page::mono_is_plain) {
            STATE.host_clock_behind_page()(id, to)
        } else {
            less_common(id, to)
        }
    }
}

/// The clocks that are read less often, or not as often in nodes whose monotonic clocks may be faulted.
#[inline(never)]
unsafe fn less_common(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: everywhere the caller's own pointer, passed on.
    unsafe {
        match id {
            clock::MONOTONIC => fast::read(Clock::Mono, id, clock::MONOTONIC, to),
            clock::REALTIME_COARSE => fast::read(Clock::Wall, id, clock::MONOTONIC_COARSE, to),
            clock::MONOTONIC_COARSE => fast::read(Clock::Mono, id, clock::MONOTONIC_COARSE, to),
            clock::BOOTTIME => fast::read(Clock::Boot, id, clock::MONOTONIC, to),
            _ => gates::seldom(id, to),
        }
    }
}
