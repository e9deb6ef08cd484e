//! `mq_timedsend` and `mq_timedreceive`: the kernel's own waits, in slices, since nobody can be woken there for nothing.
//!
//! A slice that ends has sent and received nothing, so the next one begins where it was.
#![allow(unsafe_code)]
// Sound because each function hands the caller's pointers to its namesake, and asks the kernel before it reads the deadline.

use super::errno;
use crate::abi::{Timespec, clock};
use crate::sys::{
    self,
    errno::{ENOSYS, ETIMEDOUT},
};
use crate::wait::{self, Early, Measure, Object, Wait, real};

#[inline(always)]
unsafe fn wait(until: *const Timespec, real: impl Fn(*const Timespec) -> isize) -> isize {
    if !sys::is_readable(until as usize, size_of::<Timespec>()) {
        return real(until);
    }
    // SAFETY: the kernel has just read there.
    let Some((page, deadline)) = (unsafe { wait::deadline(clock::REALTIME, until) }) else {
        return real(until);
    };
    let measure = Measure::Host(clock::REALTIME);
    let timed_out = |result| result == -1 && errno::get() == ETIMEDOUT;
    Wait { deadline, measure, early: Early::Again, object: Object::BEYOND_REACH }
        .run(page, real, timed_out, -1)
}

/// `mq_timedsend(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn mq_timedsend(
    queue: i32,
    message: *const u8,
    length: usize,
    priority: u32,
    until: *const Timespec,
) -> i32 {
    let Some(real) = real::mq_timedsend() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: the caller's contract.
    unsafe { wait(until, |until| real(queue, message, length, priority, until) as isize) as i32 }
}

/// `mq_timedreceive(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn mq_timedreceive(
    queue: i32,
    message: *mut u8,
    length: usize,
    priority: *mut u32,
    until: *const Timespec,
) -> isize {
    let Some(real) = real::mq_timedreceive() else { return errno::result(-(ENOSYS as isize)) };
    // SAFETY: the caller's contract.
    unsafe { wait(until, |until| real(queue, message, length, priority, until)) }
}
