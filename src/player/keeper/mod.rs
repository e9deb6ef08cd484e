//! A node's keeper: the process that starts its program, passes its output on, and stops it. One a node.
//!
//! Why it exists. The player may be killed at any instant, and the programs must run on until the planned end and then stop:
//! so their parent is somebody else, who also holds the reading ends of their pipes, or they would die of SIGPIPE. It is a
//! process a node because what a program leaves behind is known by whose keeper it is reparented to.
//!
//! **Why a fork without exec.** The player must work from a user's `#[test]`, whose executable has no hidden subcommand. That
//! process may have many threads; the child goes on with ordinary code all the same, which may allocate, since the fork is
//! libc's, and glibc and musl (from 1.2.2 on) both leave a working allocator to the child. It takes no lock that a thread of
//! the caller's could have held: it prints nothing, and reads no environment.
//!
//! What must hold:
//! - The program and all that it starts are in a session of their own, and so is the keeper: neither Ctrl-C nor the end of
//!   whoever started the player reaches them, and no process group is orphaned by anybody's death, which would hang up what
//!   is frozen.
//! - When the player is gone, the keeper waits until the planned end (if none was told: no longer), and then thaws and stops.
//! - Stopped is: a signal to the program, and when that has ended, or has not in time, SIGKILL to whatever is left of the node.
//! - It ends when nobody of the node is left, and the node goes with it.
#![expect(unsafe_code, reason = "fork, with what is said above")]

mod life;
mod lines;
mod message;

pub use message::{FromKeeper, ToKeeper};

use std::ffi::CString;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid};

use crate::Span;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::process::ProcessId;
use crate::raw::{self, SignalSet};
use crate::reach::Wanted;
use crate::run::following::Need;
use crate::run::target::Target;

/// What a keeper is to do.
pub struct Charge {
    /// Its node.
    pub node: Node,
    /// The program.
    pub target: Target,
    /// How its execs are followed.
    pub follow: (Need, Wanted),
    /// Where it runs.
    pub dir: CString,
    /// A directory that goes with the node.
    pub scratch: PathBuf,
    /// By which signal it is stopped, and how long it may take.
    pub stop: (Signal, Span),
}

/// The player's hold on a keeper. Dropping it has the node stopped at once, and waits for that.
#[derive(Debug)]
pub struct Keeper {
    socket: UnixStream,
    id: ProcessId,
    received: Vec<u8>,
    is_gone: bool,
}

impl Keeper {
    /// Starts one; its program waits for [`ToKeeper::Start`].
    pub fn start(charge: Charge) -> Result<Keeper> {
        let attempted = format!("start the keeper of node {}", charge.node.name());
        let refused = |why: &dyn std::fmt::Display| Error::not_applied(&attempted, why);
        let (ours, theirs) = UnixStream::pair().map_err(|why| refused(&why))?;
        ours.set_nonblocking(true)
            .and_then(|()| theirs.set_nonblocking(true))
            .map_err(|why| refused(&why))?;
        let node = Node::of_dir(charge.node.dir().clone())?;
        // The keeper starts with everything blocked: a handler of the caller's must not run in it.
        let before = raw::block_signals(SignalSet::MAX);
        // SAFETY: the child goes on in `live`, which never returns, and takes no lock of the caller's other threads.
        let forked = match unsafe { nix::unistd::fork() } {
            Ok(ForkResult::Child) => {
                drop(ours);
                life::live(charge, theirs)
            }
            Ok(ForkResult::Parent { child }) => Ok(child.as_raw()),
            Err(errno) => Err(errno),
        };
        raw::block_signals(before);
        let pid = forked.map_err(|errno| {
            refused(&errno.desc())
                .remedy("raise the limits on processes and open files (ulimit -u, ulimit -n)")
        })?;
        let id = ProcessId::of(pid).ok_or_else(|| refused(&"it was killed"))?;
        let keeper = Keeper { socket: ours, id, received: Vec::new(), is_gone: false };
        node.add_keeper(id, true)?;
        Ok(keeper)
    }

    /// Says something to it.
    pub fn say(&mut self, message: &ToKeeper) {
        // They are a few words, which a socket has room for; when the keeper is gone that is seen elsewhere.
        let text = serde_json::to_string(message).unwrap_or_default() + "\n";
        let _ = self.socket.write_all(text.as_bytes());
    }

    /// What it has said since; `None` once it is gone and all is heard.
    pub fn hear(&mut self) -> Option<Vec<FromKeeper>> {
        let mut buffer = [0; 1 << 16];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => {
                    self.is_gone = true;
                    break;
                }
                Ok(length) => self.received.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.is_gone = true;
                    break;
                }
            }
            if self.received.len() > 1 << 22 {
                break;
            }
        }
        let end = self.received.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let whole: Vec<u8> = self.received.drain(..end).collect();
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let heard: Vec<FromKeeper> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        if self.is_gone && heard.is_empty() { None } else { Some(heard) }
    }

    /// Whether it is gone.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }
}

impl AsFd for Keeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.say(&ToKeeper::Stop);
        while !self.is_gone {
            let mut fds = [libc::pollfd {
                fd: std::os::fd::AsRawFd::as_raw_fd(&self.socket),
                events: libc::POLLIN,
                revents: 0,
            }];
            let _ = raw::poll(&mut fds, None);
            self.hear();
            self.received.clear();
        }
        while waitpid(Pid::from_raw(self.id.pid), None) == Err(Errno::EINTR) {}
    }
}
