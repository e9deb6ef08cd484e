//! An armed trap: the thread that reads the clock, or connects, is held right there.
//!
//! What must hold:
//! 1. While none is armed nothing here is reached but by one look at a word, and that on the cold way alone.
//! 2. A thread is held by a futex with a deadline of the host's that was copied once and is capped: it ends though every
//!    tool is dead, whatever the page says later, and however many handlers run meanwhile.
//! 3. Async-signal-safe: no lock, no memory but this frame, `errno` as it was. A handler that interrupts a held thread runs,
//!    and may be held in turn. Nothing here is a cancellation point, and nothing is held that a jump out would leave.
//! 4. The shim's own looks at a clock go by [`host_instant`] and never come here.
//!
//! What breaks it: a sandbox without futex or gettid. Where it refuses, the thread goes on and the record says so; where it
//! kills, it kills.
#![allow(unsafe_code)]
// Sound because the kernel reads words of mappings that are never unmapped, and a live timespec.

use core::sync::atomic::{AtomicU32, Ordering};

use falseticker_page::layout::{Clock, Page};
use falseticker_page::time::{HostInstant, Span};
use falseticker_page::trap::{Firing, On, Trap, TrapLog};

use crate::abi::{Timespec, clock};
use crate::load;
use crate::read::host_instant;
use crate::state::STATE;
use crate::sys::{self, errno, futex, nr};

/// Whether reads of this clock are counted, so that none of them may take the fast way.
pub fn is_armed_for(page: &Page, clock: Clock, now: HostInstant) -> bool {
    page.header.trap.armed(now).is_some_and(|trap| waits_for(trap.on, clock))
}

fn waits_for(on: On, clock: Clock) -> bool {
    matches!((on, clock), (On::Wall, Clock::Wall) | (On::Mono, Clock::Mono))
}

/// Counts a read of this clock whose value stands where the program wanted it, and holds the thread if it is the one.
pub fn after_read(clock: Clock, now: HostInstant) {
    let Some(page) = STATE.page() else { return };
    if page.header.trap.id() != 0
        && let Some(trap) = page.header.trap.armed(now)
        && waits_for(trap.on, clock)
        && page.check().is_ok()
    {
        count(page, &trap);
    }
}

/// The longest that a connection waits for its fault.
const LONGEST_CONNECT: Span = Span::from_secs(1);

/// What is armed for connections; `None` for nothing, which is one look at a word.
pub fn armed_for_connect() -> Option<(&'static Page, Trap, u16)> {
    load::ensure();
    let page = STATE.page().filter(|page| page.header.trap.id() != 0 && page.check().is_ok())?;
    let trap = page.header.trap.armed(host_instant(clock::MONOTONIC)?)?;
    match trap.on {
        On::Connect(port) => Some((page, Trap { hold: trap.hold.min(LONGEST_CONNECT), ..trap }, port)),
        _ => None,
    }
}

/// Counts what was waited for, and holds the thread if it is the one.
#[cold]
#[inline(never)]
pub fn count(page: &Page, trap: &Trap) {
    let Some(log) = STATE.evidence().map(|evidence| &evidence.traps) else { return };
    let Some(ticket) = log.ticket(trap.id).filter(|ticket| trap.pick.picks(*ticket)) else { return };
    let Some(at) = host_instant(clock::MONOTONIC) else { return };
    let Some(index) = log.claim(trap.id, trap.count) else { return };
    let until = at.saturating_add(trap.hold);
    let firing = Firing {
        // Asked of the kernel: after vfork what this process remembers is its parent's.
        pid: sys::getpid().unsigned_abs(),
        tid: sys::thread::id(),
        namespace: load::namespace(),
        ticket,
        at,
        until,
        ended: None,
        refused: None,
    };
    log.record(trap.id, index, &firing);
    tell(log);
    let refused = hold(&page.header.trap.release, trap.release, until).err();
    let ended = host_instant(clock::MONOTONIC).unwrap_or(until);
    log.end(trap.id, index, ended, refused.map(i32::unsigned_abs));
    tell(log);
}

/// Wakes the controller.
fn tell(log: &TrapLog) {
    futex::wake(log.changed.as_ptr() as usize, 0);
}

/// Sleeps until the word changes or it is time; an error number where the kernel will not have it.
fn hold(word: &AtomicU32, held_by: u32, until: HostInstant) -> Result<(), i32> {
    let (sec, nsec) = until.split();
    let until = Timespec { sec, nsec: i64::from(nsec) };
    while word.load(Ordering::Acquire) == held_by {
        let (word, until) = (word.as_ptr() as usize, (&raw const until) as usize);
        // SAFETY: the kernel reads a word of the page, if it can, and a live timespec.
        let slept = unsafe {
            sys::syscall6(nr::FUTEX, word, futex::WAIT_BITSET, held_by as usize, until, 0, futex::ANY)
        };
        match -slept as i32 {
            // Woken, by whomever; or a handler has run. The same deadline again.
            0 | errno::EINTR => {}
            errno::ETIMEDOUT | errno::EAGAIN => return Ok(()),
            refused => return Err(refused),
        }
    }
    Ok(())
}
