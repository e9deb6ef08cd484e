//! `select` and `pselect`: for a length of time, where the node's monotonic clock may be faulted.
//!
//! The kernel clears the sets when the time is up, so each slice begins with the caller's.
#![allow(unsafe_code)]
// Sound because the sets are as long as the caller says, which the kernel reads and writes too.

use core::ffi::c_void;

use falseticker_page::layout::Clock;
use falseticker_page::time::Span;

use super::errno;
use super::polls::{nothing_ready, of_timespec};
use crate::abi::{Timespec, Timeval};
use crate::sys::{self, errno::ENOSYS, nr};
use crate::wait::{libc, real, relative, relative::Relative};

type Set = *mut u64;

/// The longest sets that are put aside: of 8,192 descriptors. With more of them the wait is the kernel's own.
const WORDS: usize = 128;

/// The caller's sets, and what they were.
struct Sets {
    own: [Set; 3],
    before: [[u64; WORDS]; 3],
    words: usize,
}

impl Sets {
    /// Puts them aside; `None` when they are too long.
    unsafe fn keep(count: i32, own: [Set; 3]) -> Option<Self> {
        let words = usize::try_from(count).ok()?.div_ceil(64);
        if words > WORDS {
            return None;
        }
        let mut sets = Sets { own, before: [[0; WORDS]; 3], words };
        for (set, before) in own.iter().zip(&mut sets.before) {
            for (index, word) in before.iter_mut().enumerate().take(words).filter(|_| !set.is_null()) {
                // SAFETY: the caller's sets are that long.
                *word = unsafe { set.add(index).read() };
            }
        }
        Some(sets)
    }

    unsafe fn restore(&self) {
        for (set, before) in self.own.iter().zip(&self.before) {
            for (index, word) in before.iter().enumerate().take(self.words).filter(|_| !set.is_null()) {
                // SAFETY: as above.
                unsafe { set.add(index).write(*word) };
            }
        }
    }
}

/// How long a timeval says; `None` when it is not the node's to measure, or for the kernel to refuse.
fn of_timeval(length: Timeval) -> Option<Relative> {
    const MICROS: i64 = 1_000_000;
    // The kernel takes more than a second's microseconds.
    if length.sec < 0 || length.usec < 0 {
        return None;
    }
    let more = length.usec / MICROS;
    let nanos = length.usec % MICROS * 1000;
    let length = Span::from_secs(length.sec.saturating_add(more)).saturating_add(Span::from_nanos(nanos));
    Relative::begin(Clock::Mono, length)
}

/// `select(2)`. glibc's writes down what is left of the time, as the kernel's does.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn select(count: i32, read: Set, write: Set, except: Set, length: *mut Timeval) -> i32 {
    let Some(straight) = real::select() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: everywhere the caller's contract.
    unsafe {
        // glibc takes the microseconds for 32 bits wide.
        // glibc takes the microseconds for 32 bits wide.
        let given =
            length.as_ref().filter(|given| relative::is_affected() && given.usec <= i64::from(i32::MAX));
        let ours = given.and_then(|length| of_timeval(*length));
        let sets = ours.is_some().then(|| Sets::keep(count, [read, write, except])).flatten();
        let (Some(wait), Some(sets), Some(real)) = (ours, sets, real::pselect()) else {
            return straight(count, read, write, except, length);
        };
        let none = core::ptr::null_mut();
        let result = wait.run(
            |left| {
                sets.restore();
                real(count, read, write, except, left, none)
            },
            nothing_ready,
            0,
        );
        if libc::is_glibc() {
            let left = wait.left();
            length.write(Timeval { sec: left.sec, usec: left.nsec / 1000 });
        }
        result
    }
}

/// `pselect(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn pselect(
    count: i32,
    read: Set,
    write: Set,
    except: Set,
    length: *const Timespec,
    mask: *mut c_void,
) -> i32 {
    let Some(real) = real::pselect() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: everywhere the caller's contract.
    unsafe {
        let ours = of_timespec(length);
        let sets = ours.is_some().then(|| Sets::keep(count, [read, write, except])).flatten();
        let (Some(wait), Some(sets)) = (ours, sets) else {
            return real(count, read, write, except, length, mask);
        };
        wait.run(
            |left| {
                sets.restore();
                real(count, read, write, except, left, mask)
            },
            nothing_ready,
            0,
        )
    }
}

/// SYS_select and SYS_pselect6: the number, and the arguments. Their time is written down by the kernel.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_number(number: usize, arguments: [usize; 6]) -> isize {
    let [count, read, write, except, length, mask] = arguments;
    // SAFETY: the kernel checks the pointers, before anything else here reads or writes them.
    unsafe {
        let straight = || sys::syscall6(number, count, read, write, except, length, mask);
        if !relative::is_affected() || !sys::is_readable(length, size_of::<Timespec>()) {
            return straight();
        }
        let ours = match number {
            nr::SELECT => of_timeval(*(length as *const Timeval)),
            _ => of_timespec(length as *const Timespec),
        };
        let sets = [read, write, except].map(|set| set as Set);
        let bytes = usize::try_from(count as i32).unwrap_or(0).div_ceil(64) * 8;
        let readable = sets.iter().all(|set| set.is_null() || sys::is_readable(*set as usize, bytes.max(8)));
        let kept = (ours.is_some() && readable).then(|| Sets::keep(count as i32, sets)).flatten();
        let (Some(wait), Some(kept)) = (ours, kept) else { return straight() };
        let mask = if number == nr::SELECT { 0 } else { mask };
        let result = wait.run(
            |left| {
                kept.restore();
                let mut copy = *left;
                let left = (&raw mut copy) as usize;
                sys::syscall6(nr::PSELECT6, count, read, write, except, left, mask)
            },
            |result| result == 0,
            0,
        );
        if sys::is_writable_timespec(length) {
            let left = wait.left();
            let micros = if number == nr::SELECT { left.nsec / 1000 } else { left.nsec };
            (length as *mut Timespec).write(Timespec { sec: left.sec, nsec: micros });
        }
        result
    }
}
