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

/// The calls that are about time, and `connect`, a bit each.
static HOOKED: [u64; BITS / 64] = bits(&[
    nr::CLOCK_GETTIME,
    nr::GETTIMEOFDAY,
    nr::TIME,
    nr::ADJTIMEX,
    nr::CLOCK_ADJTIME,
    nr::CLOCK_SETTIME,
    nr::SETTIMEOFDAY,
    nr::FUTEX,
    nr::FUTEX_WAITV,
    nr::CLOCK_NANOSLEEP,
    nr::NANOSLEEP,
    nr::POLL,
    nr::PPOLL,
    nr::SELECT,
    nr::PSELECT6,
    nr::EPOLL_WAIT,
    nr::EPOLL_PWAIT,
    nr::EPOLL_PWAIT2,
    nr::RT_SIGTIMEDWAIT,
    nr::SEMTIMEDOP,
    nr::RECVMMSG,
    nr::READ,
    nr::DUP,
    nr::DUP2,
    nr::DUP3,
    nr::FCNTL,
    nr::TIMERFD_CREATE,
    nr::TIMERFD_SETTIME,
    nr::TIMERFD_GETTIME,
    nr::TIMER_CREATE,
    nr::TIMER_SETTIME,
    nr::TIMER_GETTIME,
    nr::TIMER_DELETE,
    nr::SETITIMER,
    nr::GETITIMER,
    nr::ALARM,
    nr::CONNECT,
]);
const BITS: usize = 512;

const fn bits(numbers: &[usize]) -> [u64; BITS / 64] {
    let mut bits = [0; BITS / 64];
    let mut at = 0;
    while at < numbers.len() {
        bits[numbers[at] / 64] |= 1 << (numbers[at] % 64);
        at += 1;
    }
    bits
}

/// `syscall(2)`.
///
/// # Safety
/// As for the system call.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn syscall(number: isize) -> isize {
    naked_asm!(
        // A bit for each number; one that is negative, as a number without a sign, is too great as well.
        "cmp rdi, {bits}",
        "jae 3f",
        "lea rax, [rip + {table}]",
        "bt [rax], rdi",
        "jc {hooked}",
        "3: mov rax, rdi",
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
        bits = const BITS,
        table = sym HOOKED,
        hooked = sym hooked,
        failed = sym failed,
    )
}
