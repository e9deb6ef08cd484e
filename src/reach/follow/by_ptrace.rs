//! Following by ptrace, where no filter can be: each thread of the tree is traced for as long as it lives.
//!
//! What must hold: whatever the tracees stop for is let go on as it would have gone on without; a stop of a whole process
//! stays one; if this thread ends the kernel lets go of all.
//!
//! What it costs: a thread that is made some 30 µs, a signal 7 µs; and no debugger, nor a freeze of single threads, can have
//! what is traced here. Where a filter can be it is not done.

use super::super::trace::{News, Stopped, news_of_any};
use super::{Charge, one};
use crate::raw;

/// What the tracees are to be seized with: whoever they make is traced as well.
pub(crate) const OPTIONS: i32 = libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE;

/// Follows whatever the calling thread traces, with [`OPTIONS`], until nothing is left of it.
pub(crate) fn follow(charge: &Charge) {
    while let Ok(Some((tid, news, status))) = news_of_any() {
        match news {
            News::Ended => charge.collected.push(tid, status),
            News::Stopped { event: libc::PTRACE_EVENT_EXEC, .. } => {
                if let Ok(mut stopped) = Stopped::at_event(tid, tid, OPTIONS) {
                    one::begun(&mut stopped, tid, charge);
                    let _ = stopped.go_on_traced();
                }
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

fn go_on(tid: i32, signal: i32) {
    let _ = raw::ptrace(libc::PTRACE_CONT, tid, usize::try_from(signal).unwrap_or(0));
}
