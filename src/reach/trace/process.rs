//! A process all of whose threads stand still.
//!
//! What must hold: none of its threads, and nobody who shares its memory, runs an instruction while a [`StoppedProcess`]
//! exists. That is known once a listing of its threads, begun after all that were known had stopped, shows nobody new. All are asked to stop
//! before the first is waited for, so that it takes about as long as the slowest.
//!
//! What breaks it: a process that shares its memory without being its child or its parent (clone with CLONE_VM, twice).

use std::collections::BTreeSet;

use nix::errno::Errno;

use super::calls::Calls;
use super::memory::Memory;
use super::stopped::{Awaited, Stopped, await_stop, seize, too_late};
use super::{STOP_LIMIT, failed};
use crate::process::{ProcessId, State, Table, stat};
use crate::{Error, HostInstant, Result, Span, host_clock, raw};

/// The code segment of a thread in 64-bit mode.
const CODE_64: u64 = 0x33;

/// How long a thread may be in a wait that cannot be interrupted, while the others stand still already.
const ASLEEP_LIMIT: Span = Span::from_millis(50);

/// What came of stopping a process.
pub(crate) enum Stop {
    /// It stands still.
    Held(StoppedProcess),
    /// This thread is in a wait that cannot be interrupted: in `vfork`, until its child has gone on; for a disk. The others stood
    /// still for so long meanwhile, and go on once the calling thread has ended.
    Asleep(i32, Span),
}

/// A stopped process. Dropping it lets it go on.
#[derive(Debug)]
pub(crate) struct StoppedProcess {
    id: ProcessId,
    threads: Vec<Stopped>,
    memory: Memory,
    since: HostInstant,
}

impl StoppedProcess {
    /// Stops all threads of a process. After a failure it runs on once the calling thread has ended
    /// ([`in_own_thread`](super::in_own_thread)).
    pub(crate) fn stop(id: ProcessId) -> Result<StoppedProcess> {
        match StoppedProcess::try_stop(id)? {
            Stop::Held(process) => Ok(process),
            Stop::Asleep(tid, _) => Err(too_late(id.pid, tid)),
        }
    }

    /// The same, for whoever can try again.
    pub(crate) fn try_stop(id: ProcessId) -> Result<Stop> {
        let since = host_clock::monotonic();
        let until = since.saturating_add(STOP_LIMIT);
        let mut threads = Vec::new();
        loop {
            let known: BTreeSet<i32> = threads.iter().map(Stopped::tid).collect();
            let mut new = tids(id)?;
            new.retain(|tid| !known.contains(tid));
            if new.is_empty() {
                break;
            }
            if host_clock::monotonic() >= until {
                return Err(Error::not_applied(
                    format_args!("stop process {id}"),
                    "it starts threads faster than they can be stopped",
                ));
            }
            if let Some(asleep) = stop_all(id, new, until, &mut threads)? {
                return Ok(Stop::Asleep(asleep, host_clock::monotonic().saturating_since(since)));
            }
        }
        let first = threads.first().ok_or_else(|| ended(id))?;
        let process = StoppedProcess { id, memory: Memory::of(first)?, threads, since };
        process.refuse_what_cannot_be_helped()?;
        Ok(Stop::Held(process))
    }

    /// Which process it is.
    pub(crate) fn id(&self) -> ProcessId {
        self.id
    }

    /// Its threads.
    pub(crate) fn threads(&self) -> &[Stopped] {
        &self.threads
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Its memory, and system calls in its name by the `syscall` instruction at `at`: by the first of its threads in whose name
    /// they can be made.
    pub(crate) fn calls(&mut self, at: u64) -> Result<(&Memory, Calls<'_>)> {
        let mut refused = ended(self.id);
        let able = self.threads.iter().position(|thread| match Calls::check(thread) {
            Ok(()) => true,
            Err(why) => {
                refused = why;
                false
            }
        });
        match able.and_then(|index| self.threads.get_mut(index)) {
            Some(thread) => Ok((&self.memory, thread.calls(at)?)),
            None => Err(refused),
        }
    }

    /// Lets it go on; how long some of its threads stood still.
    pub(crate) fn resume(self) -> Result<Span> {
        let StoppedProcess { threads, since, .. } = self;
        let mut result = Ok(());
        for thread in threads {
            result = result.and(thread.detach(0));
        }
        result.map(|()| host_clock::monotonic().saturating_since(since))
    }

    fn refuse_what_cannot_be_helped(&self) -> Result<()> {
        let attempted = || format!("trace process {}", self.id);
        // The pid can have become another's before the first thread was held, and not after.
        if ProcessId::of(self.id.pid) != Some(self.id) {
            return Err(ended(self.id));
        }
        for thread in &self.threads {
            if thread.registers()?.cs != CODE_64 {
                return Err(Error::not_applied(
                    attempted(),
                    "it runs code of 32 bits, which falseticker does not reach",
                ));
            }
        }
        match sharer(self.id)? {
            None => Ok(()),
            Some(other) => Err(Error::not_applied(
                attempted(),
                format_args!("it shares its memory with process {other}, which would run on"),
            )
            .remedy("it runs on untouched; try again when that one has ended or executed a program (vfork)")),
        }
    }
}

fn ended(id: ProcessId) -> Error {
    Error::not_applied(format_args!("stop process {id}"), "it has ended meanwhile")
}

/// The threads of a process that have not ended.
fn tids(id: ProcessId) -> Result<Vec<i32>> {
    let listing = std::fs::read_dir(format!("/proc/{}/task", id.pid)).map_err(|_| ended(id))?;
    let tids = listing.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok());
    Ok(tids.filter(|tid| !super::stopped::is_gone(id.pid, *tid)).collect())
}

/// Asks all of these threads to stop, and waits for each; one that is asleep is waited for no longer.
fn stop_all(
    id: ProcessId,
    tids: Vec<i32>,
    until: HostInstant,
    stopped: &mut Vec<Stopped>,
) -> Result<Option<i32>> {
    let mut asked = Vec::with_capacity(tids.len());
    for tid in tids {
        if seize(id, tid)? {
            asked.push(tid);
        }
    }
    for tid in asked {
        loop {
            let soon = host_clock::monotonic().saturating_add(ASLEEP_LIMIT).min(until);
            match await_stop(tid, soon).map_err(|errno| failed("stop a thread", id.pid, errno))? {
                Awaited::Stopped => stopped.push(Stopped::interrupted(id.pid, tid)),
                Awaited::Ended => {}
                Awaited::Late if is_asleep(id.pid, tid) => return Ok(Some(tid)),
                Awaited::Late if soon < until => continue,
                Awaited::Late => return Err(too_late(id.pid, tid)),
            }
            break;
        }
    }
    Ok(None)
}

fn is_asleep(pid: i32, tid: i32) -> bool {
    let mut buffer = stat::Buffer::new();
    stat::read_task(pid, tid, &mut buffer).is_some_and(|stat| stat.state == State::DISK)
}

/// A process that uses the same memory as this one: its child after vfork, or whoever was cloned so.
fn sharer(id: ProcessId) -> Result<Option<i32>> {
    let mut buffer = stat::Buffer::new();
    let parent = stat::read(id.pid, &mut buffer).map(|stat| stat.ppid);
    let near = children(id)?.into_iter().chain(parent.filter(|parent| *parent != 0));
    for other in near {
        match raw::has_same_memory(id.pid, other) {
            Ok(true) => return Ok(Some(other)),
            // It has ended, or belongs to somebody whose memory it cannot share.
            Ok(false) | Err(Errno::ESRCH | Errno::EPERM | Errno::EACCES) => {}
            // A kernel without kcmp: then the wait in vfork alone tells.
            Err(Errno::ENOSYS) => return Ok(None),
            Err(errno) => return Err(failed("compare the memory", id.pid, errno)),
        }
    }
    Ok(None)
}

/// The children of a process. The kernel lists them where it is built so (CONFIG_PROC_CHILDREN); else all are looked at.
fn children(id: ProcessId) -> Result<Vec<i32>> {
    let mut all = Vec::new();
    for tid in tids(id)? {
        let Ok(listed) = std::fs::read_to_string(format!("/proc/{}/task/{tid}/children", id.pid)) else {
            let table = Table::scan()?;
            return Ok(table.iter().filter(|other| other.ppid == id.pid).map(|other| other.id.pid).collect());
        };
        all.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    Ok(all)
}
