//! The memory of another process: to be looked at, and if it is stopped to be written to.
//!
//! Through /proc/PID/mem, which writes to code as well and changes no mapping's protection. Where the kernel refuses that for
//! code (`proc_mem.force_override=never`), word by word through ptrace.
//!
//! What must hold: whoever has a [`Memory`] also has a stopped thread of its process, so that nobody else writes there. What a
//! [`View`] of one that runs shows may be old a moment later.

use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;

use super::request;
use super::stopped::Stopped;
use crate::process::ProcessId;
use crate::{Error, Result};

/// The memory of a process, to be read.
#[derive(Debug)]
pub(crate) struct View {
    file: File,
    process: i32,
}

/// The memory of a process of which a thread is stopped.
#[derive(Debug)]
pub(crate) struct Memory {
    view: View,
    tid: i32,
}

impl View {
    /// The memory of a process, whether it runs or not.
    pub(crate) fn of(process: ProcessId) -> Result<View> {
        View::open(&format!("/proc/{process}/mem"), process.pid, File::options().read(true))
    }

    fn open(path: &str, process: i32, options: &std::fs::OpenOptions) -> Result<View> {
        let file = options.open(path).map_err(|why| match why.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EACCES | Errno::EPERM) => {
                super::admit::not_permitted(process, &format!("open {path}"))
            }
            Some(Errno::ENOENT | Errno::ESRCH) => super::gone(process, &format!("open {path}")),
            _ => Error::not_applied(format_args!("open {path}"), why),
        })?;
        Ok(View { file, process })
    }

    /// Fills `buffer` from `at`.
    pub(crate) fn read(&self, at: u64, buffer: &mut [u8]) -> Result<()> {
        if self.read_some(at, buffer) == buffer.len() {
            return Ok(());
        }
        let attempted = format!("read {} bytes of process {} at {at:#x}", buffer.len(), self.process);
        Err(Error::not_applied(attempted, "they are not mapped"))
    }

    /// As much as there is from `at` on; how much that was.
    pub(crate) fn read_some(&self, at: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, at.saturating_add(done as u64)) {
                Ok(0) | Err(_) => break,
                Ok(more) => done += more,
            }
        }
        done
    }

    /// So many bytes from `at` on; `None` where they are not mapped.
    pub(crate) fn get<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        (self.read_some(at, &mut bytes) == N).then_some(bytes)
    }
}

impl Deref for Memory {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl Memory {
    /// The memory of the process that a stopped thread is of.
    pub(crate) fn of(thread: &Stopped) -> Result<Memory> {
        let (process, tid) = (thread.process(), thread.tid());
        let view = View::open(&format!("/proc/{tid}/mem"), process, File::options().read(true).write(true))?;
        Ok(Memory { view, tid })
    }

    /// Writes `bytes` at `at`, be it code, and reads them back.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        let attempted = || format!("write {} bytes of process {} at {at:#x}", bytes.len(), self.process);
        if self.file.write_all_at(bytes, at).is_err() {
            self.poke(at, bytes).map_err(|errno| Error::not_applied(attempted(), errno.desc()))?;
        }
        let mut there = vec![0; bytes.len()];
        self.read(at, &mut there)?;
        if there == bytes {
            Ok(())
        } else {
            Err(Error::not_applied(attempted(), "they are not there afterwards"))
        }
    }

    /// The same by ptrace, in words: what is around the bytes is written as it was read.
    pub(super) fn poke(&self, at: u64, bytes: &[u8]) -> std::result::Result<(), Errno> {
        let mut rest = bytes;
        let mut at = at;
        while !rest.is_empty() {
            let (word, offset) = (at & !7, usize::try_from(at & 7).unwrap_or(0));
            let mut there = request::peek(self.tid, word)?;
            let length = rest.len().min(there.len() - offset);
            let (now, later) = rest.split_at(length);
            there[offset..offset + length].copy_from_slice(now);
            request::poke(self.tid, word, there)?;
            (rest, at) = (later, word.saturating_add(8));
        }
        Ok(())
    }
}
