//! Threads and their signals.
#![allow(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the kernel's int arguments and results travel in words"
)]
// Sound because the kernel gets live words and names alone.

use core::ffi::CStr;

use super::{check, nr, syscall0, syscall2, syscall4};

/// The calling thread's id, as its own pid namespace has it.
pub fn id() -> u32 {
    // SAFETY: no argument, no effect.
    (unsafe { syscall0(nr::GETTID) }) as u32
}

/// Sends a signal to one thread; 0 asks whether there is one.
pub fn signal(thread: u32, signal: i32) -> Result<(), i32> {
    // SAFETY: touches no memory; what the signal does is the caller's wish.
    check(unsafe { syscall2(nr::TKILL, thread as usize, signal as usize) }).map(drop)
}

/// Whether this runs on the stack that signal handlers may have of their own.
pub fn is_on_signal_stack() -> bool {
    const SS_ONSTACK: u64 = 1;
    // `stack_t`: an address, flags, a size.
    let mut stack = [0_u64; 3];
    // SAFETY: the kernel writes three words to the live array.
    let asked = unsafe { syscall2(nr::SIGALTSTACK, 0, stack.as_mut_ptr() as usize) };
    asked != 0 || stack[1] & SS_ONSTACK != 0
}

/// Blocks every signal for this thread while `with` runs, so that a thread made meanwhile has them all blocked.
pub fn with_signals_blocked<R>(with: impl FnOnce() -> R) -> R {
    const SIG_SETMASK: usize = 2;
    let (all, mut before) = (u64::MAX, 0_u64);
    let change = |to: &u64, from: Option<&mut u64>| {
        let from = from.map_or(0, |from| core::ptr::from_mut(from) as usize);
        // SAFETY: the kernel reads and writes eight bytes of live words.
        unsafe { syscall4(nr::RT_SIGPROCMASK, SIG_SETMASK, core::ptr::from_ref(to) as usize, from, 8) }
    };
    let blocked = change(&all, Some(&mut before)) == 0;
    let result = with();
    if blocked {
        change(&before, None);
    }
    result
}

/// Runs `with` while this thread has another name, which a thread made meanwhile keeps. Where it may not ask for its own name, it
/// keeps that.
pub fn with_name<R>(name: &CStr, with: impl FnOnce() -> R) -> R {
    const PR_SET_NAME: usize = 15;
    const PR_GET_NAME: usize = 16;
    let mut before = [0_u8; 16];
    // SAFETY: the kernel writes 16 bytes to the live array, or reads up to 16 of a live name that ends in a zero.
    let prctl = |what, name: *const u8| unsafe { syscall2(nr::PRCTL, what, name as usize) };
    let known = prctl(PR_GET_NAME, before.as_mut_ptr()) == 0;
    if known {
        prctl(PR_SET_NAME, name.as_ptr().cast());
    }
    let result = with();
    if known {
        prctl(PR_SET_NAME, before.as_ptr());
    }
    result
}

/// Lets others run.
pub fn give_way() {
    // SAFETY: no argument, no effect on memory.
    let _ = unsafe { syscall0(nr::SCHED_YIELD) };
}

/// Whether a signal to the process waits to be taken, as a thread sees it that has it blocked.
pub fn is_pending(signal: u32) -> bool {
    let mut pending = 0_u64;
    // SAFETY: the kernel writes eight bytes to the live word.
    let asked = unsafe { syscall2(nr::RT_SIGPENDING, (&raw mut pending) as usize, 8) };
    asked == 0 && (1..=64).contains(&signal) && pending & 1 << (signal - 1) != 0
}
