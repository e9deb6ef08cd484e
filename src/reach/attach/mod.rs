//! Reach of a process that runs already: its vDSO is detoured while all its threads stand still.
//!
//! The implant ([`super::implant`]) is planted, an island within a jump of the vDSO leads to it, and the first five bytes of the vDSO's
//! clock functions become jumps to that island. The true clock is read through the island's trampoline. Nothing is traced
//! afterwards; children that the process forks have a copy of all this.
//!
//! What must hold:
//! 1. No thread goes on in the midst of bytes that were overwritten, now or on return from a signal handler ([`frames`]). Where one
//!    would, the process runs on for a moment and is stopped again, a bounded number of times; then it is refused.
//! 2. Whatever is refused is untouched, and runs.
//! 3. No process is skewed twice, nor taken from its node ([`whose`]).
//! 4. Undone, the vDSO has its own bytes; implant and island stay, since a thread may be inside them.
//!
//! *Why not move the vDSO*, and put a changed copy in its place: threads that were inside crash, even if they are stepped out of it
//! first. *Why not leave a thread in danger to be stepped out*: of one that is in a handler nobody knows when it returns.
//!
//! What breaks it: see [`frames`] and [`super::trace`].

mod detour;
pub(crate) mod follow;
mod frames;
mod maps;
mod whose;

use std::ops::Range;

use falseticker_page::evidence::REACHED_BY_ATTACH;

use super::implant::{self, Implant, Kernels};
use super::trace::{self, Stop, StoppedProcess, Vdso};
use crate::node::{Node, NodeDir};
use crate::process::ProcessId;
use crate::{Error, Result, Span, host_clock};
use detour::{Intended, Standing};
use frames::Inside;
use maps::Maps;
use whose::Whose;

const PAGE: u64 = 4096;
/// How long a safe instant is looked for.
const SEARCH_LIMIT: Span = Span::from_secs(3);
/// How long a process runs between two attempts: first, and at most.
const FIRST_PAUSE: Span = Span::from_nanos(200_000);
const LONGEST_PAUSE: Span = Span::from_millis(20);

/// A process that joined a node.
#[derive(Clone, Copy, Debug)]
pub struct Attached {
    /// Which.
    pub process: ProcessId,
    /// Whether it was in the node before; then nothing was done.
    pub already: bool,
    /// How many threads it had.
    pub threads: usize,
    /// How often it was stopped, until no thread was where its vDSO was to be changed.
    pub stops: u32,
    /// For how long it was stopped, all in all.
    pub stopped: Span,
}

/// A process that left its node.
#[derive(Clone, Copy, Debug)]
pub struct Detached {
    /// Which.
    pub process: ProcessId,
    /// For how long it was stopped.
    pub stopped: Span,
}

/// Has a running process join a node.
pub(crate) fn attach(node: &Node, pid: i32) -> Result<Attached> {
    let process = trace::admit(pid)?;
    if follow::follower_of(process).is_none() {
        trace::refuse_traced(process)?;
    }
    let already = Attached { process, already: true, threads: 0, stops: 0, stopped: Span::ZERO };
    match Whose::look(process)? {
        Whose::Nobodys => {}
        Whose::Attached(dir) if dir == *node.dir() => {
            implant::seat(node, process)?;
            return Ok(already);
        }
        Whose::Started(dir) if dir == *node.dir() => return Ok(already),
        Whose::Attached(dir) => {
            return Err(taken(process, &dir)
                .remedy(format_args!("falseticker detach --pid {process}, and attach it again")));
        }
        Whose::Started(dir) => {
            return Err(taken(process, &dir).remedy("it belongs there until it ends; steer that node"));
        }
        Whose::Somebodys => {
            return Err(refused(process, "it is in a node already, which is not among those here").remedy(
                "set FALSETICKER_DIR as it was when that node was made; if the node is gone, start the program again",
            ));
        }
    }
    trace::refuse_traced(process)?;
    search(node, process)
}

/// Looks for an instant at which the vDSO can be changed, and changes it.
fn search(node: &Node, process: ProcessId) -> Result<Attached> {
    let until = host_clock::monotonic().saturating_add(SEARCH_LIMIT);
    let mut done = Attached { process, already: false, threads: 0, stops: 0, stopped: Span::ZERO };
    let mut pause = FIRST_PAUSE;
    loop {
        done.stops += 1;
        let (why_not, stopped) = held(process, |held| {
            done.threads = held.threads().len();
            change(node, held)
        })?;
        done.stopped = done.stopped.saturating_add(stopped);
        match why_not {
            None => {
                implant::seat(node, process)?;
                return Ok(done);
            }
            Some(why) if host_clock::monotonic() >= until => {
                return Err(no_instant(process, done.stops, &why));
            }
            Some(why) => tracing::debug!(%process, %why, "tried again"),
        }
        host_clock::sleep(pause);
        pause = pause.saturating_add(pause).min(LONGEST_PAUSE);
    }
}

/// Why nothing could be done to a process in this moment.
enum NotNow {
    /// A thread is where its vDSO is to be changed.
    Inside(Inside),
    /// A thread does not stop.
    Asleep(i32),
}

impl std::fmt::Display for NotNow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotNow::Inside(inside) => inside.fmt(f),
            NotNow::Asleep(tid) => {
                write!(f, "thread {tid} was in a wait that cannot be interrupted (vfork, a disk)")
            }
        }
    }
}

/// Does something to a process whose threads all stand still, and says for how long they did.
fn held(
    process: ProcessId,
    work: impl FnOnce(&mut StoppedProcess) -> Result<Option<NotNow>> + Send,
) -> Result<(Option<NotNow>, Span)> {
    trace::in_own_thread(|| match StoppedProcess::try_stop(process)? {
        Stop::Held(mut held) => {
            let done = work(&mut held);
            let stopped = held.resume()?;
            Ok((done?, stopped))
        }
        Stop::Asleep(tid, stopped) => Ok((Some(NotNow::Asleep(tid)), stopped)),
    })
}

/// Detours the vDSO of a stopped process, unless a thread is inside what would be overwritten.
fn change(node: &Node, held: &mut StoppedProcess) -> Result<Option<NotNow>> {
    let process = held.id();
    let vdso = Vdso::of(process.pid, held.memory())?;
    if Standing::of(&vdso, held.memory()).is_some() {
        return Err(refused(process, "its vDSO was detoured meanwhile").remedy("try again"));
    }
    let maps = Maps::of(process)?;
    let intended = Intended::new(process, &vdso, held.memory(), &maps)?;
    let danger: Vec<Range<u64>> = intended.outline()?.danger().collect();
    if let Some(inside) = frames::inside(held, &maps, &danger)? {
        return Ok(Some(NotNow::Inside(inside)));
    }
    put(node, held, &vdso, &intended).map(|()| None)
}

/// Plants the implant, maps the island, and writes.
fn put(node: &Node, held: &mut StoppedProcess, vdso: &Vdso, intended: &Intended<'_>) -> Result<()> {
    let process = held.id();
    let unusable = || refused(process, "its vDSO is not what a kernel makes");
    let kernels = vdso.image().and_then(|image| Kernels::of(&image, vdso.base())).ok_or_else(unusable)?;
    let found = Implant::find(process, node)?;
    let (memory, mut calls) = held.calls(vdso.syscall_instruction().ok_or_else(unusable)?)?;
    let implant = match found {
        Some(implant) => implant,
        None => Implant::plant(&mut calls, memory, process, node, &kernels, REACHED_BY_ATTACH)?,
    };
    let done = map_island(&mut calls, process, intended).and_then(|()| {
        let plan = intended.plan(&implant.hooks()?)?;
        memory.write(intended.island(), plan.island.bytes())?;
        implant.rewire(memory, plan.trampoline(), REACHED_BY_ATTACH)?;
        detour::write(&plan, memory)
    });
    if done.is_err() && found.is_none() && vdso.is_unchanged(memory) {
        implant.remove(&mut calls, node, process);
    }
    calls.end().and(done)
}

fn map_island(calls: &mut trace::Calls<'_>, process: ProcessId, intended: &Intended<'_>) -> Result<()> {
    if intended.is_mapped {
        return Ok(());
    }
    let number = |value: i32| i64::from(value).cast_unsigned();
    let protection = number(libc::PROT_READ | libc::PROT_EXEC);
    let flags = number(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE);
    let args = [intended.island(), PAGE, protection, flags, number(-1), 0];
    let mapped = calls.call(libc::SYS_mmap, args)?;
    mapped.map(drop).map_err(|errno| refused(process, &format!("it could not map a page: {}", errno.desc())))
}

/// Gives a process that was attached its own clock back; `None` for one that is not attached to this node.
pub(crate) fn detach(node: &Node, process: ProcessId) -> Result<Option<Detached>> {
    match Whose::look(process)? {
        Whose::Attached(dir) if dir == *node.dir() => {}
        _ => return Ok(None),
    }
    follow::end_of(process)?;
    let until = host_clock::monotonic().saturating_add(SEARCH_LIMIT);
    let mut detached = Detached { process, stopped: Span::ZERO };
    loop {
        let (why_not, stopped) = held(process, |held| undo(node, held).map(|()| None))?;
        detached.stopped = detached.stopped.saturating_add(stopped);
        match why_not {
            None => return Ok(Some(detached)),
            Some(why) if host_clock::monotonic() >= until => {
                return Err(Error::not_applied(format_args!("detach process {process}"), why)
                    .remedy("it stays in its node; try again"));
            }
            Some(_) => host_clock::sleep(LONGEST_PAUSE),
        }
    }
}

/// Gives the vDSO its own bytes back, and the process's row of evidence to whoever needs one. Where a thread goes on does not
/// matter: the bytes that come back are run by nobody, and island and image stay.
fn undo(node: &Node, held: &mut StoppedProcess) -> Result<()> {
    let vdso = Vdso::of(held.id().pid, held.memory())?;
    if let Some(standing) = Standing::of(&vdso, held.memory()) {
        standing.undo(held.memory())?;
    }
    implant::leave(node, held.id(), held.memory())
}

/// The node that a process is attached to.
pub(crate) fn node_of(process: ProcessId) -> Result<Option<NodeDir>> {
    Ok(match Whose::look(process)? {
        Whose::Attached(dir) => Some(dir),
        _ => None,
    })
}

fn refused(process: ProcessId, why: &str) -> Error {
    Error::not_applied(format_args!("attach to process {process}"), why)
}

fn taken(process: ProcessId, by: &NodeDir) -> Error {
    refused(process, &format!("it is in node {} already", by.name()))
}

fn no_instant(process: ProcessId, stops: u32, why: &NotNow) -> Error {
    refused(process, &format!("it was stopped {stops} times, and each time {why}")).remedy(
        "it runs on untouched; try again, when it reads its clock less often or its handlers are done",
    )
}
