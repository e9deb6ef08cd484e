//! The program between fork and exec.
//!
//! What must hold: until `run` has given the word nothing of the program runs, and if `run` is gone it never does; the
//! program finds the signal mask, the dispositions, the descriptors and the process group that it would have had
//! without falseticker; a failure to execute is told and is never taken for the program's own end.
//!
//! Source: execve(2), signal(7). Rust's runtime ignores SIGPIPE before `main`, so what was inherited for it cannot be
//! known any more; it is set to its default, as std's own Command does.
#![expect(unsafe_code, reason = "restoring dispositions before exec")]

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::following::Following;
use crate::raw::{self, SignalSet};

/// What becomes the program.
pub struct Target {
    /// The file to execute.
    pub file: CString,
    /// Its arguments, the first one its name.
    pub args: Vec<CString>,
    /// Its environment, but for the variable that names it.
    pub env: Vec<CString>,
    /// The mask that `run` was started with.
    pub mask: SignalSet,
    /// Whether `run` was started with SIGCHLD ignored.
    pub ignores_children: bool,
    /// The descriptors that are its streams where its output is captured, and the numbers that they get.
    pub streams: Vec<(RawFd, RawFd)>,
}

/// The exit code by which the shim refuses, having said why.
pub const REFUSED: u8 = 125;

/// The variable by which the shim knows the node's first process, which it ends where it cannot see the page.
pub const ROOT_VARIABLE: &str = "FALSETICKER_ROOT";

/// Waits for a byte from `go`, and becomes the program; tells `failed` the error number if that cannot be.
pub fn become_program(target: &Target, following: &Following, go: RawFd, failed: RawFd) -> Infallible {
    let mut word = [0_u8; 1];
    loop {
        match raw::read(go, &mut word) {
            Ok(1) => break,
            Err(Errno::EINTR) => {}
            _ => raw::exit(125),
        }
    }
    for (from, to) in &target.streams {
        if let Err(errno) = raw::dup2(*from, *to) {
            let _ = raw::write(failed, &(errno as i32).to_le_bytes());
            raw::exit(125)
        }
    }
    let mut env = target.env.clone();
    env.extend(CString::new(format!("{ROOT_VARIABLE}={}", std::process::id())));
    if !following.begin() {
        raw::exit(125);
    }
    set(Signal::SIGPIPE, SigHandler::SigDfl);
    set(Signal::SIGCHLD, if target.ignores_children { SigHandler::SigIgn } else { SigHandler::SigDfl });
    raw::block_signals(target.mask);
    let Err(errno) = nix::unistd::execve(&target.file, &target.args, &env);
    let _ = raw::write(failed, &(errno as i32).to_le_bytes());
    raw::exit(125)
}

/// Sets a signal's disposition, where no handler is involved; returns the one that it had.
pub fn set(signal: Signal, handler: SigHandler) -> Option<SigHandler> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler is installed, only a default or an ignored one.
    unsafe { sigaction(signal, &action) }.ok().map(|old| old.handler())
}
