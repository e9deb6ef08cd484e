//! The kernel's timers: set and looked at by number, whatever kind they are.
#![allow(unsafe_code)]
// Sound because the kernel reads and writes live structures of these layouts.

use crate::abi::Timespec;
use crate::sys::{self, check, nr};

/// `struct itimerspec`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Setting {
    /// How long from one expiry to the next; zero for one alone.
    pub interval: Timespec,
    /// When it expires first; zero for never.
    pub value: Timespec,
}

/// What kind of timer it is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A descriptor (timerfd).
    Descriptor = 1,
    /// A POSIX timer.
    Posix = 2,
    /// The process's own (`setitimer`, `alarm`).
    Real = 3,
}

impl Kind {
    /// From its number.
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Kind::Descriptor,
            2 => Kind::Posix,
            _ => Kind::Real,
        }
    }
}

/// The value is an instant of the timer's clock.
pub const ABSOLUTE: usize = 1;
/// Reads fail once the clock was set.
pub const CANCEL_ON_SET: usize = 2;

/// `struct itimerval`: microseconds.
type Micros = [i64; 4];

const ITIMER_REAL: usize = 0;

/// Sets a timer. The process's own knows no instants.
pub fn set(kind: Kind, id: i32, flags: usize, to: &Setting) -> Result<(), i32> {
    let at = core::ptr::from_ref(to) as usize;
    // SAFETY: live structures; no old value is asked for.
    let result = unsafe {
        match kind {
            Kind::Descriptor => sys::syscall4(nr::TIMERFD_SETTIME, id as usize, flags, at, 0),
            Kind::Posix => sys::syscall4(nr::TIMER_SETTIME, id as usize, flags & ABSOLUTE, at, 0),
            Kind::Real => {
                let [every, left] = [to.interval, to.value].map(in_micros);
                let micros: Micros = [every.0, every.1, left.0, if left == (0, 0) { 1 } else { left.1 }];
                sys::syscall3(nr::SETITIMER, ITIMER_REAL, micros.as_ptr() as usize, 0)
            }
        }
    };
    check(result).map(drop)
}

/// Seconds and microseconds, rounded up.
fn in_micros(time: Timespec) -> (i64, i64) {
    const MICROS: i64 = 1_000_000;
    let micros = time.nsec.saturating_add(999) / 1000;
    (time.sec.saturating_add(micros / MICROS), micros % MICROS)
}

/// Sets a timer as it is given, or stops it where that says so.
pub fn set_or_clear(kind: Kind, id: i32, to: &Setting) -> Result<(), i32> {
    let clears = to.value.sec == 0 && to.value.nsec == 0;
    if kind != Kind::Real || !clears {
        return set(kind, id, 0, to);
    }
    let none: Micros = [0; 4];
    // SAFETY: a live structure.
    check(unsafe { sys::syscall3(nr::SETITIMER, ITIMER_REAL, none.as_ptr() as usize, 0) }).map(drop)
}

/// What is left until the next expiry, and how long it is from one to the next.
pub fn look(kind: Kind, id: i32) -> Result<Setting, i32> {
    let mut now = Setting::default();
    let at = (&raw mut now) as usize;
    // SAFETY: live structures.
    let result = unsafe {
        match kind {
            Kind::Descriptor => sys::syscall2(nr::TIMERFD_GETTIME, id as usize, at),
            Kind::Posix => sys::syscall2(nr::TIMER_GETTIME, id as usize, at),
            Kind::Real => {
                let mut micros: Micros = [0; 4];
                let result = sys::syscall2(nr::GETITIMER, ITIMER_REAL, micros.as_mut_ptr() as usize);
                let [every_sec, every, sec, left] = micros;
                now.interval = Timespec { sec: every_sec, nsec: every * 1000 };
                now.value = Timespec { sec, nsec: left * 1000 };
                result
            }
        }
    };
    check(result).map(|_| now)
}

/// Whether a descriptor has expiries that nobody has read.
pub fn is_readable(descriptor: i32) -> bool {
    const POLLIN: u64 = 1;
    let mut waiting = u64::from(descriptor.unsigned_abs()) | POLLIN << 32;
    // SAFETY: a `struct pollfd` is eight bytes.
    (unsafe { sys::syscall3(nr::POLL, (&raw mut waiting) as usize, 1, 0) }) == 1
}
