//! Processes that are held by ptrace(2): their registers, their memory, and system calls made in their name.
//!
//! Both ways into a program without the shim go through here: at its exec, and while it runs. State is in the types: only
//! a [`Stopped`] thread has registers, only a [`StoppedProcess`] has memory that nobody else changes, and dropping either lets
//! it go.
//!
//! What must hold:
//! 1. The thread that began to trace makes every request; so whatever traces runs in a thread of its own
//!    ([`in_own_thread`]), whose end lets go of all, of threads too that have not stopped yet and could not be let go of
//!    otherwise.
//! 2. Every wait for a stop is bounded.
//! 3. No signal that the program was to get is lost, and none that a stop makes is seen by it. A process that was stopped
//!    (SIGSTOP, a freeze) is stopped afterwards.
//! 4. A thread is told from a later one of its number by its start.
//!
//! What breaks it: another thread of the calling program that waits for any child, and so takes the news of a stop away.
//!
//! Source: ptrace(2). PTRACE_INTERRUPT is consumed by whatever stop comes first; it is then made again.

mod admit;
mod calls;
mod memory;
mod process;
mod request;
mod rseq;
mod stopped;
mod vdso;

#[cfg(test)]
mod tests;

pub(crate) use admit::{admit, not_permitted, refuse_traced};
pub(crate) use calls::{Calls, filters_of};
pub(crate) use memory::{Memory, View};
pub(crate) use process::{Stop, StoppedProcess};
pub(crate) use request::{News, await_news, event_message, news_now, news_of_any};
pub(crate) use stopped::Stopped;
pub(crate) use vdso::Vdso;

use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;

use crate::raw::SignalSet;
use crate::{Error, Result, Span, host_clock, raw};

/// How long a thread may take to stop. A process that waits for a processor takes tens of milliseconds.
const STOP_LIMIT: Span = Span::from_secs(2);

/// Runs what traces in a thread of its own, at whose end the kernel lets go of whatever it has traced. Meanwhile signals wait,
/// in it and in the calling thread: an end by one of them could come while a thread has registers that are not its own.
pub(crate) fn in_own_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let refused = |why: &dyn std::fmt::Display| Error::not_applied("start a thread that traces", why);
    let before = raw::block_signals(SignalSet::MAX);
    let tracer = AtomicI32::new(0);
    let done = std::thread::scope(|scope| {
        let traces = std::thread::Builder::new().name("ft-trace".to_owned()).spawn_scoped(scope, || {
            tracer.store(nix::unistd::gettid().as_raw(), Ordering::Relaxed);
            // It sleeps shortly between two looks at a thread that is to stop, and meanwhile others stand still.
            let _ = nix::sys::prctl::set_timerslack(1);
            raw::come_first();
            work()
        });
        let traces =
            traces.map_err(|why| refused(&why).remedy("raise the limit on processes (ulimit -u)"))?;
        traces.join().unwrap_or_else(|_| Err(refused(&"it has panicked")))
    });
    raw::block_signals(before);
    until_gone(tracer.into_inner());
    done
}

/// Waits until a thread of this process that was joined has gone, and with it its hold on what it traced: joining ends a little earlier.
fn until_gone(tid: i32) {
    let task = format!("/proc/self/task/{tid}");
    let until = host_clock::monotonic().saturating_add(STOP_LIMIT);
    while tid != 0 && std::path::Path::new(&task).exists() && host_clock::monotonic() < until {
        host_clock::sleep(Span::from_nanos(20_000));
    }
}

/// A request of ptrace's that failed on a process.
fn failed(doing: &str, process: i32, errno: Errno) -> Error {
    let attempted = format!("{doing} of process {process}");
    match errno {
        Errno::ESRCH => gone(process, &attempted),
        Errno::EPERM => admit::not_permitted(process, &attempted),
        errno => Error::not_applied(attempted, errno.desc()),
    }
}

/// The process has ended while it was held.
fn gone(process: i32, attempted: &str) -> Error {
    Error::not_applied(attempted, format_args!("process {process} has ended meanwhile"))
}
