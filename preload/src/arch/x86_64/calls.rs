//! System calls on x86-64: the instruction, the numbers, and the little else that the processor decides.
//!
//! What must hold: nothing here touches libc, `errno`, the stack red zone or a vector register, so that it may run on a
//! clock read, in a signal handler, before relocation and after vfork. What the kernel returned is what the caller
//! gets: a negative errno, never a global.
//!
//! Source: the kernel's `arch/x86/entry/syscalls/syscall_64.tbl` and `Documentation/arch/x86/entry_64.rst`.
#![allow(unsafe_code)]
// Sound because the only unsafe operation is the `syscall` instruction with the kernel's own register convention
// (rax number and result; rdi rsi rdx r10 r8 r9 arguments; rcx and r11 clobbered). What a call does to memory is the
// caller's contract, and every function here is therefore `unsafe`.

use core::arch::asm;

/// System call numbers.
pub mod nr {
    macro_rules! numbers {
        ($($name:ident = $number:literal,)*) => {
            $(#[doc = concat!("Number of `", stringify!($name), "`.")] pub const $name: usize = $number;)*
        };
    }
    numbers! {
        READ = 0, WRITE = 1, CLOSE = 3, FSTAT = 5, POLL = 7, MMAP = 9, MPROTECT = 10, MUNMAP = 11,
        RT_SIGPROCMASK = 14, PWRITE64 = 18, SELECT = 23, SCHED_YIELD = 24, MADVISE = 28, DUP = 32, DUP2 = 33,
        NANOSLEEP = 35, GETITIMER = 36, ALARM = 37, SETITIMER = 38, GETPID = 39, CONNECT = 42, CLONE = 56, KILL = 62,
        FCNTL = 72, GETTIMEOFDAY = 96, GETPPID = 110, RT_SIGPENDING = 127, RT_SIGTIMEDWAIT = 128, SIGALTSTACK = 131,
        FSTATFS = 138, PRCTL = 157, ADJTIMEX = 159, SETTIMEOFDAY = 164, GETTID = 186, TKILL = 200, TIME = 201,
        FUTEX = 202, GETDENTS64 = 217, SEMTIMEDOP = 220, TIMER_CREATE = 222, TIMER_SETTIME = 223,
        TIMER_GETTIME = 224, TIMER_DELETE = 226, CLOCK_SETTIME = 227, CLOCK_GETTIME = 228, CLOCK_GETRES = 229,
        CLOCK_NANOSLEEP = 230, EXIT_GROUP = 231, EPOLL_WAIT = 232, OPENAT = 257, READLINKAT = 267, PSELECT6 = 270, PPOLL = 271,
        EPOLL_PWAIT = 281, TIMERFD_CREATE = 283, TIMERFD_SETTIME = 286, TIMERFD_GETTIME = 287, DUP3 = 292,
        RECVMMSG = 299, PRLIMIT64 = 302, CLOCK_ADJTIME = 305, PROCESS_VM_READV = 310, EPOLL_PWAIT2 = 441,
        FUTEX_WAITV = 449,
    }
}

/// A system call without arguments.
///
/// # Safety
/// The call must be sound with these arguments; the kernel reads and writes the memory that they name.
#[inline(always)]
pub unsafe fn syscall0(nr: usize) -> isize {
    let result;
    // SAFETY: the kernel's convention; the caller answers for the call's effects on memory.
    unsafe {
        asm!("syscall", inlateout("rax") nr => result, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

macro_rules! with_arguments {
    ($($name:ident($($arg:ident in $register:tt),+);)*) => {$(
        /// A system call with as many arguments as its name says.
        ///
        /// # Safety
        /// The call must be sound with these arguments; the kernel reads and writes the memory that they name.
        #[inline(always)]
        #[allow(clippy::too_many_arguments)]
        pub unsafe fn $name(nr: usize, $($arg: usize),+) -> isize {
            let result;
            // SAFETY: the kernel's convention; the caller answers for the call's effects on memory.
            unsafe {
                asm!(
                    "syscall",
                    inlateout("rax") nr => result,
                    $(in($register) $arg,)+
                    lateout("rcx") _,
                    lateout("r11") _,
                    options(nostack)
                );
            }
            result
        }
    )*};
}

with_arguments! {
    syscall1(a in "rdi");
    syscall2(a in "rdi", b in "rsi");
    syscall3(a in "rdi", b in "rsi", c in "rdx");
    syscall4(a in "rdi", b in "rsi", c in "rdx", d in "r10");
    syscall5(a in "rdi", b in "rsi", c in "rdx", d in "r10", e in "r8");
    syscall6(a in "rdi", b in "rsi", c in "rdx", d in "r10", e in "r8", f in "r9");
}

/// Makes this processor fetch anew what was written to code through another mapping of the same page.
///
/// The kernel writes `/proc/self/mem` through its own linear address, for which the manual (Intel SDM volume 3,
/// "Handling Self- and Cross-Modifying Code") asks for a serializing instruction.
pub fn serialize() {
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
    let _ = core::arch::x86_64::__cpuid(0);
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
}
