//! The requests of ptrace(2) that take memory of ours, and what wait(2) says of a traced thread.
//!
//! What must hold: each request passes exactly what the kernel writes or reads for it. Requests of numbers alone are
//! [`raw::ptrace`].
#![expect(unsafe_code, reason = "each request passes live records of the kernel's own layout")]

use nix::errno::Errno;

use crate::raw::{self, SignalSet};

type Result<T> = std::result::Result<T, Errno>;

/// All that a thread computes with, but for vectors and floating point.
pub(crate) type Registers = libc::user_regs_struct;

/// Above the signal in a stop's status: ptrace's event.
const EVENT_SHIFT: i32 = 8;

/// What has become of a traced thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It stands in a stop: by this signal, or by this event of ptrace's if that is not 0.
    Stopped { signal: i32, event: i32 },
    /// It has ended, or has become another program's.
    Ended,
}

impl News {
    fn of(status: i32) -> News {
        if !libc::WIFSTOPPED(status) {
            return News::Ended;
        }
        let stop = status >> 8;
        News::Stopped { signal: stop & 0xff, event: stop >> EVENT_SHIFT }
    }
}

/// News of one thread that this one traces; `None` when there is none for now.
pub(super) fn news(tid: i32) -> Result<Option<News>> {
    let mut status = 0;
    let options = libc::WNOHANG | libc::__WALL;
    let args = [usize_of(tid), &raw mut status as usize, usize_of(options), 0, 0, 0];
    // SAFETY: a live word for the status; no record of usage is asked for.
    match unsafe { raw::syscall(libc::SYS_wait4, args) } {
        Ok(0) | Err(Errno::EINTR) => Ok(None),
        Ok(_) => Ok(Some(News::of(status))),
        Err(Errno::ECHILD) => Ok(Some(News::Ended)),
        Err(errno) => Err(errno),
    }
}

/// Waits for the next news of whatever thread this one traces, and of no other: whose, what, and the raw status. `None` once
/// it traces none.
pub(crate) fn news_of_any() -> Result<Option<(i32, News, i32)>> {
    take_news(0)
}

/// The same, if there is some now.
pub(crate) fn news_now() -> Result<Option<(i32, News, i32)>> {
    take_news(libc::WNOHANG)
}

fn take_news(flags: i32) -> Result<Option<(i32, News, i32)>> {
    let mut status = 0;
    let options = libc::__WALL | libc::__WNOTHREAD | flags;
    let args = [usize::MAX, &raw mut status as usize, usize_of(options), 0, 0, 0];
    loop {
        // SAFETY: a live word for the status; no record of usage is asked for.
        return match unsafe { raw::syscall(libc::SYS_wait4, args) } {
            Ok(0) | Err(Errno::ECHILD) => Ok(None),
            Ok(tid) => Ok(i32::try_from(tid).ok().map(|tid| (tid, News::of(status), status))),
            Err(Errno::EINTR) => continue,
            Err(errno) => Err(errno),
        };
    }
}

/// Waits until there is news of whatever this thread traces, and takes none; false once it traces nothing.
pub(crate) fn await_news() -> Result<bool> {
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | libc::__WALL | libc::__WNOTHREAD;
    let args = [usize_of(libc::P_ALL.cast_signed()), 0, 0, usize_of(options), 0, 0];
    loop {
        // SAFETY: neither a record of the news nor one of usage is asked for.
        return match unsafe { raw::syscall(libc::SYS_waitid, args) } {
            Ok(_) => Ok(true),
            Err(Errno::EINTR) => continue,
            Err(Errno::ECHILD) => Ok(false),
            Err(errno) => Err(errno),
        };
    }
}

/// The registers of a stopped thread.
pub(super) fn registers(tid: i32) -> Result<Registers> {
    // SAFETY: zeroes are a record of this kind, and the kernel fills it in.
    unsafe {
        let mut registers: Registers = std::mem::zeroed();
        request(libc::PTRACE_GETREGS, tid, 0, &raw mut registers as usize)?;
        Ok(registers)
    }
}

/// Sets the registers of a stopped thread.
pub(super) fn set_registers(tid: i32, registers: &Registers) -> Result<()> {
    // SAFETY: a live record, which is read.
    unsafe { request(libc::PTRACE_SETREGS, tid, 0, std::ptr::from_ref(registers) as usize) }
}

/// The signals that a stopped thread blocks.
pub(super) fn signal_mask(tid: i32) -> Result<SignalSet> {
    let mut mask: SignalSet = 0;
    // SAFETY: a live set of the size that is given.
    unsafe { request(libc::PTRACE_GETSIGMASK, tid, size_of::<SignalSet>(), &raw mut mask as usize) }?;
    Ok(mask)
}

/// Sets the signals that a stopped thread blocks.
pub(super) fn set_signal_mask(tid: i32, mask: SignalSet) -> Result<()> {
    // SAFETY: a live set of the size that is given.
    unsafe { request(libc::PTRACE_SETSIGMASK, tid, size_of::<SignalSet>(), &raw const mask as usize) }
}

/// Where a stopped thread has registered its restartable sequences, if it has.
pub(super) fn rseq_area(tid: i32) -> Result<Option<u64>> {
    // The address; its size and a signature; flags and padding.
    let mut configuration = [0_u64; 3];
    let size = size_of_val(&configuration);
    let data = configuration.as_mut_ptr() as usize;
    // SAFETY: a live record of the size that is given.
    unsafe { request(libc::PTRACE_GET_RSEQ_CONFIGURATION, tid, size, data) }?;
    Ok(Some(configuration[0]).filter(|area| *area != 0))
}

/// What an event of ptrace's says besides: of a fork, the child's pid.
pub(crate) fn event_message(tid: i32) -> Option<i32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: a live word, which the kernel fills in.
    unsafe { request(libc::PTRACE_GETEVENTMSG, tid, 0, &raw mut message as usize) }.ok()?;
    i32::try_from(message).ok()
}

/// Eight bytes of a stopped thread's memory.
pub(super) fn peek(tid: i32, at: u64) -> Result<[u8; 8]> {
    let mut word = [0_u8; 8];
    // SAFETY: the raw system call, unlike libc's, stores the word where it is told to: in a live one.
    unsafe { request(libc::PTRACE_PEEKDATA, tid, address(at)?, word.as_mut_ptr() as usize) }?;
    Ok(word)
}

/// Writes eight bytes of a stopped thread's memory, code or not.
pub(super) fn poke(tid: i32, at: u64, word: [u8; 8]) -> Result<()> {
    let word = usize::from_ne_bytes(word);
    // SAFETY: the word itself is passed; the address is the other process's.
    unsafe { request(libc::PTRACE_POKEDATA, tid, address(at)?, word) }
}

/// # Safety
///
/// `data` must be what the request writes to or reads from.
unsafe fn request(request: u32, tid: i32, at: usize, data: usize) -> Result<()> {
    // SAFETY: by this function's own contract.
    unsafe { raw::syscall(libc::SYS_ptrace, [usize_of(request), usize_of(tid), at, data, 0, 0]) }.map(drop)
}

fn address(at: u64) -> Result<usize> {
    usize::try_from(at).map_err(|_| Errno::EFAULT)
}

/// A number as a register has it; those here are never negative.
fn usize_of(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(0)
}
