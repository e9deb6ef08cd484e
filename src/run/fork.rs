//! Making processes that go on with ordinary code.
//!
//! What must hold: the process that forks has one thread, so that no lock of the allocator's, or of anything else's,
//! is left behind held in the child.
#![expect(unsafe_code, reason = "fork, in a process that is known to have one thread")]

use nix::errno::Errno;
use nix::unistd::ForkResult;

use crate::{Error, Result};

/// Refuses a process that has several threads; call it before the first [`fork`].
pub fn require_one_thread() -> Result<()> {
    let attempted = "run a program in a node from this process";
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|why| Error::not_applied(attempted, why).remedy("mount /proc"))?
        .count();
    if threads == 1 {
        return Ok(());
    }
    let why = format!("it has {threads} threads, and a process that forks to go on must have one");
    Err(Error::not_applied(attempted, why)
        .remedy("use Node::command, or call run before any thread is started"))
}

/// fork(2), by libc, whose own state then fits the child.
pub fn fork() -> std::result::Result<ForkResult, Errno> {
    // SAFETY: `require_one_thread` was called before the first one, and nothing here starts a thread until the last
    // one: so the child may do whatever the parent might.
    unsafe { nix::unistd::fork() }
}
