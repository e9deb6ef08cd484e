//! wait(2) by number, and being stopped as the program was.
#![expect(unsafe_code, reason = "wait(2) for its raw status")]

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::signals;
use super::target::set;
use crate::raw;

/// The raw status of a child that has changed its state; `None` when none is to be had for now.
pub fn wait_for(pid: i32, flags: i32) -> Result<Option<i32>, Errno> {
    let mut status = 0;
    loop {
        // SAFETY: a live integer for the status.
        match Errno::result(unsafe { libc::waitpid(pid, &raw mut status, flags | libc::__WNOTHREAD) }) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(status)),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Stops this process by a signal that stops by default; returns once it is continued. If nobody could continue it (an
/// orphaned process group) the kernel does not stop it.
pub fn stop_by(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    let old = set(signal, nix::sys::signal::SigHandler::SigDfl);
    // Raised while it is blocked: if the terminal's own awaits this process too, one stop takes both, since SIGCONT
    // discards whatever stop is pending.
    let _ = nix::sys::signal::raise(signal);
    let mask = raw::block_signals(signals::watched() & !(1 << (signal as i32 - 1)));
    raw::block_signals(mask);
    if let Some(old) = old {
        set(signal, old);
    }
}
