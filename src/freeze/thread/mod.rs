//! Freezing some threads, while the rest of their process runs: a stalled worker, a collector that stops the mutators.
//!
//! A holder, the guard of this kind of freeze, traces each thread (PTRACE_SEIZE), interrupts it, and lets it stand in
//! that stop; so the kernel lets go of all of them the moment the holder dies. Signals that are sent to a held thread
//! wait; SIGKILL ends it. A thread that holds a lock of its program keeps the others waiting for it, as in real life; and
//! a Go program stops as a whole at its next garbage collection.
//!
//! What must hold: the holder, and nobody else, traces; a thread is told from a later one of its number by its start.
//!
//! Source: ptrace(2).

mod pattern;

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::path::Path;
use std::sync::atomic::Ordering;

use nix::errno::Errno;

pub use pattern::ThreadPattern;

use super::debugged;
use super::freezer::{Freezer, Members};
use super::hold::Hold;
use super::ledger::{Entry, Held, NO_ORIGIN};
use super::means::Means;
use super::node_in;
use crate::process::{ProcessId, stat};
use crate::{Error, HostInstant, Result, Span, host_clock, raw};

/// How long between two looks at whether the freeze may go on, while nothing happens.
const LOOK_EVERY: Span = Span::from_millis(20);
/// How many names of threads an error shows.
const NAMED: usize = 20;

/// Freezes threads; undone by the kernel, when the holder lets go or dies.
#[derive(Clone, Debug)]
pub(super) struct ThreadFreezer {
    patterns: Vec<ThreadPattern>,
}

impl ThreadFreezer {
    /// For the threads that one of the patterns names; for all if there is none.
    pub(super) fn new(patterns: Vec<ThreadPattern>) -> Self {
        ThreadFreezer { patterns }
    }

    fn means_thread(&self, thread: &Thread) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|one| one.matches(thread.id.pid, &thread.name))
    }
}

impl Freezer for ThreadFreezer {
    fn means(&self) -> Means {
        Means::Thread
    }

    fn check(&self, dir: &Path, processes: &[ProcessId]) -> Result<()> {
        let living = processes.iter().filter(|id| id.is_alive());
        let all: Vec<Thread> = living.flat_map(|id| threads(*id)).collect();
        if all.iter().any(|thread| self.means_thread(thread)) {
            Ok(())
        } else {
            Err(self.no_match(&all, dir))
        }
    }

    fn freeze(&self, members: &dyn Members, hold: &mut Hold, deadline: HostInstant) -> Result<()> {
        let mut seen = Seen::default();
        loop {
            hold.may_go_on()?;
            let mut processes = members.members()?;
            processes.retain(|id| id.is_alive() && !hold.spares(*id));
            let all: Vec<Thread> = processes.iter().flat_map(|id| threads(*id)).collect();
            let meant: Vec<&Thread> = all.iter().filter(|thread| self.means_thread(thread)).collect();
            if seen.threads.is_empty() && meant.is_empty() && !all.is_empty() {
                return Err(self.no_match(&all, hold.dir()));
            }
            let new: Vec<&Thread> =
                meant.into_iter().filter(|thread| seen.threads.insert(thread.id)).collect();
            if new.is_empty() {
                return Ok(());
            }
            let processes: BTreeSet<ProcessId> = new.iter().map(|new| new.process).collect();
            debugged::refuse(hold.dir(), &processes.into_iter().collect::<Vec<_>>())?;
            let held = new.into_iter().filter_map(|thread| seen.examine(thread, hold, deadline).transpose());
            let held: Vec<Held> = held.collect::<Result<_>>()?;
            let first = hold.enter(&held, deadline)?;
            hold.guards.ring();
            wait_for_all(hold, first, deadline)?;
            if host_clock::monotonic() >= deadline {
                return Err(too_late("new threads appear faster than they can be held"));
            }
        }
    }
}

/// What a freeze has come across so far.
#[derive(Default)]
struct Seen {
    threads: BTreeSet<ProcessId>,
    /// Whether the process had been stopped by somebody else.
    processes: BTreeMap<ProcessId, bool>,
}

impl Seen {
    /// What is to be written down of a thread; nothing if its process was found stopped, which is written down once.
    fn examine(&mut self, thread: &Thread, hold: &Hold, deadline: HostInstant) -> Result<Option<Held>> {
        Ok(match self.processes.entry(thread.process) {
            btree_map::Entry::Occupied(seen) => (!seen.get()).then(|| thread.to_be_held()),
            btree_map::Entry::Vacant(unseen) => {
                let found = hold.found_stopped(thread.process, deadline)?;
                let is_found = *unseen.insert(found == Some(true));
                let held = if is_found { Held::process(thread.process) } else { thread.to_be_held() };
                Some(Held { is_found, ..held })
            }
        })
    }
}

impl ThreadFreezer {
    fn no_match(&self, all: &[Thread], dir: &Path) -> Error {
        let mut names: Vec<&str> = all.iter().map(|thread| thread.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let more = if names.len() > NAMED { ", ..." } else { "" };
        names.truncate(NAMED);
        let patterns: Vec<String> = self.patterns.iter().map(ToString::to_string).collect();
        let why = format!(
            "none of its threads is called {}; they are called {}{more}",
            patterns.join(" or "),
            names.join(", ")
        );
        Error::not_applied(format_args!("hold threads of {}", node_in(dir)), why)
            .remedy("ps -L shows threads and names; of a name the kernel keeps 15 bytes")
    }
}

/// A thread of a process.
struct Thread {
    process: ProcessId,
    /// Its number and start.
    id: ProcessId,
    name: String,
}

impl Thread {
    fn to_be_held(&self) -> Held {
        let id = ProcessId { pid: self.process.pid, start_ticks: self.id.start_ticks };
        Held { id, tid: self.id.pid, is_found: false, origin: NO_ORIGIN }
    }
}

fn threads(process: ProcessId) -> Vec<Thread> {
    let pid = process.pid;
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let tids = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse::<i32>().ok());
    tids.filter_map(|tid| {
        let mut buffer = stat::Buffer::new();
        let stat = stat::read_task(pid, tid, &mut buffer).filter(|stat| !stat.state.is_gone())?;
        let name = String::from_utf8_lossy(stat.comm).into_owned();
        // The shim's own thread follows the clock for the others, and holds nothing of the program.
        (stat.comm != b"falseticker").then_some(Thread { process, id: stat.id(), name })
    })
    .collect()
}

/// Waits until the holder has said of each entry from `first` on that it is held, or why not.
fn wait_for_all(hold: &Hold, first: usize, deadline: HostInstant) -> Result<()> {
    let shared = hold.ledger.shared();
    loop {
        let seen = shared.progress.load(Ordering::SeqCst);
        let news = shared.entries().get(first..).unwrap_or(&[]);
        let errno = |entry: &Entry| entry.errno.load(Ordering::SeqCst);
        if let Some(entry) = news.iter().find(|entry| !matches!(errno(entry), 0 | libc::ESRCH)) {
            return Err(not_held(entry, Errno::from_raw(errno(entry))));
        }
        let waits = |entry: &&Entry| !entry.is_found() && errno(entry) == 0 && entry.confirmed().is_none();
        let waiting = news.iter().find(waits);
        let Some(waiting) = waiting else { return Ok(()) };
        hold.may_go_on()?;
        if host_clock::monotonic() >= deadline {
            let mut buffer = stat::Buffer::new();
            let state = stat::read_task(waiting.id().pid, waiting.tid(), &mut buffer).map(|stat| stat.state);
            let state = state.map_or("gone".to_owned(), |state| format!("in state {state}"));
            return Err(too_late(format_args!(
                "thread {} of process {} is still {state}",
                waiting.tid(),
                waiting.id()
            )));
        }
        raw::futex_wait(&shared.progress, seen, LOOK_EVERY.as_nanos());
    }
}

fn not_held(entry: &Entry, errno: Errno) -> Error {
    let attempted = format!("hold thread {} of process {}", entry.tid(), entry.id());
    let error = Error::not_applied(attempted, errno.desc());
    match errno {
        Errno::EPERM => error.remedy(
            "another process may trace it (see TracerPid in /proc/PID/status), or tracing is not allowed: run falseticker \
             as root, or set kernel.yama.ptrace_scope to 0",
        ),
        _ => error,
    }
}

fn too_late(why: impl std::fmt::Display) -> Error {
    Error::not_applied("hold the threads", why)
        .remedy("all of them run again; wait until the machine is less busy, and try again")
}
