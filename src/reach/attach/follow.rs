//! Following attached processes: what they execute is reached as it begins, and so is what their children execute.
//!
//! By ptrace, in a process of its own, which outlives the command and ends with the last that it traces. Children and threads are
//! traced as they come (PTRACE_O_TRACEFORK and kin). *Why not a seccomp filter*, as `run` has it: it would stay on programs that are
//! none of falseticker's for good, and without its listener they could execute nothing. *What it costs*: a stop for each thread, child
//! and signal, some ten microseconds; the one tracer that a process may have; and a program that raises its privileges does not get
//! them, unless the tracer is root.
//!
//! What must hold: whatever cannot be reached goes on, and `status` lists it; the death of this process lets all of them go. How what
//! is traced goes on is [`by_ptrace`]'s business.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, pipe2};

use super::super::follow::{Charge, by_ptrace};
use super::super::trace::{self, News};
use crate::node::{Node, NodeDir, sweep_node};
use crate::process::{PidFd, ProcessId, Table, tracer_of};
use crate::raw::SignalSet;
use crate::run::fork::{fork, require_one_thread};
use crate::{Error, Result, Span, host_clock, raw};

/// How /proc calls it.
pub(crate) const NAME: &str = "ft-attach";

const SIGTERM_BIT: SignalSet = 1 << (libc::SIGTERM - 1);
/// How long it may take to end.
const END_LIMIT: Span = Span::from_secs(2);
/// What it says when it traces all of them.
const FOLLOWING: &[u8] = b"+";

/// Begins to follow these processes, which are attached to the node; who does it. For a process that has one thread.
pub(crate) fn start(node: &Node, processes: &[ProcessId]) -> Result<ProcessId> {
    let refused =
        |why: &dyn std::fmt::Display| Error::not_applied("follow what attached processes execute", why);
    require_one_thread()?;
    let (told, tell) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|errno| refused(&errno.desc()))?;
    let before = raw::block_signals(SignalSet::MAX);
    let forked = fork();
    if matches!(forked, Ok(ForkResult::Child)) {
        drop(told);
        live(node.dir(), processes, tell);
    }
    raw::block_signals(before);
    let Ok(ForkResult::Parent { child }) = forked else {
        return Err(refused(&"no process can be forked").remedy("raise the limit on processes (ulimit -u)"));
    };
    drop(tell);
    let mut said = Vec::new();
    std::fs::File::from(told).read_to_end(&mut said).map_err(|why| refused(&why))?;
    match ProcessId::of(child.as_raw()) {
        Some(id) if said == FOLLOWING => Ok(id),
        _ if said.is_empty() => Err(refused(&"the process that was to do it has ended")),
        _ => Err(refused(&String::from_utf8_lossy(&said))),
    }
}

/// Ends the following of a process, and of whatever else is followed with it, if it is followed.
pub(crate) fn end_of(process: ProcessId) -> Result<()> {
    let Some(follower) = follower_of(process) else { return Ok(()) };
    let Some(handle) = PidFd::open(follower)? else { return Ok(()) };
    handle.signal(Signal::SIGTERM)?;
    if handle.wait_exit(host_clock::monotonic().saturating_add(END_LIMIT))? {
        return Ok(());
    }
    Err(Error::not_applied(format_args!("end the following of process {process}"), "it goes on")
        .remedy("try again"))
}

/// Who follows a process.
pub(super) fn follower_of(process: ProcessId) -> Option<ProcessId> {
    let (tracer, name) = tracer_of(process.pid)?;
    (name == NAME).then(|| ProcessId::of(tracer)).flatten()
}

/// The whole life of the process that follows, with all signals blocked but SIGTERM between two news.
fn live(dir: &NodeDir, processes: &[ProcessId], tell: OwnedFd) -> ! {
    let _never = Never;
    settle(&tell);
    let mut tell = std::fs::File::from(tell);
    let begun = Node::of_dir(dir.clone()).and_then(|node| {
        seize(processes)?;
        Charge::of_running(node, 0)
    });
    match begun {
        Ok(charge) => {
            let _ = tell.write_all(FOLLOWING);
            drop(tell);
            by_ptrace::follow_each(&charge, || next(&charge));
            // In vain is not in silence: the next command of any kind sweeps again.
            let _ = sweep_node(dir);
        }
        Err(why) => {
            let _ = tell.write_all(why.why().as_bytes());
        }
    }
    raw::exit(0)
}

/// Ends the process when a panic would otherwise lead it out of here.
struct Never;

impl Drop for Never {
    fn drop(&mut self) {
        raw::exit(1);
    }
}

/// Leaves the session, the streams, the directory and the descriptors of the command.
fn settle(tell: &OwnedFd) {
    let _ = raw::setsid();
    raw::settle_as(c"ft-attach");
    let _ = raw::reset_signal(libc::SIGCHLD);
    crate::run::leave_all_but(vec![tell.as_raw_fd()]);
}

/// News of whatever is traced; `None` once nothing is.
fn next(charge: &Charge) -> Option<(i32, News, i32)> {
    // They are others' children, and nobody here waits for them.
    while charge.collected.take().is_some() {}
    raw::block_signals(!SIGTERM_BIT);
    let news = trace::news_of_any();
    raw::block_signals(SignalSet::MAX);
    news.ok().flatten()
}

/// Traces all threads of these processes, and of the children that they have forked meanwhile.
fn seize(processes: &[ProcessId]) -> Result<()> {
    let mut known = BTreeSet::new();
    loop {
        let table = Table::scan()?;
        let all = table.family(processes).into_iter().filter(|process| !process.state.is_gone());
        let all: BTreeSet<i32> = all.flat_map(|process| threads(process.id)).collect();
        let new: Vec<i32> = all.into_iter().filter(|tid| known.insert(*tid)).collect();
        if new.is_empty() {
            let left =
                processes.iter().find(|process| process.is_alive() && follower_of(**process).is_none());
            let refused =
                |process| Error::not_applied("trace", format_args!("process {process} cannot be traced"));
            return left.map_or(Ok(()), |process| Err(refused(process)));
        }
        for tid in new {
            match raw::ptrace(libc::PTRACE_SEIZE, tid, by_ptrace::OPTIONS.unsigned_abs() as usize) {
                // It has ended, or it is one that was born to a thread that was traced already.
                Ok(_) | Err(Errno::ESRCH | Errno::EPERM) => {}
                Err(errno) => return Err(Error::not_applied("trace them", errno.desc())),
            }
        }
    }
}

fn threads(process: ProcessId) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}
