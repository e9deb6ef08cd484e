//! The kernel, without libc: raw system calls, a file descriptor that closes itself, and the few calls that loading needs.
//!
//! What must hold: no libc, no allocation, no panic, no static that holds a pointer (the code must run before the
//! library is relocated). Errors are positive errnos in a `Result`; the thread's `errno` is never touched.
//! What breaks it: a seccomp filter that kills instead of refusing; nothing here can know one beforehand.
#![allow(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the kernel's int arguments and results travel in words"
)]
// Sound because each wrapper passes the kernel only pointers derived from live references, with their true lengths;
// wrappers that can change the address space under other code are `unsafe` and say what they ask.

use core::ffi::CStr;

pub mod files;
pub mod futex;
pub mod thread;

pub use crate::arch::calls::*;

/// The errnos that are told apart.
pub mod errno {
    /// Operation not permitted.
    pub const EPERM: i32 = 1;
    /// No such file or directory.
    pub const ENOENT: i32 = 2;
    /// No such process or thread.
    pub const ESRCH: i32 = 3;
    /// Interrupted.
    pub const EINTR: i32 = 4;
    /// Input or output error; from `/proc/self/mem`: the page may not be touched that way.
    pub const EIO: i32 = 5;
    /// Try again: the value has changed, or a resource is short for now.
    pub const EAGAIN: i32 = 11;
    /// Out of memory.
    pub const ENOMEM: i32 = 12;
    /// Bad address.
    pub const EFAULT: i32 = 14;
    /// No such device.
    pub const ENODEV: i32 = 19;
    /// File exists; from mmap: the range is taken.
    pub const EEXIST: i32 = 17;
    /// Invalid argument.
    pub const EINVAL: i32 = 22;
    /// No such function.
    pub const ENOSYS: i32 = 38;
    /// The time is up.
    pub const ETIMEDOUT: i32 = 110;
}

/// Memory protection and mapping flags.
pub mod mm {
    /// Readable.
    pub const PROT_READ: usize = 1;
    /// Writable.
    pub const PROT_WRITE: usize = 2;
    /// Executable.
    pub const PROT_EXEC: usize = 4;
    /// Shared mapping.
    pub const MAP_SHARED: usize = 1;
    /// Private mapping.
    pub const MAP_PRIVATE: usize = 2;
    /// Anonymous mapping.
    pub const MAP_ANONYMOUS: usize = 0x20;
    /// At exactly this address, and never over another mapping (kernels before 4.17 take it for a hint).
    pub const MAP_FIXED_NOREPLACE: usize = 0x10_0000;
}

/// The size of a page on every machine that is served.
pub const PAGE: usize = 4096;

const AT_FDCWD: usize = -100_isize as usize;
const O_RDWR: usize = 2;
const O_DIRECTORY: usize = 0o200_000;
const O_CLOEXEC: usize = 0o2_000_000;
const RLIMIT_STACK: usize = 3;
const PR_GET_AUXV: usize = 0x4155_5856;
const PR_SET_VMA: usize = 0x5356_4d41;
const PR_SET_VMA_ANON_NAME: usize = 0;

/// What the kernel returned, as a `Result`: errors are positive errnos.
#[inline(always)]
pub fn check(result: isize) -> Result<usize, i32> {
    match result {
        -4095..=-1 => Err((-result) as i32),
        _ => Ok(result as usize),
    }
}

/// An open file, closed on drop.
pub struct Fd(i32);

impl Fd {
    /// The number, for a raw system call; still owned by this.
    pub fn raw(&self) -> usize {
        self.0 as usize
    }

    fn open(path: &CStr, flags: usize) -> Result<Self, i32> {
        loop {
            // SAFETY: the path is a live string that ends in NUL; opening touches no memory of ours.
            let opened = check(unsafe {
                syscall4(nr::OPENAT, AT_FDCWD, path.as_ptr() as usize, flags | O_CLOEXEC, 0)
            });
            match opened {
                Err(errno::EINTR) => {}
                Err(e) => return Err(e),
                Ok(fd) => return Ok(Self(fd as i32)),
            }
        }
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: this descriptor is ours and is not used again.
        let _ = unsafe { syscall1(nr::CLOSE, self.raw()) };
    }
}

/// Opens a file for reading, close-on-exec.
pub fn open_read(path: &CStr) -> Result<Fd, i32> {
    Fd::open(path, 0)
}

/// Opens a file for reading and writing, close-on-exec.
pub fn open_read_write(path: &CStr) -> Result<Fd, i32> {
    Fd::open(path, O_RDWR)
}

/// Opens a directory for [`getdents`].
pub fn open_directory(path: &CStr) -> Result<Fd, i32> {
    Fd::open(path, O_DIRECTORY)
}

/// Reads at the file's position; 0 at the end.
pub fn read(fd: &Fd, into: &mut [u8]) -> Result<usize, i32> {
    loop {
        // SAFETY: the kernel writes at most `len` bytes to the live buffer.
        match check(unsafe { syscall3(nr::READ, fd.raw(), into.as_mut_ptr() as usize, into.len()) }) {
            Err(errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Reads where a symbolic link leads, into as much as there is room; its length.
pub fn read_link(path: &CStr, into: &mut [u8]) -> Result<usize, i32> {
    // SAFETY: the path is a live string that ends in NUL; the kernel writes at most `len` bytes to the live buffer.
    check(unsafe {
        syscall4(nr::READLINKAT, AT_FDCWD, path.as_ptr() as usize, into.as_mut_ptr() as usize, into.len())
    })
}

/// Writes at `offset`; may be short.
///
/// # Safety
/// Where the file is memory (`/proc/self/mem`, a mapped file), the bytes written must be sound for whoever reads them.
pub unsafe fn pwrite(fd: &Fd, bytes: &[u8], offset: usize) -> Result<usize, i32> {
    // SAFETY: the kernel reads `len` bytes of a live slice; the caller answers for where they go.
    check(unsafe { syscall4(nr::PWRITE64, fd.raw(), bytes.as_ptr() as usize, bytes.len(), offset) })
}

/// Directory entries in the kernel's layout (`struct linux_dirent64`); 0 at the end.
pub fn getdents(fd: &Fd, into: &mut [u8]) -> Result<usize, i32> {
    // SAFETY: the kernel writes at most `len` bytes to the live buffer.
    check(unsafe { syscall3(nr::GETDENTS64, fd.raw(), into.as_mut_ptr() as usize, into.len()) })
}

/// Maps private anonymous memory at exactly `at`, if nothing is there: whatever else the kernel did is undone.
pub fn mmap_anonymous_at(at: usize, length: usize, protection: usize) -> Result<(), i32> {
    let flags = mm::MAP_PRIVATE | mm::MAP_ANONYMOUS | mm::MAP_FIXED_NOREPLACE;
    // SAFETY: with MAP_FIXED_NOREPLACE no existing mapping changes.
    let address = check(unsafe { syscall6(nr::MMAP, at, length, protection, flags, usize::MAX, 0) })?;
    if address == at {
        return Ok(());
    }
    // SAFETY: an older kernel took the address for a hint; that mapping was just made and nobody knows it.
    let _ = unsafe { munmap(address, length) };
    Err(errno::EEXIST)
}

/// Maps `length` bytes of a file from its start.
pub fn mmap_file(fd: &Fd, length: usize, protection: usize, flags: usize) -> Result<usize, i32> {
    if flags & !(mm::MAP_SHARED | mm::MAP_PRIVATE) != 0 {
        return Err(errno::EINVAL);
    }
    // SAFETY: without MAP_FIXED the kernel chooses an address that is free.
    check(unsafe { syscall6(nr::MMAP, 0, length, protection, flags, fd.raw(), 0) })
}

/// Unmaps.
///
/// # Safety
/// Nothing may use that memory afterwards.
pub unsafe fn munmap(address: usize, length: usize) -> Result<(), i32> {
    // SAFETY: the caller's promise.
    check(unsafe { syscall2(nr::MUNMAP, address, length) }).map(drop)
}

/// Changes the protection of whole pages.
///
/// # Safety
/// Whoever uses that memory must be content with the new protection.
pub unsafe fn mprotect(address: usize, length: usize, protection: usize) -> Result<(), i32> {
    // SAFETY: the caller's promise.
    check(unsafe { syscall3(nr::MPROTECT, address, length, protection) }).map(drop)
}

/// The process's id, as its own pid namespace has it.
pub fn getpid() -> i32 {
    // SAFETY: no argument, no effect.
    (unsafe { syscall0(nr::GETPID) }) as i32
}

/// The parent's id, as this process's own pid namespace has it: 0 when the parent is in another one.
pub fn getppid() -> i32 {
    // SAFETY: no argument, no effect.
    (unsafe { syscall0(nr::GETPPID) }) as i32
}

/// The soft and the hard limit of the main stack's growth.
pub fn stack_limits() -> Result<(u64, u64), i32> {
    let mut limits = [0_u64; 2];
    // SAFETY: the kernel writes a `struct rlimit64`, two words, to the live array.
    check(unsafe { syscall4(nr::PRLIMIT64, 0, RLIMIT_STACK, 0, limits.as_mut_ptr() as usize) })?;
    let [soft, hard] = limits;
    Ok((soft, hard))
}

/// The kernel's own copy of the auxiliary vector, without /proc; kernels before 6.4 refuse.
pub fn auxiliary_vector(into: &mut [u8]) -> Result<usize, i32> {
    // SAFETY: the kernel writes at most `len` bytes to the live buffer.
    check(unsafe { syscall5(nr::PRCTL, PR_GET_AUXV, into.as_mut_ptr() as usize, into.len(), 0, 0) })
}

/// Names an anonymous mapping in /proc/PID/maps, where the kernel can.
pub fn name_mapping(address: usize, length: usize, name: &CStr) {
    // SAFETY: reads the live name and changes nothing but what maps shows.
    let _ = unsafe {
        syscall5(nr::PRCTL, PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, length, name.as_ptr() as usize)
    };
}

/// Copies this process's memory, wherever `from` leads: an address that is not mapped is an EFAULT, not a fault.
pub fn peek(from: usize, into: &mut [u8]) -> Result<(), i32> {
    let (local, remote) = ([into.as_mut_ptr() as usize, into.len()], [from, into.len()]);
    let (local, remote) = (local.as_ptr() as usize, remote.as_ptr() as usize);
    // SAFETY: both are a `struct iovec`; the kernel writes at most `len` bytes to the live buffer.
    let copied = check(unsafe { syscall6(nr::PROCESS_VM_READV, getpid() as usize, local, 1, remote, 1, 0) })?;
    if copied == into.len() { Ok(()) } else { Err(errno::EFAULT) }
}

/// Maps private anonymous memory wherever there is room.
pub fn mmap_anonymous(length: usize) -> Result<usize, i32> {
    let (protection, flags) = (mm::PROT_READ | mm::PROT_WRITE, mm::MAP_PRIVATE | mm::MAP_ANONYMOUS);
    // SAFETY: without MAP_FIXED the kernel chooses an address that is free.
    check(unsafe { syscall6(nr::MMAP, 0, length, protection, flags, usize::MAX, 0) })
}

/// Has the kernel zero these pages in a forked child, where it can.
pub fn wipe_on_fork(address: usize, length: usize) {
    const MADV_WIPEONFORK: usize = 18;
    // SAFETY: changes nothing here; in a child, only memory that is made for this.
    let _ = unsafe { syscall3(nr::MADVISE, address, length, MADV_WIPEONFORK) };
}

/// Has the kernel leave these pages out of a forked child.
pub fn drop_on_fork(address: usize, length: usize) {
    const MADV_DONTFORK: usize = 10;
    // SAFETY: changes nothing here; in a child, only memory of a thread that is not there.
    let _ = unsafe { syscall3(nr::MADVISE, address, length, MADV_DONTFORK) };
}

/// Whether the kernel can read that memory. Asked of a call that reads a mask of signals before it refuses what it is to
/// do with it: sandboxes that let a program live allow it, and it changes nothing.
pub fn is_readable(from: usize, length: usize) -> bool {
    const NO_SUCH_HOW: usize = usize::MAX;
    const MASK: usize = 8;
    let can_read_mask = |at: usize| {
        // SAFETY: the kernel reads eight bytes, if it can, and refuses. (Of no mask at all it would say nothing.)
        let answer = unsafe { syscall4(nr::RT_SIGPROCMASK, NO_SUCH_HOW, at, 0, MASK) };
        at != 0 && answer != -(errno::EFAULT as isize)
    };
    // What is smaller than a page is in two pages at most, and so is readable if its ends are.
    let last = from.wrapping_add(length.saturating_sub(MASK));
    can_read_mask(from) && (from / PAGE == last.wrapping_add(MASK - 1) / PAGE || can_read_mask(last))
}

/// Whether the kernel can write a timespec at this address: it writes the resolution of a clock there.
pub fn is_writable_timespec(at: usize) -> bool {
    const CLOCK_MONOTONIC: usize = 1;
    // SAFETY: the kernel writes sixteen bytes, if it can, where the caller is about to.
    at != 0 && unsafe { syscall2(nr::CLOCK_GETRES, CLOCK_MONOTONIC, at) } == 0
}

/// Ends the process at once, without handlers.
pub fn exit_group(code: i32) -> ! {
    loop {
        // SAFETY: does not return.
        let _ = unsafe { syscall1(nr::EXIT_GROUP, code as usize) };
    }
}

/// Writes to the standard error stream, for the last words of a process that is refused.
pub fn write_stderr(bytes: &[u8]) {
    // SAFETY: the kernel reads `len` bytes of a live slice.
    let _ = unsafe { syscall3(nr::WRITE, 2, bytes.as_ptr() as usize, bytes.len()) };
}
