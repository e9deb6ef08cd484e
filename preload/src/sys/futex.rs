//! Futexes: the operations' numbers, a wake and a sleep.
#![allow(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the kernel's int arguments and results travel in words"
)]
// Sound because waking touches no memory, and a sleep reads a live timespec.

use super::{nr, syscall3, syscall4};

/// Sleep while the word is as expected, for a relative time.
pub const WAIT: usize = 0;
/// Wake sleepers.
pub const WAKE: usize = 1;
/// Take a lock that hands its holder the waiter's priority.
pub const LOCK_PI: usize = 6;
/// Sleep until an absolute time.
pub const WAIT_BITSET: usize = 9;
/// Sleep, to be moved to such a lock.
pub const WAIT_REQUEUE_PI: usize = 11;
/// [`LOCK_PI`] by a clock of one's choice.
pub const LOCK_PI2: usize = 13;
/// The word is of this process alone.
pub const PRIVATE: usize = 128;
/// The time is CLOCK_REALTIME's.
pub const CLOCK_REALTIME: usize = 256;
/// What is left of an operation without these flags.
pub const COMMAND: usize = 127;
/// Matches every waker.
pub const ANY: usize = 0xffff_ffff;

/// Wakes whoever sleeps on a word, of this process alone or of all that share it, and says how many; the address may be any.
pub fn wake(word: usize, flag: usize) -> usize {
    // SAFETY: waking touches no memory; an address without any is refused.
    let woken = unsafe { syscall3(nr::FUTEX, word, WAKE | flag, i32::MAX as usize) };
    usize::try_from(woken).unwrap_or(0)
}

/// Sleeps while a shared word is `expected`, at most `nanos`.
pub fn wait(word: *const u32, expected: u32, nanos: i64) {
    const SECOND: i64 = 1_000_000_000;
    let timeout = [nanos / SECOND, nanos % SECOND];
    // SAFETY: the kernel reads the word, if it can, and the live timespec.
    let _ = unsafe { syscall4(nr::FUTEX, word as usize, WAIT, expected as usize, timeout.as_ptr() as usize) };
}
