//! `timerfd_create`, `timerfd_settime`, `timerfd_gettime`.
#![allow(unsafe_code)]
// Sound because the caller's structures are read and written only where the kernel could.

use core::sync::atomic::Ordering;

use super::errno;
use crate::state::STATE;
use crate::sys::{self, errno::ENOSYS, nr};
use crate::timer::{
    self, book,
    kernel::{ABSOLUTE, CANCEL_ON_SET, Kind, Setting},
};
use crate::wait::real;

/// `timerfd_create(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn timerfd_create(clock: i32, flags: i32) -> i32 {
    let Some(real) = real::timerfd_create() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: takes numbers.
    let descriptor = unsafe { real(clock, flags) };
    note(descriptor, clock);
    descriptor
}

/// SYS_timerfd_create.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_create(clock: usize, flags: usize) -> isize {
    // SAFETY: takes numbers.
    let descriptor = unsafe { sys::syscall2(nr::TIMERFD_CREATE, clock, flags) };
    note(descriptor as i32, clock as i32);
    descriptor
}

/// Writes down the clock of a new timer: the kernel does not tell it without /proc.
fn note(descriptor: i32, clock: i32) {
    if descriptor < 0 || STATE.page().is_none() {
        return;
    }
    if let Some(entry) = book::descriptor_or_new(descriptor) {
        timer::begin_anew(entry, clock as u32 + 1);
    }
}

/// `timerfd_settime(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn timerfd_settime(
    descriptor: i32,
    flags: i32,
    new: *const Setting,
    old: *mut Setting,
) -> i32 {
    // SAFETY: the caller's contract.
    errno::result(unsafe { set(descriptor, flags as usize, new, old) }) as i32
}

/// SYS_timerfd_settime.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_settime([descriptor, flags, new, old]: [usize; 4]) -> isize {
    // SAFETY: the caller's contract.
    unsafe { set(descriptor as i32, flags as u32 as usize, new as *const Setting, old as *mut Setting) }
}

unsafe fn set(descriptor: i32, flags: usize, new: *const Setting, old: *mut Setting) -> isize {
    let straight = || {
        // SAFETY: the kernel checks the pointers.
        unsafe { sys::syscall4(nr::TIMERFD_SETTIME, descriptor as usize, flags, new as usize, old as usize) }
    };
    if STATE.page().is_none() || flags & !(ABSOLUTE | CANCEL_ON_SET) != 0 {
        return straight();
    }
    let Some(clock) = clock_of(descriptor) else { return straight() };
    let Some(entry) = book::descriptor_or_new(descriptor) else { return straight() };
    if !timer::is_ours(clock, flags) && !entry.is_armed() {
        return straight();
    }
    // SAFETY: the kernel has read there.
    let Some(wanted) = (unsafe { super::timers::read_valid(new) }) else { return straight() };
    // SAFETY: the caller's contract.
    unsafe { super::timers::set(entry, (Kind::Descriptor, descriptor), clock, flags, &wanted, old, straight) }
}

/// The clock of a timer: as it was written down when it was made, or as /proc says of one that came from elsewhere.
fn clock_of(descriptor: i32) -> Option<i32> {
    let known = book::descriptor(descriptor).map_or(0, |entry| entry.clock.load(Ordering::Relaxed));
    if known != 0 {
        return Some(known as i32 - 1);
    }
    let clock = sys::files::clock_of_timer(descriptor)?;
    note(descriptor, clock);
    Some(clock)
}

/// `timerfd_gettime(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn timerfd_gettime(descriptor: i32, to: *mut Setting) -> i32 {
    // SAFETY: the caller's contract.
    errno::result(unsafe { by_gettime(descriptor as usize, to as usize) }) as i32
}

/// SYS_timerfd_gettime.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_gettime(descriptor: usize, to: usize) -> isize {
    // SAFETY: the kernel checks the pointer; where it has written, so may we.
    unsafe {
        let result = sys::syscall2(nr::TIMERFD_GETTIME, descriptor, to);
        if result == 0
            && let Some(left) = book::descriptor(descriptor as i32).and_then(timer::left)
        {
            (to as *mut Setting).write(left);
        }
        result
    }
}

const _: () = assert!(size_of::<Setting>() == 32);
