//! One thread that stands in a stop of ptrace's.
//!
//! What must hold: while a [`Stopped`] exists its thread runs no instruction of its program, unless it is killed, and then
//! every request says so. It stands where it returns to user mode, so that a system call which the stop has interrupted is begun
//! again by the kernel, with the registers that it finds then.

use std::marker::PhantomData;

use nix::errno::Errno;

use super::calls::Calls;
use super::request::{self, News, Registers};
use super::{failed, gone};
use crate::process::ProcessId;
use crate::raw::{self, SignalSet};
use crate::{Error, HostInstant, Result, Span, host_clock};

/// The event of a stop that PTRACE_INTERRUPT has asked for, and of a stop of the whole process.
const EVENT_STOP: i32 = libc::PTRACE_EVENT_STOP;
/// How often a stop is looked for at once, before it is slept in between.
const LOOKS_AT_ONCE: u32 = 20;
const LOOK_EVERY: Span = Span::from_nanos(30_000);
const LOOK_AT_LEAST_EVERY: Span = Span::from_millis(1);

/// A thread that is stopped and traced by the calling thread. Dropping it lets it go on.
#[derive(Debug)]
pub(crate) struct Stopped {
    tid: i32,
    /// The process that it is of, for messages.
    process: i32,
    /// The PTRACE_O_ flags that its tracer has set.
    options: i32,
    /// How many seccomp filters are on it that judge none of the calls which are made in its name.
    mild_filters: u32,
    /// Its tracer is a thread, which keeps it.
    of_this_thread: PhantomData<*const ()>,
}

impl Stopped {
    /// Takes over a thread that was seized with `options` and stands in a stop which the caller has waited for: an event of
    /// ptrace's (exec, fork, clone), not the delivery of a signal. It is led from there to where it returns to user mode: after
    /// an exec, to the new program's first instruction.
    pub(crate) fn at_event(process: i32, tid: i32, options: i32) -> Result<Stopped> {
        let stopped = Stopped { tid, process, options, mild_filters: 0, of_this_thread: PhantomData };
        stopped.settle()?;
        Ok(stopped)
    }

    /// One that stands in the stop that it was interrupted for.
    pub(super) fn interrupted(process: i32, tid: i32) -> Stopped {
        Stopped { tid, process, options: 0, mild_filters: 0, of_this_thread: PhantomData }
    }

    fn settle(&self) -> Result<()> {
        const DOING: &str = "lead a thread out of its system call";
        raw::ptrace(libc::PTRACE_INTERRUPT, self.tid, 0).map_err(|errno| self.failed(DOING, errno))?;
        self.go_on(libc::PTRACE_CONT, 0).map_err(|errno| self.failed(DOING, errno))?;
        match await_stop(self.tid, host_clock::monotonic().saturating_add(super::STOP_LIMIT)) {
            Ok(Awaited::Stopped) => Ok(()),
            Ok(Awaited::Ended) => Err(gone(self.process, DOING)),
            Ok(Awaited::Late) => Err(too_late(self.process, self.tid)),
            Err(errno) => Err(self.failed(DOING, errno)),
        }
    }

    /// So many seccomp filters are known to be on it that judge none of the calls which are made in its name.
    pub(crate) fn know_filters(&mut self, mild: u32) {
        self.mild_filters = mild;
    }

    pub(super) fn mild_filters(&self) -> u32 {
        self.mild_filters
    }

    /// Its number.
    pub(crate) fn tid(&self) -> i32 {
        self.tid
    }

    /// The process that it is of.
    pub(crate) fn process(&self) -> i32 {
        self.process
    }

    /// What it computes with.
    pub(crate) fn registers(&self) -> Result<Registers> {
        request::registers(self.tid).map_err(|errno| self.failed("read the registers", errno))
    }

    /// Sets what it computes with.
    pub(crate) fn set_registers(&mut self, registers: &Registers) -> Result<()> {
        request::set_registers(self.tid, registers).map_err(|errno| self.failed("set the registers", errno))
    }

    /// The signals that it blocks.
    pub(crate) fn signal_mask(&self) -> Result<SignalSet> {
        request::signal_mask(self.tid).map_err(|errno| self.failed("read the signal mask", errno))
    }

    /// Sets the signals that it blocks.
    pub(crate) fn set_signal_mask(&mut self, mask: SignalSet) -> Result<()> {
        request::set_signal_mask(self.tid, mask).map_err(|errno| self.failed("set the signal mask", errno))
    }

    /// Begins to make system calls in its name, at the `syscall` instruction that it has at `at`.
    pub(crate) fn calls(&mut self, at: u64) -> Result<Calls<'_>> {
        Calls::begin(self, at)
    }

    /// Lets it go on, with this signal if it is not 0.
    pub(crate) fn detach(self, signal: i32) -> Result<()> {
        let (tid, process) = (self.tid, self.process);
        std::mem::forget(self);
        match raw::ptrace(libc::PTRACE_DETACH, tid, usize::try_from(signal).unwrap_or(0)) {
            // One that was killed needs nothing any more.
            Ok(_) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(failed("let a thread go", process, errno)),
        }
    }

    /// Lets it go on, and keeps tracing it.
    pub(crate) fn go_on_traced(self) -> Result<()> {
        let went = self.go_on(libc::PTRACE_CONT, 0).map_err(|errno| self.failed("let a thread go on", errno));
        std::mem::forget(self);
        went
    }

    /// Lets it run as `how` says (PTRACE_CONT, PTRACE_SINGLESTEP); it is then stopped no more, until it has been waited for.
    pub(super) fn go_on(&self, how: u32, signal: i32) -> std::result::Result<(), Errno> {
        raw::ptrace(how, self.tid, usize::try_from(signal).unwrap_or(0)).map(drop)
    }

    /// Adds flags to those that its tracer has set, until [`Stopped::reset_options`].
    pub(super) fn add_options(&self, more: i32) -> std::result::Result<(), Errno> {
        set_options(self.tid, self.options | more)
    }

    pub(super) fn reset_options(&self) -> std::result::Result<(), Errno> {
        set_options(self.tid, self.options)
    }

    pub(super) fn failed(&self, doing: &str, errno: Errno) -> Error {
        failed(doing, self.process, errno)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = raw::ptrace(libc::PTRACE_DETACH, self.tid, 0);
    }
}

fn set_options(tid: i32, options: i32) -> std::result::Result<(), Errno> {
    raw::ptrace(libc::PTRACE_SETOPTIONS, tid, usize::try_from(options).unwrap_or(0)).map(drop)
}

/// Begins to trace a thread, and asks it to stop; false when it has ended.
pub(super) fn seize(process: ProcessId, tid: i32) -> Result<bool> {
    let told = |errno: Errno| match errno {
        Errno::ESRCH => Ok(false),
        // A thread that awaits its parent cannot be traced either.
        Errno::EPERM if is_gone(process.pid, tid) => Ok(false),
        errno => Err(failed("stop a thread", process.pid, errno)),
    };
    if let Err(errno) = raw::ptrace(libc::PTRACE_SEIZE, tid, 0) {
        return told(errno);
    }
    match raw::ptrace(libc::PTRACE_INTERRUPT, tid, 0) {
        Ok(_) => Ok(true),
        Err(errno) => told(errno),
    }
}

/// Whether a thread has ended.
pub(super) fn is_gone(pid: i32, tid: i32) -> bool {
    let mut buffer = crate::process::stat::Buffer::new();
    crate::process::stat::read_task(pid, tid, &mut buffer).is_none_or(|stat| stat.state.is_gone())
}

/// What came of waiting for a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// It stands still where it returns to user mode.
    Stopped,
    /// It has ended.
    Ended,
    /// It has not stopped.
    Late,
}

/// Waits until a thread that was interrupted stands still. A signal that it was about to take it takes first, and is stopped
/// again before its handler's first instruction.
pub(super) fn await_stop(tid: i32, until: HostInstant) -> std::result::Result<Awaited, Errno> {
    loop {
        match await_news(tid, until)? {
            None => return Ok(Awaited::Late),
            Some(News::Ended) => return Ok(Awaited::Ended),
            Some(News::Stopped { event: EVENT_STOP, .. }) => return Ok(Awaited::Stopped),
            Some(News::Stopped { signal, event }) => {
                let signal = if event == 0 { usize::try_from(signal).unwrap_or(0) } else { 0 };
                let again = raw::ptrace(libc::PTRACE_INTERRUPT, tid, 0)
                    .and_then(|_| raw::ptrace(libc::PTRACE_CONT, tid, signal));
                // One that was killed meanwhile says so in its next news.
                match again {
                    Ok(_) | Err(Errno::ESRCH) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
    }
}

/// The next news of a thread. Its stop is an event to its tracer's SIGCHLD alone, which belongs to the calling program; so it
/// is looked for, ever less often.
pub(super) fn await_news(tid: i32, until: HostInstant) -> std::result::Result<Option<News>, Errno> {
    let mut pause = LOOK_EVERY;
    for look in 0_u32.. {
        if let Some(news) = request::news(tid)? {
            return Ok(Some(news));
        }
        if look < LOOKS_AT_ONCE {
            std::hint::spin_loop();
            continue;
        }
        if host_clock::monotonic() >= until {
            break;
        }
        host_clock::sleep(pause);
        pause = Span::from_nanos(pause.as_nanos().saturating_mul(2)).min(LOOK_AT_LEAST_EVERY);
    }
    Ok(None)
}

/// A thread that did not stop in time.
pub(super) fn too_late(process: i32, tid: i32) -> Error {
    let mut buffer = crate::process::stat::Buffer::new();
    let state = crate::process::stat::read_task(process, tid, &mut buffer).map(|stat| stat.state);
    let why = match state {
        Some(state) => format!("thread {tid} has not stopped in time, and is in state {state}"),
        None => format!("thread {tid} has ended without a word"),
    };
    Error::not_applied(format_args!("stop process {process}"), why)
        .remedy("it runs on untouched; try again later")
}
