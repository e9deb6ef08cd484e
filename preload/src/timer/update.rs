//! Arming a timer by the schedule as it is, and moving it when that has changed.

use core::sync::atomic::Ordering;

use falseticker_page::layout::Page;
use falseticker_page::time::{HostInstant, NodeInstant, Span};

use super::book::{self, Entry};
use super::kernel::{self, ABSOLUTE, CANCEL_ON_SET, Kind, Setting};
use super::{CANCELED, clock_of, deadline, instant, is_cancelable, own_clock, phase, timespec};
use crate::abi::{Timespec, clock};
use crate::wait::due::{self, Due};

/// When timers are to be looked at again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// When the schedule changes.
    Change,
    /// At this instant: a piece of the schedule ends.
    At(HostInstant),
    /// Soon: a timer could not be moved yet.
    Soon,
}

impl Next {
    fn sooner(self, other: Next) -> Next {
        match (self, other) {
            (Next::Soon, _) | (_, Next::Soon) => Next::Soon,
            (Next::At(one), Next::At(two)) => Next::At(one.min(two)),
            (Next::Change, other) => other,
            (one, Next::Change) => one,
        }
    }
}

/// Moves every timer to where the schedule has it now.
pub fn update_all(page: &Page) -> Next {
    book::all().map(|entry| update(entry, page)).fold(Next::Change, Next::sooner)
}

/// Moves a timer, if it is armed and nobody sets it.
pub fn update(entry: &Entry, page: &Page) -> Next {
    let Some(_update) = entry.update() else { return Next::Change };
    let (kind, id) = (entry.kind(), entry.id.load(Ordering::Relaxed));
    if entry.canceled.load(Ordering::Acquire) != 0 {
        return Next::Change;
    }
    let Some(seen) = phase::Seen::look(kind, id, own_clock(entry)) else { return forget(entry) };
    let Some(now) = phase::now() else { return Next::Soon };
    let target = phase::next_target(entry, &seen).or_else(|| {
        let sought = !seen.is_over() && kind == Kind::Descriptor;
        sought.then(|| phase::found_by_schedule(entry, page, clock_of(entry), &seen)).flatten()
    });
    if is_cancelable(entry) {
        let since = instant(&entry.seen);
        entry.seen.store(now.as_nanos(), Ordering::Relaxed);
        if due::is_stepped(page, clock_of(entry), since, now).unwrap_or(false) {
            return cancel(entry, target);
        }
    }
    if seen.is_over() {
        // One that is cancelled when the clock is set waits for that, also when it has expired.
        let target = NodeInstant::from_nanos(entry.target.load(Ordering::Relaxed));
        return match deadline(clock_of(entry), target, now).due(page) {
            Some(due) if is_cancelable(entry) => next_turn(entry, &due),
            _ => forget(entry),
        };
    }
    let Some(target) = target else { return forget(entry) };
    let Some(due) = deadline(clock_of(entry), target, now).due(page) else { return Next::Soon };
    if is_where_it_should_be(entry, &seen, &due) {
        return next_turn(entry, &due);
    }
    let comes_first = seen.left < due::until_change(page, now).unwrap_or(Span::ZERO);
    let is_periodic = entry.every.load(Ordering::Relaxed) > 0;
    if comes_first || is_periodic && kind == Kind::Descriptor && kernel::is_readable(id) {
        return Next::Soon;
    }
    match arm(entry, page, target, &due) {
        Ok(()) => next_turn(entry, &due),
        Err(_) => forget(entry),
    }
}

/// Whether the kernel has the timer where the schedule has it.
fn is_where_it_should_be(entry: &Entry, seen: &phase::Seen, due: &Due) -> bool {
    let on_true = entry.on_true.load(Ordering::Relaxed) != 0;
    if on_true || due.on_true {
        return on_true && due.on_true;
    }
    let every = Span::from_nanos(entry.every.load(Ordering::Relaxed));
    let same_pace =
        phase::on_host(every, due.rate_then()).as_nanos() == entry.told_every.load(Ordering::Relaxed);
    // A descriptor's instant is exact; of a length of time the kernel began a little later.
    same_pace && (seen.expires() - due.at.as_nanos()).abs() < 100_000
}

/// Arms the kernel's timer for a target of the node's, which is due so.
pub fn arm(entry: &Entry, page: &Page, target: NodeInstant, due: &Due) -> Result<(), i32> {
    let (kind, id) = (entry.kind(), entry.id.load(Ordering::Relaxed));
    let every = Span::from_nanos(entry.every.load(Ordering::Relaxed));
    let own = entry.clock.load(Ordering::Relaxed).wrapping_sub(1) as i32;
    let flags = entry.flags.load(Ordering::Relaxed) as usize;
    entry.target.store(target.as_nanos(), Ordering::Relaxed);
    if due.on_true && flags & ABSOLUTE != 0 {
        // The kernel follows the host's clock better than anybody.
        let value = due::in_own_clock(page, target, own);
        kernel::set(
            kind,
            id,
            flags & (ABSOLUTE | CANCEL_ON_SET),
            &Setting { interval: timespec(every), value },
        )?;
        entry.on_true.store(1, Ordering::Relaxed);
        entry.told.store(target.as_nanos(), Ordering::Relaxed);
        entry.told_every.store(every.as_nanos(), Ordering::Relaxed);
        return Ok(());
    }
    let pace = phase::on_host(every, due.rate_then());
    let late = due.lateness(target, every, pace);
    let mut first = due.at.saturating_add(late.saturating_neg());
    if due.is_leapt_over() && (every > Span::ZERO || is_cancelable(entry)) {
        // The helper arms it when the step has come, to have all that it leaps over counted at once, or to cancel it; this is for
        // want of it.
        first = first.saturating_add(Span::from_millis(2));
    }
    let (absolute, value) = match own {
        clock::MONOTONIC if kind != Kind::Real => (ABSOLUTE, first.as_nanos()),
        // A length of time does not follow the steps of the host's clock.
        _ if late == Span::ZERO || kind == Kind::Real => (0, first.saturating_since(due.now()).as_nanos()),
        _ => (ABSOLUTE, due::host_ahead(own).map_or(1, |ahead| first.saturating_add(ahead).as_nanos())),
    };
    let value = timespec(Span::from_nanos(value.max(1)));
    kernel::set(kind, id, absolute, &Setting { interval: timespec(pace), value })?;
    entry.on_true.store(0, Ordering::Relaxed);
    entry.told_every.store(pace.as_nanos(), Ordering::Relaxed);
    // A length of time began a little later than it was measured.
    let seen = if absolute == 0 { phase::Seen::look(kind, id, clock::MONOTONIC) } else { None };
    let told = seen.filter(|seen| !seen.is_over()).map_or(first.as_nanos(), |seen| seen.expires());
    entry.told.store(told, Ordering::Relaxed);
    Ok(())
}

/// Has the descriptor be readable at once, and its next read fail.
fn cancel(entry: &Entry, target: Option<NodeInstant>) -> Next {
    if let Some(target) = target {
        entry.target.store(target.as_nanos(), Ordering::Relaxed);
    }
    entry.canceled.store(1, Ordering::Release);
    CANCELED.fetch_add(1, Ordering::AcqRel);
    let now = Setting { interval: Timespec::default(), value: Timespec { sec: 0, nsec: 1 } };
    let _ = kernel::set(entry.kind(), entry.id.load(Ordering::Relaxed), 0, &now);
    Next::Change
}

/// When the helper must look at a timer again.
pub fn next_turn(entry: &Entry, due: &Due) -> Next {
    let is_watched = entry.every.load(Ordering::Relaxed) > 0 || is_cancelable(entry);
    if is_watched && due.turn() != HostInstant::MAX { Next::At(due.turn()) } else { Next::Change }
}

/// Not ours any more: it has expired, or somebody else has set it.
fn forget(entry: &Entry) -> Next {
    entry.drop_out();
    Next::Change
}
