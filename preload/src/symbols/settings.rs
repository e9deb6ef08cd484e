//! The functions that set clocks, and those of `adjtimex` and its kin that tell the time on the side.
//!
//! What must hold: what libc itself checks before it asks the kernel is answered as that libc answers it. Its own functions
//! are called for what may pass; what is refused is decided in [`crate::setting`].
#![allow(unsafe_code)]
// Sound because the caller's pointers are read where libc would read them, and everything else is left to libc or the kernel.

use core::ffi::CStr;

use super::errno;
use crate::abi::{NtpTimeval, Timespec, Timeval, Timex, clock};
use crate::load::next;
use crate::setting;
use crate::sys::errno::EINVAL;

/// Whether the libc is glibc: it and musl check differently.
fn is_glibc() -> bool {
    next::find(c"gnu_get_libc_version") != 0
}

/// What libc makes of an argument that it refuses itself.
fn invalid() -> i32 {
    errno::result(-(EINVAL as isize)) as i32
}

/// Calls libc's own function of this name.
///
/// # Safety
/// That function must have two arguments, and these must be good for it.
unsafe fn pass_on(name: &CStr, one: usize, two: usize) -> i32 {
    type Function = unsafe extern "C" fn(usize, usize) -> i32;
    // SAFETY: words travel in the same registers, whatever their types; the caller's contract is passed on.
    unsafe {
        let real: Option<Function> = core::mem::transmute(next::find(name));
        real.map_or_else(invalid, |real| real(one, two))
    }
}

/// `clock_settime(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_settime(id: i32, to: *const Timespec) -> i32 {
    // SAFETY: the caller's contract; glibc reads the nanoseconds before it asks the kernel.
    unsafe {
        if !setting::is_refused() || !setting::can_be_set(id) {
            return pass_on(c"clock_settime", id as usize, to as usize);
        }
        if is_glibc() && !(0..1_000_000_000).contains(&(&raw const (*to).nsec).read_volatile()) {
            return invalid();
        }
        errno::result(setting::clock_settime(id, to)) as i32
    }
}

/// `settimeofday(2)`. Musl leaves the zone alone; glibc takes either it or the time.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn settimeofday(to: *const Timeval, zone: *const [i32; 2]) -> i32 {
    let glibc = is_glibc();
    // SAFETY: the caller's contract; both libcs read the time themselves.
    unsafe {
        if !setting::is_refused() || to.is_null() && (zone.is_null() || !glibc) {
            return pass_on(c"settimeofday", to as usize, zone as usize);
        }
        if to.is_null() {
            return errno::result(setting::settimeofday(to, zone)) as i32;
        }
        if glibc && !zone.is_null() {
            return invalid();
        }
        let to = to.read_volatile();
        if !glibc && !(0..1_000_000).contains(&to.usec) {
            return invalid();
        }
        let to = Timespec { sec: to.sec, nsec: to.usec.wrapping_mul(1000) };
        errno::result(setting::clock_settime(clock::REALTIME, &raw const to)) as i32
    }
}

/// `stime(2)`, which glibc has for old programs only.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn stime(to: *const i64) -> i32 {
    // SAFETY: the caller's contract.
    unsafe {
        let to = Timespec { sec: to.read_volatile(), nsec: 0 };
        clock_settime(clock::REALTIME, &raw const to)
    }
}

/// `adjtime(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn adjtime(by: *const Timeval, old: *mut Timeval) -> i32 {
    const MILLION: i64 = 1_000_000;
    /// glibc's limit: what a C int of microseconds holds, less two seconds.
    const GLIBC: i64 = i32::MAX as i64 / MILLION - 2;
    // SAFETY: the caller's contract.
    unsafe {
        if !setting::is_refused() || by.is_null() {
            return pass_on(c"adjtime", by as usize, old as usize);
        }
        let by = by.read_volatile();
        let valid = if is_glibc() {
            (-GLIBC..=GLIBC).contains(&by.sec.wrapping_add(by.usec / MILLION))
        } else {
            by.sec <= 1000 && by.usec <= 1000 * MILLION
        };
        if valid { errno::result(setting::refuse()) as i32 } else { invalid() }
    }
}

/// `adjtimex(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn adjtimex(to: *mut Timex) -> i32 {
    // SAFETY: the caller's contract.
    errno::result(unsafe { setting::adjtimex(to) }) as i32
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
    errno::result(unsafe { setting::clock_adjtime(id, to) }) as i32
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
        let state = errno::result(setting::adjtimex(&raw mut timex)) as i32;
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
        let state = errno::result(setting::adjtimex(&raw mut timex)) as i32;
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
