//! Timers that are armed in the kernel on a clock that a fault may touch: they expire when the node's clock shows their time, and
//! are armed anew when the schedule changes, while the program is at something else.
//!
//! An absolute timer on CLOCK_REALTIME is the wall clock's; lengths of time are the monotonic clock's, and so touched only in nodes
//! where that may be faulted. [`set`] translates, [`update`] moves, [`left`] translates back; the [`book`] knows what was asked for.
//!
//! What must hold:
//! 1. Before a timer is moved the kernel's is looked at: if it is not where it was left, somebody else has set it (its
//!    descriptor was closed and is another's, a child shares it), and it is left alone. It becomes nobody else's before it is
//!    set ([`numbers`]).
//! 2. Expiries that nobody has read are not taken away: setting a descriptor's timer forgets them, so it is moved once they are
//!    read. One that is due before the change takes effect is left to come.
//! 3. Intervals keep their phase in the node's time, and expiries that a step leaps over are counted, as the kernel does it for a
//!    clock that is stepped: in several readings, if the kernel's clock has not run for as long as the node's has leapt.

pub mod book;
pub mod kernel;
mod numbers;
mod phase;
mod update;

pub use numbers::while_none_is_moved;
pub use update::{Next, update_all};

use core::sync::atomic::{AtomicUsize, Ordering};

use falseticker_page::layout::{Clock, Page};
use falseticker_page::time::{HostInstant, NodeInstant, Span};

use crate::abi::{Timespec, clock};
use crate::read::host_instant;
use crate::state::STATE;
use crate::sys;
use crate::wait::due::{self, Deadline};
use crate::wait::{helper, relative};
use book::{Entry, Held};
use kernel::{ABSOLUTE, CANCEL_ON_SET, Kind, Setting};

/// How many timers have been cancelled by a step, and their readers not told.
static CANCELED: AtomicUsize = AtomicUsize::new(0);

/// The schedule by which a timer of this clock goes, and the page; `None` where no fault touches it.
fn schedule(id: i32, flags: usize) -> Option<(&'static Page, Clock)> {
    let page = STATE.page().filter(|page| page.check().is_ok())?;
    let clock = match id {
        clock::REALTIME | clock::REALTIME_ALARM | clock::TAI if flags & ABSOLUTE != 0 => Clock::Wall,
        // The kernel measures lengths of time by CLOCK_MONOTONIC, whatever steps the wall clock makes.
        clock::REALTIME | clock::REALTIME_ALARM | clock::TAI | clock::MONOTONIC if page.monotonic() => {
            Clock::Mono
        }
        clock::BOOTTIME | clock::BOOTTIME_ALARM if page.monotonic() => Clock::Boot,
        _ => return None,
    };
    Some((page, clock))
}

/// Whether a timer of this clock, set with these flags, goes by the node's time.
pub fn is_ours(id: i32, flags: usize) -> bool {
    schedule(id, flags).is_some()
}

/// What is to become of a setting.
pub enum Course {
    /// It is set in the node's time.
    Ours,
    /// It is the kernel's, as the caller gave it.
    Straight,
}

/// Sets a timer on the kernel's clock `id`, with signals blocked: in the node's time, if that is ours, and else nothing is done
/// but to forget what was there.
///
/// # Errors
/// What the kernel answers.
pub fn set(held: Held, id: i32, flags: usize, to: &Setting) -> Result<Course, i32> {
    let entry = held.entry;
    forget_cancellation(entry);
    let is_nothing = to.value.sec == 0 && to.value.nsec == 0;
    let valid = relative::span(to.value).zip(relative::span(to.interval));
    let (Some((page, clock)), Some((value, every)), false) = (schedule(id, flags), valid, is_nothing) else {
        return Ok(Course::Straight);
    };
    let Some(now) = host_instant(clock::MONOTONIC) else { return Ok(Course::Straight) };
    let target = if flags & ABSOLUTE != 0 {
        let ahead = if id == clock::TAI { due::tai_ahead(page).unwrap_or(Span::ZERO) } else { Span::ZERO };
        NodeInstant::from_nanos(value.as_nanos()).saturating_add(ahead.saturating_neg())
    } else {
        match due::shown(page, clock, now) {
            Some(shown) => shown.saturating_add(value),
            None => return Ok(Course::Straight),
        }
    };
    entry.clock.store(id as u32 + 1, Ordering::Relaxed);
    entry.schedule.store(clock as u32, Ordering::Relaxed);
    entry.flags.store(flags as u32, Ordering::Relaxed);
    entry.every.store(every.as_nanos(), Ordering::Relaxed);
    if is_cancelable(entry) {
        ATTENTION.store(1, Ordering::Release);
    }
    entry.seen.store(now.as_nanos(), Ordering::Relaxed);
    let Some(due) = deadline(clock, target, now).due(page) else { return Ok(Course::Straight) };
    update::arm(entry, page, target, &due)?;
    let there = helper::is_there();
    held.arm();
    // A change that came meanwhile may have been seen by the helper before this timer was there for it to see.
    let is_late = page.header.word.load(Ordering::Acquire) != due.word;
    let next = if is_late { update::update(entry, page) } else { update::next_turn(entry, &due) };
    if there && next != Next::Change {
        helper::wake(page);
    }
    Ok(Course::Ours)
}

/// What is left until the next expiry and the interval, in the node's time; `None` for a timer that is not ours.
pub fn left(entry: &Entry) -> Option<Setting> {
    let page = STATE.page().filter(|_| entry.is_armed())?;
    // A handler that came in between and set the timer would wait for this.
    sys::thread::with_signals_blocked(|| {
        let _update = entry.update_in_turn()?;
        let seen = phase::Seen::look(entry.kind(), entry.id.load(Ordering::Relaxed), own_clock(entry))?;
        let interval = timespec(Span::from_nanos(entry.every.load(Ordering::Relaxed)));
        if seen.is_over() {
            return Some(Setting { interval, value: Timespec::default() });
        }
        let target = phase::next_target(entry, &seen)?;
        let now = host_instant(clock::MONOTONIC)?;
        let shown = due::shown(page, clock_of(entry), now)?;
        // Of those that are over, and not told of yet, nothing is left.
        let target = phase::next_after(target, Span::from_nanos(entry.every.load(Ordering::Relaxed)), shown);
        // A timer that is armed never shows zero.
        let value = timespec(target.saturating_since(shown).max(Span::from_nanos(1)));
        Some(Setting { interval, value })
    })
}

/// Not 0: there was ever a timer whose reads may fail, or one that is shared with a parent.
static ATTENTION: AtomicUsize = AtomicUsize::new(0);

/// Before a read of a descriptor: whether it is nobody's but the real function's. A timer that is first set so by another
/// thread while it is read expires once instead.
#[inline(always)]
pub fn is_nothing_cancelable() -> bool {
    ATTENTION.load(Ordering::Relaxed) == 0
}

/// After a read of a descriptor: whether it is to fail with ECANCELED, since the clock was set. The timer is then armed again.
#[inline(always)]
pub fn is_canceled(descriptor: i32) -> bool {
    CANCELED.load(Ordering::Acquire) != 0 && was_canceled(descriptor)
}

#[cold]
fn was_canceled(descriptor: i32) -> bool {
    let Some(entry) = book::descriptor(descriptor) else { return false };
    // Who has closed it without reading it may have something else there by now.
    if !forget_cancellation(entry) || kernel::look(Kind::Descriptor, descriptor).is_err() {
        return false;
    }
    sys::thread::with_signals_blocked(|| {
        let held = entry.hold();
        let target = NodeInstant::from_nanos(entry.target.load(Ordering::Relaxed));
        let since = host_instant(clock::MONOTONIC);
        let due = STATE.page().zip(since).and_then(|(page, since)| {
            let due = deadline(clock_of(entry), target, since).due(page)?;
            update::arm(entry, page, target, &due).ok().map(|()| (page, due))
        });
        held.arm();
        if let Some((page, due)) = due
            && update::next_turn(entry, &due) != Next::Change
        {
            helper::wake(page);
        }
    });
    true
}

/// A descriptor is new, or another's: of what was there before nothing is known.
pub fn begin_anew(entry: &'static Entry, clock: u32) {
    sys::thread::with_signals_blocked(|| {
        let held = entry.hold();
        forget_cancellation(entry);
        held.entry.clock.store(clock, Ordering::Relaxed);
    });
}

fn forget_cancellation(entry: &Entry) -> bool {
    let was = entry.canceled.swap(0, Ordering::AcqRel) != 0;
    if was {
        CANCELED.fetch_sub(1, Ordering::AcqRel);
    }
    was
}

/// Not 0: this is a forked child, and nobody watches over the timers that it shares with its parent.
static INHERITED: AtomicUsize = AtomicUsize::new(0);

/// In a forked child: its descriptors are timers of its own too. A helper for them is made when it waits for something: most
/// children do no more than to become another program.
pub fn settle_in_child() {
    numbers::settle_in_child();
    let any = book::settle_in_child();
    INHERITED.store(any.into(), Ordering::Relaxed);
    if any {
        ATTENTION.store(1, Ordering::Relaxed);
    }
}

/// Before a wait: whoever may wait for a timer that its parent has armed has a helper for it.
#[inline(always)]
pub fn watch_over_inherited() {
    if INHERITED.load(Ordering::Relaxed) != 0 {
        watch();
    }
}

#[cold]
fn watch() {
    INHERITED.store(0, Ordering::Relaxed);
    helper::is_there();
}

/// What an entry holds of a descriptor is also of another one that was made of it.
pub fn copy(from: i32, to: i32) {
    let Some(old) =
        book::descriptor(from).filter(|old| old.is_armed() || old.clock.load(Ordering::Relaxed) != 0)
    else {
        // What was there before is closed.
        if let Some(entry) = book::descriptor(to) {
            begin_anew(entry, 0);
        }
        return;
    };
    let Some(new) = book::descriptor_or_new(to).filter(|_| from != to) else { return };
    sys::thread::with_signals_blocked(|| {
        let held = new.hold();
        forget_cancellation(new);
        for (word, was) in [(&new.target, &old.target), (&new.every, &old.every), (&new.told, &old.told)] {
            word.store(was.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        new.told_every.store(old.told_every.load(Ordering::Relaxed), Ordering::Relaxed);
        new.seen.store(old.seen.load(Ordering::Relaxed), Ordering::Relaxed);
        for (word, was) in
            [(&new.clock, &old.clock), (&new.schedule, &old.schedule), (&new.flags, &old.flags)]
        {
            word.store(was.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        for (word, was) in [(&new.on_true, &old.on_true), (&new.owes, &old.owes)] {
            word.store(was.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        held.is(Kind::Descriptor, to);
        if old.is_armed() {
            held.arm();
        }
    });
}

fn clock_of(entry: &Entry) -> Clock {
    match entry.schedule.load(Ordering::Relaxed) {
        0 => Clock::Wall,
        1 => Clock::Mono,
        _ => Clock::Boot,
    }
}

/// The host's clock by which the kernel has a timer, as far as it matters.
fn own_clock(entry: &Entry) -> i32 {
    if entry.on_true.load(Ordering::Relaxed) != 0 { due::host_id(clock_of(entry)) } else { clock::MONOTONIC }
}

fn timespec(span: Span) -> Timespec {
    let (sec, nsec) = span.split();
    Timespec { sec, nsec: i64::from(nsec) }
}

fn instant(nanos: &core::sync::atomic::AtomicI64) -> HostInstant {
    HostInstant::from_nanos(nanos.load(Ordering::Relaxed))
}

fn deadline(clock: Clock, target: NodeInstant, since: HostInstant) -> Deadline {
    Deadline { clock, target, since }
}

/// Whether a timer's reads are to fail when the clock is set.
fn is_cancelable(entry: &Entry) -> bool {
    entry.flags.load(Ordering::Relaxed) as usize & CANCEL_ON_SET != 0 && entry.kind() == Kind::Descriptor
}
