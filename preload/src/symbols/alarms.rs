//! `setitimer`, `getitimer`, `alarm` and `ualarm`: lengths of time, where the node's monotonic clock may be faulted. The timers of
//! CPU time are never touched.
#![allow(unsafe_code)]
// Sound because the caller's structures are read and written only where the kernel could.

use super::errno;
use crate::abi::{Timespec, Timeval, clock};
use crate::sys::{self, errno::EFAULT, nr};
use crate::timer::{
    self, book,
    kernel::{self, Kind, Setting},
};
use crate::wait::relative;

const ITIMER_REAL: i32 = 0;
const MICROS: i64 = 1_000_000;

/// `struct itimerval`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Interval {
    interval: Timeval,
    value: Timeval,
}

/// `setitimer(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn setitimer(which: i32, new: *const Interval, old: *mut Interval) -> i32 {
    // SAFETY: the caller's contract.
    errno::result(unsafe { by_set(which as usize, new as usize, old as usize) }) as i32
}

/// SYS_setitimer.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_set(which: usize, new: usize, old: usize) -> isize {
    let straight = || {
        // SAFETY: the kernel checks the pointers.
        unsafe { sys::syscall3(nr::SETITIMER, which, new, old) }
    };
    let ours = which as i32 == ITIMER_REAL && relative::is_affected();
    if !ours || !sys::is_readable(new, size_of::<Interval>()) {
        return straight();
    }
    // SAFETY: the kernel has just read there; it says whether it can write.
    unsafe {
        let Some(wanted) = setting(*(new as *const Interval)) else { return straight() };
        let before = arm(&wanted);
        if old == 0 {
            return 0;
        }
        // Sixteen bytes at either end: what the kernel can write there.
        if !sys::is_writable_timespec(old) || !sys::is_writable_timespec(old + 16) {
            return -(EFAULT as isize);
        }
        (old as *mut Interval).write(interval(&before));
    }
    0
}

/// `getitimer(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn getitimer(which: i32, to: *mut Interval) -> i32 {
    // SAFETY: the caller's contract.
    errno::result(unsafe { by_get(which as usize, to as usize) }) as i32
}

/// SYS_getitimer.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_get(which: usize, to: usize) -> isize {
    // SAFETY: the kernel checks the pointer; where it has written, so may we.
    unsafe {
        let result = sys::syscall2(nr::GETITIMER, which, to);
        if result == 0
            && which as i32 == ITIMER_REAL
            && let Some(left) = timer::left(book::real())
        {
            (to as *mut Interval).write(interval(&left));
        }
        result
    }
}

/// `alarm(2)`.
#[unsafe(no_mangle)]
extern "C" fn alarm(seconds: u32) -> u32 {
    by_alarm(seconds as usize) as u32
}

/// SYS_alarm: what was left, in seconds, rounded as the kernel does (`alarm_setitimer`).
pub fn by_alarm(seconds: usize) -> isize {
    if !relative::is_affected() {
        // SAFETY: takes a number.
        return unsafe { sys::syscall1(nr::ALARM, seconds) };
    }
    let value = Timespec { sec: i64::from(seconds as u32), nsec: 0 };
    let before = arm(&Setting { value, ..Setting::default() }).value;
    let up = before.nsec >= 500_000_000 || before.sec == 0 && before.nsec > 0;
    (before.sec + i64::from(up)) as isize
}

/// `ualarm(3)`: what was left, in microseconds. A second or more of them is refused, as libc does.
#[unsafe(no_mangle)]
extern "C" fn ualarm(value: u32, interval: u32) -> u32 {
    let spec = |micros: u32| Timeval { sec: 0, usec: i64::from(micros) };
    let wanted = Interval { value: spec(value), interval: spec(interval) };
    let mut before = Interval { value: spec(0), interval: spec(0) };
    // SAFETY: live structures.
    let result =
        unsafe { by_set(ITIMER_REAL as usize, (&raw const wanted) as usize, (&raw mut before) as usize) };
    if result < 0 {
        return errno::result(result) as u32;
    }
    (before.value.sec * MICROS + before.value.usec) as u32
}

/// Sets the process's timer by the node's clock; what was left of it before.
fn arm(wanted: &Setting) -> Setting {
    let entry = book::real();
    let before = timer::left(entry).or_else(|| kernel::look(Kind::Real, 0).ok()).unwrap_or_default();
    let course = sys::thread::with_signals_blocked(|| {
        let held = entry.hold();
        held.is(Kind::Real, 0);
        timer::set(held, clock::MONOTONIC, 0, wanted)
    });
    if !matches!(course, Ok(timer::Course::Ours)) {
        let _ = kernel::set_or_clear(Kind::Real, 0, wanted);
    }
    before
}

fn setting(given: Interval) -> Option<Setting> {
    let spec = |time: Timeval| {
        let valid = time.sec >= 0 && (0..MICROS).contains(&time.usec);
        valid.then_some(Timespec { sec: time.sec, nsec: time.usec * 1000 })
    };
    Some(Setting { interval: spec(given.interval)?, value: spec(given.value)? })
}

fn interval(setting: &Setting) -> Interval {
    let time = |spec: Timespec| {
        let micros = (spec.nsec + 999) / 1000;
        Timeval { sec: spec.sec + micros / MICROS, usec: micros % MICROS }
    };
    Interval { interval: time(setting.interval), value: time(setting.value) }
}
