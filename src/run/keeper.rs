//! The keeper: the program's parent, which outlives `run` if it must.
//!
//! Why it exists. The kernel sends SIGHUP to a process group that holds a stopped process and that the death of a
//! parent leaves *orphaned*: no member has a parent in the same session and another group. If `run` were the parent
//! (and in the program's group, as the terminal requires), SIGKILL of `run` while the program is frozen would kill the
//! program. So the keeper is in `run`'s session and in a group of its own.
//!
//! What must hold:
//! - No signal but SIGKILL and SIGSTOP does anything to it; it has none of the command's streams and descriptors, but for
//!   those that it holds for the pumps of a captured program (`capture`), as long as these need them.
//! - It reaps: whatever the program leaves behind is reparented to it, and it stays as long as any of that lives.
//! - At the end the node goes, if nobody else lives in it.
//! - It never returns into the code of the process that it was forked from, not even by a panic.
//!
//! Source: `will_become_orphaned_pgrp` and `forget_original_parent` in the kernel's `kernel/exit.c`,
//! PR_SET_CHILD_SUBREAPER(2const).

use std::ffi::CStr;
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid, setpgid};

use super::capture::{Pumps, Stream};
use super::children::Children;
use super::following::Following;
use super::fork::fork;
use super::message::Message;
use super::orphans;
use super::outcome::Change;
use crate::freeze;
use crate::node::{self, NodeDir};
use crate::process::{PidFd, ProcessId};
use crate::raw;

/// By what name /proc shows it.
pub const NAME: &CStr = c"ft-keeper";

/// Ends the process when a panic would otherwise lead it out of here.
struct Never;

impl Drop for Never {
    fn drop(&mut self) {
        raw::exit(125);
    }
}

/// What the keeper is told.
pub struct Charge<'a> {
    /// Whose node goes at the end.
    pub dir: &'a NodeDir,
    /// The pipe to `run`.
    pub pipe: RawFd,
    /// `run`.
    pub run: Option<ProcessId>,
    /// The program's output, where it is captured.
    pub streams: Vec<Stream>,
    /// How the program is followed.
    pub following: Following,
}

/// The keeper's whole life, with all signals blocked. `target` is the program's, and never returns either.
pub fn keep(charge: Charge<'_>, target: impl FnOnce(&Following) -> std::convert::Infallible) -> ! {
    let _never = Never;
    let _ = prctl::set_child_subreaper(true);
    let child = match fork() {
        Ok(ForkResult::Child) => {
            target(&charge.following);
            raw::exit(125);
        }
        Ok(ForkResult::Parent { child }) => child.as_raw(),
        Err(errno) => {
            tell(charge.pipe, Message::NotForked(errno));
            raw::exit(125);
        }
    };
    // Only now, so that the program is born into the group of `run`.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    let Charge { dir, pipe, run, streams, following } = charge;
    let kept = std::iter::once(pipe).chain(streams.iter().flat_map(Stream::descriptors));
    leave_all_but(kept.chain(following.descriptors()).collect());
    raw::settle_as(NAME);
    let mut pumps = match Pumps::start(streams, &[pipe]) {
        Ok(pumps) => pumps,
        Err(errno) => {
            tell(pipe, Message::NotForked(errno));
            raw::exit(125);
        }
    };
    let Ok(collected) = following.keep(dir, child) else {
        tell(pipe, Message::NotForked(Errno::EAGAIN));
        raw::exit(125);
    };
    let Ok(children) = Children::new(&collected) else {
        tell(pipe, Message::NotForked(Errno::EMFILE));
        raw::exit(125);
    };
    tell(pipe, Message::Started(child));
    watch(child, pipe, run, dir, &mut pumps, &children);
    // In vain is not in silence: the next command of any kind sweeps again.
    let _ = node::sweep_node(dir);
    raw::exit(0)
}

/// Until nobody is left below this process.
fn watch(
    target: i32,
    pipe: RawFd,
    run: Option<ProcessId>,
    dir: &NodeDir,
    pumps: &mut Pumps,
    children: &Children<'_>,
) {
    let mut ended = false;
    let mut told = false;
    let mut alone = false;
    loop {
        // Once it is over, ask first whether anybody is left at all.
        let flags = if ended && !told && !alone { libc::WNOHANG } else { libc::WUNTRACED | libc::WCONTINUED };
        match children.next(flags) {
            // They end by themselves when all is passed on, and start nobody.
            Ok((0, _)) if pumps.are_alone() => alone = true,
            Ok((0, _)) => {
                // What a freeze has stopped is the freeze's to continue.
                if freeze::records(dir.path()).is_ok_and(|records| records.is_empty())
                    && let Some(own) = ProcessId::own()
                {
                    orphans::hang_up(own, run);
                }
                tell(pipe, Message::Staying);
                told = true;
            }
            Ok((pid, status)) if pid == target => {
                // An end is told before it is collected: should this process be killed between the two, `run` knows, and
                // has it as a child. Of stops the one that is collected counts, since they come and go.
                let end = matches!(Change::of_status(status), Change::Ended(_));
                let status = if end {
                    tell(pipe, Message::Changed(status));
                    let _ = children.collect(pid, status, flags);
                    status
                } else {
                    let Some(status) = children.collect(pid, status, flags) else { continue };
                    tell(pipe, Message::Changed(status));
                    status
                };
                match Change::of_status(status) {
                    Change::Ended(_) => ended = true,
                    // Somebody continued the program alone, and `run` has stopped with it.
                    Change::Continued => continue_run(run),
                    Change::Stopped(_) => {}
                }
            }
            Ok((pid, status)) => {
                if let Some(status) = children.collect(pid, status, flags) {
                    pumps.ended(pid, status, &[pipe]);
                    // Who is left now tells listeners the rest, for which `run` does not wait.
                    alone &= !pumps.is_empty();
                }
            }
            Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

fn continue_run(run: Option<ProcessId>) {
    let handle = run.and_then(|run| PidFd::open(run).ok().flatten());
    let _ = handle.map(|handle| handle.signal(Signal::SIGCONT));
}

fn tell(pipe: RawFd, message: Message) {
    // When `run` is no more nobody needs to know.
    let _ = raw::write(pipe, &message.encode());
}

/// Lets go of all that was inherited but these descriptors, so that whoever waits for the end of a stream gets it.
/// Closes all descriptors but these, and leads the streams to nowhere.
pub(crate) fn leave_all_but(mut kept: Vec<RawFd>) {
    kept.sort_unstable();
    let mut from: u32 = 3;
    for fd in kept.into_iter().filter_map(|fd| u32::try_from(fd).ok()).filter(|fd| *fd >= 3) {
        if from < fd {
            let _ = raw::close_range(from, fd - 1);
        }
        from = fd + 1;
    }
    let _ = raw::close_range(from, u32::MAX);
    if let Ok(null) = raw::open(c"/dev/null", libc::O_RDWR) {
        for stream in 0..=2 {
            let _ = raw::dup2(null, stream);
        }
        let _ = raw::close(null);
    } else {
        let _ = raw::close_range(0, 2);
    }
}
