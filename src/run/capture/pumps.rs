//! The pumps from the keeper's side, which starts them, and another for each that is killed.

use std::os::fd::{AsRawFd, RawFd};

use nix::errno::Errno;
use nix::unistd::ForkResult;

use super::super::fork::fork;
use super::Stream;
use super::pump::{NAME, pump};
use crate::process::{Process, ProcessId, Table};
use crate::raw;

/// How often a pump is started anew; something that kills more of them is not to be outdone.
const RESTARTS: u32 = 100;

/// All pumps of one program.
#[derive(Debug)]
pub struct Pumps(Vec<Running>);

#[derive(Debug)]
struct Running {
    stream: Stream,
    pid: i32,
    starts: u32,
}

impl Pumps {
    /// Starts a pump for each stream; `others` are what none of them is to hold.
    pub fn start(streams: Vec<Stream>, others: &[RawFd]) -> Result<Self, Errno> {
        let mut pumps =
            Pumps(streams.into_iter().map(|stream| Running { stream, pid: 0, starts: 0 }).collect());
        for index in 0..pumps.0.len() {
            pumps.fork(index, others)?;
        }
        Ok(pumps)
    }

    /// Does what the end of a child asks for, if it was one of these.
    pub fn ended(&mut self, pid: i32, status: i32, others: &[RawFd]) {
        let Some(index) = self.0.iter().position(|running| running.pid == pid) else { return };
        let was_killed = libc::WIFSIGNALED(status);
        let may = self.0.get(index).is_some_and(|running| running.starts <= RESTARTS);
        if !(libc::WIFSIGNALED(status) || libc::WIFEXITED(status)) {
            return;
        }
        if !(was_killed && may) || self.fork(index, others).is_err() {
            // Now the program sees that nobody reads, and the reader that nothing comes.
            self.0.remove(index);
        }
    }

    fn fork(&mut self, index: usize, others: &[RawFd]) -> Result<(), Errno> {
        match fork()? {
            ForkResult::Parent { child } => {
                if let Some(running) = self.0.get_mut(index) {
                    running.pid = child.as_raw();
                    running.starts += 1;
                }
                Ok(())
            }
            ForkResult::Child => {
                let strange = self.0.iter().enumerate().filter(|(other, _)| *other != index);
                for fd in strange
                    .flat_map(|(_, running)| running.stream.descriptors())
                    .chain(others.iter().copied())
                {
                    let _ = raw::close(fd);
                }
                if let Some(running) = self.0.get(index) {
                    pump(&running.stream);
                }
                raw::exit(125)
            }
        }
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some of them run, and nobody else is below this process.
    pub fn are_alone(&self) -> bool {
        let (Some(own), Ok(table)) = (ProcessId::own(), Table::scan()) else { return false };
        let mut children = table.iter().filter(|process| process.ppid == own.pid && !process.state.is_gone());
        !self.0.is_empty() && children.all(is_pump)
    }
}

impl Stream {
    /// All that it holds.
    pub fn descriptors(&self) -> [RawFd; 4] {
        [self.source.as_raw_fd(), self.sink.as_raw_fd(), self.door.as_raw_fd(), self.asked.as_raw_fd()]
    }
}

/// Whether a keeper's child is a pump: by its name, or by its parent's, which it has at first.
pub fn is_pump(child: &Process) -> bool {
    [NAME.to_bytes(), super::super::keeper::NAME.to_bytes()].contains(&child.comm.as_bytes())
}
