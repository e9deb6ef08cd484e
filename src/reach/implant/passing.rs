//! Open files handed to a stopped process, without a path that it would have to see: it may be in another mount namespace, in a
//! chroot, of another user.
//!
//! It makes a pair of sockets; the controller takes one end out of it (pidfd_getfd), sends the files there, and has it receive
//! them from the other (SCM_RIGHTS).
//!
//! What must hold: whatever happens, the process has no descriptor afterwards that it had not before, unless it was killed.
//!
//! Source: pidfd_getfd(2), unix(7), cmsg(3).
#![expect(unsafe_code, reason = "a descriptor that the kernel has just given")]

use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use super::super::trace::{Calls, Memory};
use crate::process::{PidFd, ProcessId};
use crate::{Error, Result};

/// How many files are handed over.
pub const FILES: usize = 2;
/// How much of the process's memory this needs for itself.
pub const SCRATCH: usize = 256;

// Where what stands there: two ints, a `struct msghdr`, a `struct iovec`, one byte, a `struct cmsghdr` with its descriptors.
const PAIR_AT: u64 = 0;
const HEADER_AT: u64 = 16;
const VECTOR_AT: u64 = 96;
const BYTE_AT: u64 = 112;
const CONTROL_AT: u64 = 128;
/// `CMSG_SPACE` of so many ints.
const CONTROL: usize = 16 + (4 * FILES).next_multiple_of(8);

/// A stopped process that is handed files.
pub struct Passing<'a, 'b> {
    calls: &'a mut Calls<'b>,
    memory: &'a Memory,
    process: ProcessId,
    scratch: u64,
    /// What it has opened here, and has to close.
    opened: Vec<i32>,
}

impl<'a, 'b> Passing<'a, 'b> {
    /// `scratch` is where [`SCRATCH`] bytes of its memory are free and writable.
    pub fn new(calls: &'a mut Calls<'b>, memory: &'a Memory, process: ProcessId, scratch: u64) -> Self {
        Passing { calls, memory, process, scratch, opened: Vec::new() }
    }

    /// Hands the files over, and has `with` use the numbers that they have there; then they are closed again.
    pub fn pass<T>(
        mut self,
        files: [BorrowedFd<'_>; FILES],
        with: impl FnOnce(&mut Calls<'b>, [i32; FILES]) -> Result<T>,
    ) -> Result<T> {
        let done = self.receive(files).and_then(|files| with(self.calls, files));
        let closed = self.close();
        done.and_then(|done| closed.map(|()| done))
    }

    fn receive(&mut self, files: [BorrowedFd<'_>; FILES]) -> Result<[i32; FILES]> {
        let [ours, theirs] = self.pair()?;
        let end = take(self.process, ours)?;
        let raw = files.map(|file| file.as_raw_fd());
        sendmsg::<()>(
            end.as_raw_fd(),
            &[IoSlice::new(b"!")],
            &[ControlMessage::ScmRights(&raw)],
            MsgFlags::empty(),
            None,
        )
        .map_err(|errno| self.failed("send", errno))?;
        let mut message = [0_u8; SCRATCH];
        let mut put = |at: u64, value: u64| {
            let at = usize::try_from(at).unwrap_or(0);
            message[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        };
        // `struct msghdr`: name, its length, vectors, their number, control, its length, flags.
        put(HEADER_AT + 16, self.scratch + VECTOR_AT);
        put(HEADER_AT + 24, 1);
        put(HEADER_AT + 32, self.scratch + CONTROL_AT);
        put(HEADER_AT + 40, CONTROL as u64);
        put(VECTOR_AT, self.scratch + BYTE_AT);
        put(VECTOR_AT + 8, 1);
        self.memory.write(self.scratch, &message)?;
        let flags = (libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT).cast_unsigned();
        let args = [number(theirs), self.scratch + HEADER_AT, u64::from(flags), 0, 0, 0];
        self.call(libc::SYS_recvmsg, args, "receive")?;
        let mut control = [0_u8; CONTROL];
        self.memory.read(self.scratch + CONTROL_AT, &mut control)?;
        let (length, numbers) = control.split_at(16);
        let expected = (16 + 4 * FILES).to_ne_bytes();
        if length.get(..8) != Some(&expected) {
            return Err(self.refused("the kernel has not handed them over"));
        }
        let mut received = [0; FILES];
        for (to, from) in received.iter_mut().zip(numbers.as_chunks().0) {
            *to = i32::from_ne_bytes(*from);
        }
        self.opened.extend(received);
        Ok(received)
    }

    fn pair(&mut self) -> Result<[i32; 2]> {
        let kind = (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC).cast_unsigned();
        let args = [libc::AF_UNIX as u64, u64::from(kind), 0, self.scratch + PAIR_AT, 0, 0];
        self.call(libc::SYS_socketpair, args, "make a pair of sockets")?;
        let mut pair = [0; 8];
        self.memory.read(self.scratch + PAIR_AT, &mut pair)?;
        let (one, other) = pair.split_at(4);
        let pair = [one, other].map(|half| i32::from_ne_bytes(half.try_into().unwrap_or_default()));
        self.opened.extend(pair);
        Ok(pair)
    }

    fn close(&mut self) -> Result<()> {
        for fd in std::mem::take(&mut self.opened) {
            self.call(libc::SYS_close, [number(fd), 0, 0, 0, 0, 0], "close a descriptor")?;
        }
        self.memory.write(self.scratch, &[0; SCRATCH])
    }

    fn call(&mut self, nr: libc::c_long, args: [u64; 6], what: &str) -> Result<u64> {
        let answer = self.calls.call(nr, args)?;
        answer.map_err(|errno| self.failed(what, errno))
    }

    fn failed(&self, what: &str, errno: Errno) -> Error {
        let error = self.refused(format_args!("it could not {what}: {}", errno.desc()));
        match errno {
            Errno::EMFILE | Errno::ENFILE => {
                error.remedy("it has as many files open as it may; raise its limit (prlimit)")
            }
            _ => error,
        }
    }

    fn refused(&self, why: impl std::fmt::Display) -> Error {
        Error::not_applied(format_args!("hand the node's files to process {}", self.process), why)
    }
}

/// A descriptor of another process, as one of this one.
fn take(process: ProcessId, fd: i32) -> Result<OwnedFd> {
    let attempted = || format!("take a descriptor of process {process}");
    let handle = PidFd::open(process)?;
    let handle = handle.ok_or_else(|| Error::not_applied(attempted(), "it has ended meanwhile"))?;
    let taken = crate::raw::pidfd_getfd(std::os::fd::AsFd::as_fd(&handle).as_raw_fd(), fd)
        .map_err(|errno| Error::not_applied(attempted(), errno.desc()))?;
    let taken = i32::try_from(taken).unwrap_or(-1);
    // SAFETY: the kernel has just given it to us, and to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(taken) })
}

fn number(fd: i32) -> u64 {
    u64::from(fd.cast_unsigned())
}
