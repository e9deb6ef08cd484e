//! Syscalls made by this crate's own instruction, not through libc.
//!
//! Two of its users cannot go through libc: [`host_clock`](crate::host_clock), because the controller may itself
//! run inside a node where libc's functions are the shim's; and the guard of a freeze, which is forked from a
//! program that may have many threads and so may call nothing that allocates or locks.
//!
//! What must hold: nothing here allocates, locks, panics or touches `errno`; every function is async-signal-safe.
#![expect(unsafe_code, reason = "the syscall instruction; each wrapper passes only what its syscall expects")]
#![expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "registers carry signed and unsigned values alike, and the kernel's results fit their types"
)]

use std::ffi::CStr;

use libc::{c_int, c_long, c_void};
use nix::errno::Errno;

type Result<T> = std::result::Result<T, Errno>;

/// One syscall.
///
/// # Safety
///
/// The arguments must be what syscall `number` expects; pointers must be valid for what it reads and writes.
#[inline(always)]
pub(crate) unsafe fn syscall(number: c_long, args: [usize; 6]) -> Result<usize> {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel clobbers rcx and r11 alone; memory is left as clobbered; the rest is the caller's duty.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    compile_error!("this processor's syscall instruction is missing here");
    if (-4095..0).contains(&result) { Err(Errno::from_raw(-result as i32)) } else { Ok(result as usize) }
}

/// A process cut off from this one as `fork` does, in one thread and without libc's fork handlers. `signal` is
/// what the parent gets when it ends; with 0 no plain `wait` of the program's own sees it. 0 in the child.
///
/// # Safety
///
/// Until it calls `exit` the child may use only what is async-signal-safe, and must not return into code that
/// believes that other threads exist.
#[inline(always)]
pub(crate) unsafe fn fork(signal: c_int) -> Result<i32> {
    // SAFETY: no flags: memory is copied, so the child goes on with a stack of its own.
    unsafe { syscall(libc::SYS_clone, [signal as usize, 0, 0, 0, 0, 0]) }.map(|pid| pid as i32)
}

/// The end of this process, without destructors or handlers.
pub(crate) fn exit(code: c_int) -> ! {
    loop {
        // SAFETY: takes a number.
        let _ = unsafe { syscall(libc::SYS_exit_group, [code as usize, 0, 0, 0, 0, 0]) };
    }
}

macro_rules! of_numbers {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) = $number:ident [$($value:expr),*];)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name($($arg: $ty),*) -> Result<usize> {
            let mut args = [0_usize; 6];
            let given: &[usize] = &[$($value),*];
            args[..given.len()].copy_from_slice(given);
            // SAFETY: this syscall takes numbers only (a null pointer where one is optional).
            unsafe { syscall(libc::$number, args) }
        }
    )*};
}

of_numbers! {
    /// This process's pid, which libc may have cached before a raw fork.
    getpid() = SYS_getpid [];
    close(fd: c_int) = SYS_close [fd as usize];
    /// Close all descriptors from `first` to `last`, both included.
    close_range(first: u32, last: u32) = SYS_close_range [first as usize, last as usize, 0];
    /// Make `new` mean what `old` means.
    dup2(old: c_int, new: c_int) = SYS_dup2 [old as usize, new as usize];
    setsid() = SYS_setsid [];
    /// A descriptor that stands for the process, whoever takes its number later.
    pidfd_open(pid: i32) = SYS_pidfd_open [pid as usize, 0];
    /// Send a signal to one thread.
    tgkill(pid: i32, tid: i32, signal: c_int) = SYS_tgkill [pid as usize, tid as usize, signal as usize];
    /// A descriptor of the process that a pidfd stands for, as one of this process.
    pidfd_getfd(pidfd: c_int, fd: c_int) = SYS_pidfd_getfd [pidfd as usize, fd as usize, 0];
    pidfd_send_signal(fd: c_int, signal: c_int) = SYS_pidfd_send_signal [fd as usize, signal as usize, 0, 0];
    /// Collect an ended child, of whatever exit signal. With `WNOHANG` 0 if it still runs.
    wait(pid: i32, options: c_int) = SYS_wait4 [pid as usize, 0, (options | libc::__WALL) as usize, 0];
    /// Whether two descriptors of a process are one opening of a file: 0 if they are (KCMP_FILE).
    kcmp_file(pid: i32, one: c_int, other: c_int) = SYS_kcmp [pid as usize, pid as usize, 0, one as usize, other as usize];
    /// Whether two processes have the same memory: 0 if they have (KCMP_VM).
    kcmp_memory(one: i32, other: i32) = SYS_kcmp [one as usize, other as usize, 1];
    /// An event counter, closed on exec.
    eventfd() = SYS_eventfd2 [0, libc::EFD_CLOEXEC as usize];
    /// A timer on the host's CLOCK_MONOTONIC, closed on exec.
    timerfd() = SYS_timerfd_create [libc::CLOCK_MONOTONIC as usize, libc::TFD_CLOEXEC as usize];
}

/// Whether two descriptors of this process are one opening of a file.
pub(crate) fn is_same_file(one: c_int, other: c_int) -> Result<bool> {
    kcmp_file(getpid()? as i32, one, other).map(|order| order == 0)
}

/// Whether two processes have the same memory, as parent and child have in `vfork`.
pub(crate) fn has_same_memory(one: i32, other: i32) -> Result<bool> {
    kcmp_memory(one, other).map(|order| order == 0)
}

/// Open a file.
pub(crate) fn open(path: &CStr, flags: c_int) -> Result<c_int> {
    // SAFETY: a terminated string; without O_CREAT there is no mode.
    unsafe {
        syscall(libc::SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags as usize, 0, 0, 0])
    }
    .map(|fd| fd as c_int)
}

/// Open a file of a directory.
pub(crate) fn open_in(dir: c_int, name: &CStr, flags: c_int) -> Result<c_int> {
    // SAFETY: a terminated string; without O_CREAT there is no mode.
    unsafe { syscall(libc::SYS_openat, [dir as usize, name.as_ptr() as usize, flags as usize, 0, 0, 0]) }
        .map(|fd| fd as c_int)
}

/// Remove a directory.
pub(crate) fn remove_dir(path: &CStr) -> Result<usize> {
    let args = [libc::AT_FDCWD as usize, path.as_ptr() as usize, libc::AT_REMOVEDIR as usize, 0, 0, 0];
    // SAFETY: a terminated string.
    unsafe { syscall(libc::SYS_unlinkat, args) }
}

/// Whether somebody holds a lock on an open file's description, wherever in the file.
pub(crate) fn is_locked(fd: c_int) -> Result<bool> {
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let args = [fd as usize, libc::F_OFD_GETLK as usize, &raw mut lock as usize, 0, 0, 0];
    // SAFETY: a live record, which the kernel fills in.
    unsafe { syscall(libc::SYS_fcntl, args) }?;
    Ok(lock.l_type != libc::F_UNLCK as i16)
}

/// A step of ptrace(2) that takes numbers only.
pub(crate) fn ptrace(request: u32, tid: i32, data: usize) -> Result<usize> {
    // SAFETY: the requests that are made (seize, interrupt, continue, detach) take no pointers.
    unsafe { syscall(libc::SYS_ptrace, [request as usize, tid as usize, 0, data, 0, 0]) }
}

/// What has become of a child or of a traced thread.
pub(crate) struct News {
    /// Which one.
    pub(crate) tid: i32,
    /// Whether it stands in a stop, and has not ended.
    pub(crate) is_stopped: bool,
    /// Of a stop: the signal, and above it ptrace's event.
    pub(crate) status: c_int,
}

/// The next news of any child or traced thread, which stays news until it is collected by [`wait`]; `None` when there is
/// none for now.
pub(crate) fn news_of_any() -> Result<Option<News>> {
    // SAFETY: any bytes are a record of this kind.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options =
        libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL | libc::__WNOTHREAD;
    let args = [libc::P_ALL as usize, 0, &raw mut info as usize, options as usize, 0, 0];
    // SAFETY: a live record, which the kernel fills in.
    unsafe { syscall(libc::SYS_waitid, args) }?;
    // SAFETY: the fields that the kernel has filled in for a child; else they are zero.
    let (tid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let is_stopped = matches!(info.si_code, libc::CLD_TRAPPED | libc::CLD_STOPPED);
    Ok((tid != 0).then_some(News { tid, is_stopped, status }))
}

/// Read into a buffer.
pub(crate) fn read(fd: c_int, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: pointer and length of one live buffer.
    unsafe { syscall(libc::SYS_read, [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) }
}

/// Write a buffer.
pub(crate) fn write(fd: c_int, buffer: &[u8]) -> Result<usize> {
    // SAFETY: pointer and length of one live buffer.
    unsafe { syscall(libc::SYS_write, [fd as usize, buffer.as_ptr() as usize, buffer.len(), 0, 0, 0]) }
}

/// Write a buffer at a place in a file.
pub(crate) fn pwrite(fd: c_int, buffer: &[u8], at: usize) -> Result<usize> {
    // SAFETY: pointer and length of one live buffer.
    unsafe { syscall(libc::SYS_pwrite64, [fd as usize, buffer.as_ptr() as usize, buffer.len(), at, 0, 0]) }
}

/// Make `/` the working directory, and `name` the name of this thread.
pub(crate) fn settle_as(name: &CStr) {
    // SAFETY: terminated strings.
    unsafe {
        let _ = syscall(libc::SYS_chdir, [c"/".as_ptr() as usize, 0, 0, 0, 0, 0]);
        let _ = syscall(libc::SYS_prctl, [libc::PR_SET_NAME as usize, name.as_ptr() as usize, 0, 0, 0, 0]);
    }
}

/// Have the kernel do by default what a signal asks for. To whoever ignores SIGCHLD it does not say that a traced thread has
/// stopped.
pub(crate) fn reset_signal(signal: c_int) -> Result<usize> {
    // As the kernel has it: the handler (SIG_DFL), flags, no restorer, the mask.
    let default = [0_u64; 4];
    let args = [signal as usize, default.as_ptr() as usize, 0, size_of::<SignalSet>(), 0, 0];
    // SAFETY: a live record, which is read.
    unsafe { syscall(libc::SYS_rt_sigaction, args) }
}

/// Run before all ordinary processes, where that is allowed (CAP_SYS_NICE). A new session is a new group of the scheduler's
/// (`sched_autogroup_enabled`), and beside others that compute such a group was seen to wait for more than a second.
pub(crate) fn come_first() {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: a live parameter; this process alone is meant.
    let _ = unsafe {
        syscall(
            libc::SYS_sched_setscheduler,
            [0, libc::SCHED_RR as usize, &raw const lowest as usize, 0, 0, 0],
        )
    };
}

/// Wait until one of `fds` has something, for at most `nanos` of host time; `None` waits for ever. 0 is time out.
pub(crate) fn poll(fds: &mut [libc::pollfd], nanos: Option<i64>) -> Result<usize> {
    let mut limit = timespec(nanos.unwrap_or(0));
    let limit = if nanos.is_some() { &raw mut limit as usize } else { 0 };
    // SAFETY: pointer and length of one live array; the time limit is null or a live timespec.
    unsafe { syscall(libc::SYS_ppoll, [fds.as_mut_ptr() as usize, fds.len(), limit, 0, 0, 0]) }
}

/// Set a timer to an instant of CLOCK_MONOTONIC in nanoseconds; `None` disarms it.
pub(crate) fn timerfd_set(fd: c_int, at: Option<i64>) -> Result<usize> {
    // An instant of zero would disarm it.
    let value = timespec(at.map_or(0, |at| at.max(1)));
    let new = libc::itimerspec { it_interval: timespec(0), it_value: value };
    let args = [fd as usize, libc::TFD_TIMER_ABSTIME as usize, &raw const new as usize, 0, 0, 0];
    // SAFETY: a live itimerspec, and null for the old value.
    unsafe { syscall(libc::SYS_timerfd_settime, args) }
}

/// Sleep until somebody wakes those who sleep on a word, for `nanos` at most; not at all if it is not `seen` any more.
pub(crate) fn futex_wait(word: &std::sync::atomic::AtomicU32, seen: u32, nanos: i64) {
    let limit = timespec(nanos.max(0));
    let word = word.as_ptr() as usize;
    let args = [word, libc::FUTEX_WAIT as usize, seen as usize, &raw const limit as usize, 0, 0];
    // SAFETY: a live word and a live timespec.
    let _ = unsafe { syscall(libc::SYS_futex, args) };
}

/// Wake whoever sleeps on a word, in whatever process maps it.
pub(crate) fn futex_wake_all(word: *const u32) {
    let args = [word as usize, libc::FUTEX_WAKE as usize, i32::MAX as usize, 0, 0, 0];
    // SAFETY: waking reads and writes no memory; an address without any is refused.
    let _ = unsafe { syscall(libc::SYS_futex, args) };
}

/// A set of signals as the kernel has it: bit n-1 for signal n.
pub(crate) type SignalSet = u64;

/// Set this thread's blocked signals and return those that were.
pub(crate) fn block_signals(set: SignalSet) -> SignalSet {
    let mut old: SignalSet = 0;
    let size = size_of::<SignalSet>();
    let (set, was) = (&raw const set as usize, &raw mut old as usize);
    // SAFETY: two live sets of the kernel's own size.
    let _ = unsafe { syscall(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as usize, set, was, size, 0, 0]) };
    old
}

/// A descriptor that is readable while one of the signals is pending for whoever polls it.
pub(crate) fn signalfd(set: SignalSet) -> Result<c_int> {
    let args =
        [usize::MAX, &raw const set as usize, size_of::<SignalSet>(), libc::SFD_CLOEXEC as usize, 0, 0];
    // SAFETY: a live set of the kernel's own size; -1 asks for a new descriptor.
    unsafe { syscall(libc::SYS_signalfd4, args) }.map(|fd| fd as c_int)
}

/// Read a clock of the host, in nanoseconds.
pub(crate) fn clock_gettime(clock: libc::clockid_t) -> Result<i64> {
    let mut now = timespec(0);
    // SAFETY: a live timespec.
    unsafe { syscall(libc::SYS_clock_gettime, [clock as usize, &raw mut now as usize, 0, 0, 0, 0]) }?;
    Ok(now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec))
}

/// The kernel's tick in microseconds, and its frequency correction, as adjtimex(2) shows them.
pub(crate) fn adjtimex() -> Result<(i64, i64)> {
    // SAFETY: zeroes are a timex that only asks, and the kernel fills it in.
    unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        syscall(libc::SYS_adjtimex, [&raw mut timex as usize, 0, 0, 0, 0, 0])?;
        Ok((timex.tick, timex.freq))
    }
}

/// Sleep until a clock of the host shows `at` nanoseconds.
pub(crate) fn sleep_until(clock: libc::clockid_t, at: i64) -> Result<usize> {
    let at = timespec(at.max(0));
    let args = [clock as usize, libc::TIMER_ABSTIME as usize, &raw const at as usize, 0, 0, 0];
    // SAFETY: a live timespec; an absolute sleep leaves no remainder to write.
    unsafe { syscall(libc::SYS_clock_nanosleep, args) }
}

/// A file's first `length` bytes as memory that is shared with all who map it. What lies behind its end may not be touched.
pub(crate) fn map_file(fd: c_int, length: usize) -> Result<*mut c_void> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address that the kernel chooses touches no existing memory.
    unsafe {
        syscall(libc::SYS_mmap, [0, length, access as usize, libc::MAP_SHARED as usize, fd as usize, 0])
    }
    .map(|at| at as *mut c_void)
}

/// How long a file is.
pub(crate) fn length(fd: c_int) -> Result<usize> {
    // SAFETY: takes numbers.
    unsafe { syscall(libc::SYS_lseek, [fd as usize, 0, libc::SEEK_END as usize, 0, 0, 0]) }
}

/// Give memory of [`map_file`] back.
///
/// # Safety
///
/// Nothing may refer to it any more.
pub(crate) unsafe fn unmap(at: *mut c_void, length: usize) {
    // SAFETY: by this function's own contract.
    let _ = unsafe { syscall(libc::SYS_munmap, [at as usize, length, 0, 0, 0, 0]) };
}

fn timespec(nanos: i64) -> libc::timespec {
    libc::timespec { tv_sec: nanos.div_euclid(1_000_000_000), tv_nsec: nanos.rem_euclid(1_000_000_000) }
}
