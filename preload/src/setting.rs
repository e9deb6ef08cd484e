//! Calls that set the host's clocks: refused with EPERM whoever asks, unless the node allows them.
//!
//! What must hold: a refused call never reaches the kernel; what is wrong with its arguments is answered first, in the
//! kernel's order and as it answers a process without CAP_SYS_TIME. Calls that only read go to the kernel, and so does
//! whatever asks for a clock that nobody can set; of the wall clock the time that comes back is the node's.
//!
//! Source: the kernel's `kernel/time/`: `posix-timers.c`, `time.c`, `timekeeping.c`, `posix-clock.c`.
#![allow(unsafe_code)]
// Sound because memory of the caller's is read only where the kernel has found it readable, and written only where the
// kernel has just written.

use crate::abi::{ADJ_ADJTIME, ADJ_OFFSET_READONLY, ADJ_OFFSET_SINGLESHOT, ADJ_SETOFFSET};
use crate::abi::{STA_NANO, Timespec, Timeval, Timex, clock};
use crate::load;
use crate::read;
use crate::state::STATE;
use crate::sys::{self, errno, nr};

const EPERM: isize = -(errno::EPERM as isize);
const EFAULT: isize = -(errno::EFAULT as isize);
const EINVAL: isize = -(errno::EINVAL as isize);
const ENODEV: isize = -(errno::ENODEV as isize);

/// Whether calls that set a clock are refused: not in a process that is in no node.
pub fn is_refused() -> bool {
    load::ensure();
    STATE.page().is_some_and(|page| !page.allows_settime())
}

/// The refusal: counted, as `status` tells it.
pub fn refuse() -> isize {
    if let Some(evidence) = STATE.evidence() {
        let row = read::host_instant(clock::MONOTONIC).and_then(|now| load::row(evidence, now));
        evidence.count_refused_setting(row);
    }
    EPERM
}

/// Whether there is such a clock and a process that is allowed to can set it: the wall clock, those that files stand
/// for (PTP), and those that newer kernels have (CLOCK_AUX).
pub fn can_be_set(id: i32) -> bool {
    const KIND: i32 = 7;
    const OF_A_FILE: i32 = 3;
    match id {
        clock::REALTIME => true,
        clock::MONOTONIC..=clock::TAI => false,
        // The CPU time of processes and threads.
        _ if id < 0 && id & KIND != OF_A_FILE => false,
        _ => {
            let mut now = Timespec::default();
            // SAFETY: the kernel writes to a live timespec of ours, if there is such a clock.
            let read = unsafe { sys::syscall2(nr::CLOCK_GETTIME, id as usize, (&raw mut now) as usize) };
            !matches!(read, EINVAL | ENODEV)
        }
    }
}

/// Whether the kernel would set the wall clock to this: the epoch and later, and 30 years before the end of its time.
pub const fn is_wall_time(sec: i64, nsec: i64) -> bool {
    const END: i64 = i64::MAX / 1_000_000_000 - 30 * 365 * 24 * 3600;
    sec >= 0 && sec < END && nsec >= 0 && nsec < 1_000_000_000
}

/// The caller's structure, if the kernel could read it.
unsafe fn copy<T: Copy>(from: *const T) -> Option<T> {
    // SAFETY: it was just found readable; the caller's structures are plain numbers.
    sys::is_readable(from as usize, size_of::<T>()).then(|| unsafe { from.read_unaligned() })
}

/// SYS_clock_settime.
///
/// # Safety
/// As for the system call.
pub unsafe fn clock_settime(id: i32, to: *const Timespec) -> isize {
    // SAFETY: the kernel checks the pointer, here and there.
    unsafe {
        if !is_refused() || !can_be_set(id) {
            return sys::syscall2(nr::CLOCK_SETTIME, id as usize, to as usize);
        }
        match copy(to) {
            None => EFAULT,
            Some(to) if !is_wall_time(to.sec, to.nsec) => EINVAL,
            Some(_) => refuse(),
        }
    }
}

/// SYS_settimeofday; also to set nothing takes the privilege.
///
/// # Safety
/// As for the system call.
pub unsafe fn settimeofday(to: *const Timeval, zone: *const [i32; 2]) -> isize {
    // SAFETY: the kernel checks the pointers, here and there.
    unsafe {
        if !is_refused() {
            return sys::syscall2(nr::SETTIMEOFDAY, to as usize, zone as usize);
        }
        let mut is_valid = true;
        if !to.is_null() {
            match copy(to) {
                None => return EFAULT,
                Some(to) if !(0..1_000_000).contains(&to.usec) => return EINVAL,
                Some(to) => is_valid = is_wall_time(to.sec, 0),
            }
        }
        if !zone.is_null() && copy(zone).is_none() {
            return EFAULT;
        }
        if is_valid { refuse() } else { EINVAL }
    }
}

/// What a call with these modes would do.
enum Adjustment {
    Read,
    Set,
    /// Bits that do not go together.
    Invalid,
}

impl Adjustment {
    fn of(modes: u32) -> Self {
        let has = |bit: u32| modes & bit != 0;
        if modes == 0 {
            Adjustment::Read
        } else if has(ADJ_ADJTIME) && !has(ADJ_OFFSET_SINGLESHOT) {
            Adjustment::Invalid
        } else if has(ADJ_ADJTIME) && has(ADJ_OFFSET_READONLY) && !has(ADJ_SETOFFSET) {
            Adjustment::Read
        } else {
            Adjustment::Set
        }
    }
}

/// SYS_adjtimex, corrected.
///
/// # Safety
/// As for the system call.
pub unsafe fn adjtimex(to: *mut Timex) -> isize {
    // SAFETY: the caller's contract, passed on.
    unsafe {
        match refused_adjustment(clock::REALTIME, to) {
            Some(refused) => refused,
            None => corrected(sys::syscall1(nr::ADJTIMEX, to as usize), to),
        }
    }
}

/// SYS_clock_adjtime, corrected for the wall clock.
///
/// # Safety
/// As for the system call.
pub unsafe fn clock_adjtime(id: i32, to: *mut Timex) -> isize {
    // SAFETY: the caller's contract, passed on.
    unsafe {
        if let Some(refused) = refused_adjustment(id, to) {
            return refused;
        }
        let result = sys::syscall2(nr::CLOCK_ADJTIME, id as usize, to as usize);
        if id == clock::REALTIME { corrected(result, to) } else { result }
    }
}

/// What is answered in the kernel's place; `None` for what it may be asked.
unsafe fn refused_adjustment(id: i32, to: *const Timex) -> Option<isize> {
    if !is_refused() || !can_be_set(id) {
        return None;
    }
    // SAFETY: the kernel has checked the pointer.
    let Some(asked) = (unsafe { copy(to) }) else { return Some(EFAULT) };
    if id != clock::REALTIME {
        // Another clock's driver knows nothing of the modes that only read.
        return (asked.modes != 0).then(refuse);
    }
    match Adjustment::of(asked.modes) {
        Adjustment::Read => None,
        Adjustment::Invalid => Some(EINVAL),
        Adjustment::Set => Some(refuse()),
    }
}

/// Puts the node's time where the kernel has put the host's.
unsafe fn corrected(result: isize, to: *mut Timex) -> isize {
    let mut now = Timespec::default();
    // SAFETY: a live timespec of ours; with such a result the kernel has just written all of `to`.
    unsafe {
        if result >= 0 && read::clock_gettime(clock::REALTIME, &raw mut now) == 0 {
            let nano = (*to).status & STA_NANO != 0;
            (*to).time_sec = now.sec;
            (*to).time_usec = if nano { now.nsec } else { i64::from(now.nsec as u32 / 1000) };
        }
    }
    result
}
