//! Following by ptrace, where no filter can be: each thread of the tree is traced for as long as it lives.
//!
//! What must hold: whatever the tracees stop for is let go on as it would have gone on without; a stop of a whole process
//! stays one; if this thread ends the kernel lets go of all.
//!
//! What it costs: a thread that is made some 30 µs, a signal 7 µs; and no debugger, nor a freeze of single threads, can have
//! what is traced here. Where a filter can be it is not done.

use super::super::implant;
use super::super::trace::{News, Stopped, event_message};
use super::{Charge, one};
use crate::process::ProcessId;
use crate::raw;

/// What the tracees are to be seized with: whoever they make is traced as well.
pub(crate) const OPTIONS: i32 = libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE;

/// Follows whatever the calling thread traces, with [`OPTIONS`], until nothing is left of it.
pub(crate) fn follow(charge: &Charge) {
    follow_each(charge, || charge.collected.next_of_traced());
}

/// The same, of the news that `next` waits for.
pub(crate) fn follow_each(charge: &Charge, mut next: impl FnMut() -> Option<(i32, News, i32)>) {
    while let Some((tid, news, status)) = next() {
        match news {
            News::Ended => {}
            News::Stopped { event: libc::PTRACE_EVENT_EXEC, .. } => {
                if let Ok(mut stopped) = Stopped::at_event(tid, tid, OPTIONS) {
                    one::begun(&mut stopped, tid, charge);
                    let _ = stopped.go_on_traced();
                }
            }
            News::Stopped { event: libc::PTRACE_EVENT_FORK, .. } => {
                seat_child(tid, charge);
                go_on(tid, 0);
            }
            // A new thread's first stop.
            News::Stopped { signal: libc::SIGTRAP, event: libc::PTRACE_EVENT_STOP } => go_on(tid, 0),
            News::Stopped { event: libc::PTRACE_EVENT_STOP, .. } => {
                // Without the event it is the status of a stop.
                charge.collected.push(tid, status & 0xffff);
                let _ = raw::ptrace(libc::PTRACE_LISTEN, tid, 0);
            }
            News::Stopped { signal, event: 0 } => go_on(tid, signal),
            News::Stopped { .. } => go_on(tid, 0),
        }
    }
}

/// Gives a child that was just forked a row of evidence, if it is reached as its parent is. (A child of vfork has its parent's
/// memory, and its parent's row.)
fn seat_child(parent: i32, charge: &Charge) {
    if let Some(child) = event_message(parent).and_then(ProcessId::of)
        && let Err(why) = implant::seat(&charge.node, child)
    {
        tracing::debug!(%child, %why, "it cannot be given a row of evidence");
    }
}

fn go_on(tid: i32, signal: i32) {
    let _ = raw::ptrace(libc::PTRACE_CONT, tid, usize::try_from(signal).unwrap_or(0));
}
