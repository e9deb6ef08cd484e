//! What the guard of a freeze of threads does besides watching: it traces them, and so holds them.
//!
//! What must hold: as for all guards, raw system calls alone. A thread is entered as held when the kernel has reported
//! its stop. A signal that a thread was about to take when it was to be held is given to it first: so none is lost if this
//! process is killed.
//!
//! Source: ptrace(2). PTRACE_INTERRUPT is consumed by whatever stop comes first: then that one holds the thread.

use std::sync::atomic::Ordering;

use nix::errno::Errno;

use crate::freeze::ledger::{Entry, Phase, Shared};
use crate::process::stat;
use crate::raw::News;
use crate::{HostInstant, host_clock, raw};

/// In a status, above the signal: the stop is one of ptrace's own, and no signal is on its way.
const EVENT_SHIFT: i32 = 8;

/// A holder's account: how many entries it has seen to, and where it has last found one.
#[derive(Default)]
pub(super) struct Holder {
    taken: usize,
    found: usize,
}

impl Holder {
    /// Traces and interrupts whoever was entered since the last time.
    pub(super) fn take_new(&mut self, ledger: &Shared) {
        let entries = ledger.entries();
        for entry in entries.iter().skip(self.taken) {
            if ledger.phase() != Phase::Freezing {
                return;
            }
            self.taken += 1;
            if entry.is_found() {
                continue;
            }
            entry.set_stop_sent(host_clock::monotonic());
            if let Err(errno) = seize(entry) {
                entry.errno.store(errno as i32, Ordering::SeqCst);
                tell(ledger);
            }
        }
    }

    /// Hears what has become of traced threads.
    pub(super) fn hear(&mut self, ledger: &Shared) {
        while let Ok(Some(news)) = raw::news_of_any() {
            let now = host_clock::monotonic();
            if news.is_stopped && news.status >> EVENT_SHIFT == 0 && pass_on(&news).is_ok() {
                continue;
            }
            let _ = raw::wait(news.tid, libc::WNOHANG);
            let entries = ledger.entries();
            // They stop about in the order in which they were interrupted.
            let (before, after) = entries.split_at(self.found.min(entries.len()));
            let mut all = after.iter().chain(before).enumerate();
            if let Some((steps, entry)) = all.find(|(_, entry)| entry.tid() == news.tid) {
                self.found = (self.found + steps) % entries.len().max(1);
                note(entry, &news, now);
            }
            tell(ledger);
        }
    }

    /// Lets go of all.
    pub(super) fn let_go(&self, ledger: &Shared) {
        for entry in ledger.entries().iter().take(self.taken).filter(|entry| !entry.is_found()) {
            if entry.confirmed().is_some() {
                entry.resume_now();
            }
            // One that has not stopped yet cannot be let go of; the end of this process does it.
            let _ = raw::ptrace(libc::PTRACE_DETACH, entry.tid(), 0);
        }
    }
}

fn seize(entry: &Entry) -> Result<(), Errno> {
    raw::ptrace(libc::PTRACE_SEIZE, entry.tid(), 0)?;
    // Only now can the number not become another thread's.
    let mut buffer = stat::Buffer::new();
    let stat = stat::read_task(entry.id().pid, entry.tid(), &mut buffer);
    if stat.is_none_or(|stat| stat.start_ticks != entry.id().start_ticks) {
        // It was never stopped, so that it cannot be detached; it runs on, and this process will not wait for it.
        return Err(Errno::ESRCH);
    }
    raw::ptrace(libc::PTRACE_INTERRUPT, entry.tid(), 0).map(drop)
}

/// Gives a thread the signal that it was about to take when it was to be held, and holds it behind that, before it can
/// run. The stop is not collected: were this process killed just then, the kernel would give the signal all the same.
fn pass_on(news: &News) -> Result<(), Errno> {
    raw::ptrace(libc::PTRACE_INTERRUPT, news.tid, 0)?;
    let signal = usize::try_from(news.status).unwrap_or(0);
    raw::ptrace(libc::PTRACE_CONT, news.tid, signal).map(drop)
}

fn note(entry: &Entry, news: &News, now: HostInstant) {
    if entry.confirmed().is_some() {
        return;
    }
    if news.is_stopped {
        entry.set_confirmed(now);
    } else {
        entry.errno.store(libc::ESRCH, Ordering::SeqCst);
    }
}

fn tell(ledger: &Shared) {
    ledger.progress.fetch_add(1, Ordering::SeqCst);
    raw::futex_wake_all(ledger.progress.as_ptr());
}
