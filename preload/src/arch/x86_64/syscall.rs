//! `syscall(2)` as a function: the calls that tell or set the time, or wait for it, are answered, everything else goes to the
//! kernel untouched.
//!
//! What must hold: a hooked call finds its arguments where this one did, the last on the stack; whatever is not about time runs
//! the same instructions as in glibc, in the caller's frame (clone and vfork pass through here, and return twice).
#![allow(unsafe_code)]
// Sound because the pass-through is the kernel's own convention and touches nothing else.

use core::arch::naked_asm;

use super::calls::nr;
use crate::symbols::syscall::{failed, hooked};

/// `syscall(2)`.
///
/// # Safety
/// As for the system call.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn syscall(number: isize) -> isize {
    naked_asm!(
        "cmp rdi, {clock_gettime}",
        "je {hooked}",
        "cmp rdi, {gettimeofday}",
        "je {hooked}",
        "cmp rdi, {time}",
        "je {hooked}",
        "cmp rdi, {adjtimex}",
        "je {hooked}",
        "cmp rdi, {clock_adjtime}",
        "je {hooked}",
        "cmp rdi, {futex}",
        "je {hooked}",
        "cmp rdi, {clock_nanosleep}",
        "je {hooked}",
        "cmp rdi, {futex_waitv}",
        "je {hooked}",
        "cmp rdi, {clock_settime}",
        "je {hooked}",
        "cmp rdi, {settimeofday}",
        "je {hooked}",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, [rsp + 8]",
        "syscall",
        "cmp rax, -4095",
        "jae 2f",
        "ret",
        "2: mov rdi, rax",
        "jmp {failed}",
        clock_gettime = const nr::CLOCK_GETTIME,
        gettimeofday = const nr::GETTIMEOFDAY,
        time = const nr::TIME,
        adjtimex = const nr::ADJTIMEX,
        clock_adjtime = const nr::CLOCK_ADJTIME,
        futex = const nr::FUTEX,
        clock_nanosleep = const nr::CLOCK_NANOSLEEP,
        futex_waitv = const nr::FUTEX_WAITV,
        clock_settime = const nr::CLOCK_SETTIME,
        settimeofday = const nr::SETTIMEOFDAY,
        hooked = sym hooked,
        failed = sym failed,
    )
}
