//! Arming a timer by the schedule as it is, and moving it when that has changed.

use core::sync::atomic::Ordering;

use falseticker_page::layout::{Clock, Page};
use falseticker_page::time::{HostInstant, NodeInstant, Span};

use super::book::{self, Entry};
use super::kernel::{self, ABSOLUTE, CANCEL_ON_SET, Kind, Setting};
use super::numbers::Moving;
use super::phase::Past;
use super::{CANCELED, clock_of, deadline, instant, is_cancelable, own_clock, phase, timespec};
use crate::abi::{Timespec, clock};
use crate::sys;
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
    /// As soon as what a timer has told of is read: it owes expiries.
    Owed,
}

impl Next {
    fn sooner(self, other: Next) -> Next {
        match (self, other) {
            (Next::Owed, _) | (_, Next::Owed) => Next::Owed,
            (Next::Soon, _) | (_, Next::Soon) => Next::Soon,
            (Next::At(one), Next::At(two)) => Next::At(one.min(two)),
            (Next::Change, other) => other,
            (one, Next::Change) => one,
        }
    }
}

/// After how many timers the schedule is asked whether it has changed again.
const STRETCH: usize = 64;

/// Moves every timer to where the schedule has it now: first what would expire too early or too late if it came last, for
/// thousands of timers take longer than any of them may be late. When the schedule changes meanwhile, it ends, to be begun anew.
pub fn update_all(page: &Page) -> Next {
    let word = page.header.word.load(Ordering::Acquire);
    let armed = || book::all().filter(|entry| entry.is_armed());
    let soon = phase::now().map(|now| Soon::look(page, now));
    for entry in armed().filter(|entry| soon.as_ref().is_none_or(|soon| soon.has(entry))) {
        update(entry, page);
    }
    let mut next = Next::Change;
    for (count, entry) in armed().enumerate() {
        if count % STRETCH == 0 && page.header.word.load(Ordering::Acquire) != word {
            return Next::At(HostInstant::from_nanos(0));
        }
        next = next.sooner(update(entry, page));
    }
    next
}

/// What comes within a short time, on the host's clocks and the node's: told without asking anybody of each timer.
struct Soon {
    until: HostInstant,
    /// How far the host's clocks are ahead of CLOCK_MONOTONIC.
    ahead: [Span; 3],
    /// The most that the node's clocks show until then.
    shows: [NodeInstant; 3],
}

impl Soon {
    const LOOKS: i64 = 20;
    const STEP: i64 = 5_000_000;

    fn look(page: &Page, now: HostInstant) -> Self {
        let after = |steps: i64| now.saturating_add(Span::from_nanos(steps * Self::STEP));
        let most = |clock| {
            let shown = (0..=Self::LOOKS).filter_map(|steps| due::shown(page, clock, after(steps)));
            shown.max().unwrap_or(NodeInstant::from_nanos(i64::MAX))
        };
        let ahead = |clock| due::host_ahead(due::host_id(clock)).unwrap_or(Span::ZERO);
        Soon { until: after(Self::LOOKS), ahead: Clock::ALL.map(ahead), shows: Clock::ALL.map(most) }
    }

    /// Whether the kernel has a timer expire until then, or the schedule has it due.
    fn has(&self, entry: &Entry) -> bool {
        let clock = clock_of(entry) as usize;
        let on_true = entry.on_true.load(Ordering::Relaxed) != 0;
        let ahead = if on_true { self.ahead[clock] } else { Span::ZERO };
        let told = instant(&entry.told).saturating_add(ahead.saturating_neg());
        told < self.until || entry.target.load(Ordering::Relaxed) <= self.shows[clock].as_nanos()
    }
}

/// Moves a timer, if it is armed and nobody sets it.
pub fn update(entry: &Entry, page: &Page) -> Next {
    let Some(_update) = entry.update() else { return Next::Change };
    let (kind, id) = (entry.kind(), entry.id.load(Ordering::Relaxed));
    if entry.canceled.load(Ordering::Acquire) != 0 {
        return Next::Change;
    }
    let Some(now) = phase::now() else { return Next::Soon };
    if let Some(due) = where_it_was_left(entry, page, now) {
        return next_turn(entry, &due);
    }
    let moving = (kind == Kind::Descriptor).then(Moving::begin);
    if matches!(moving, Some(None)) {
        return Next::Soon;
    }
    let Some(seen) = phase::Seen::look(kind, id, own_clock(entry)) else { return forget(entry) };
    let (seen, target) = match phase::next_target(entry, &seen) {
        None if kind == Kind::Descriptor && !seen.is_over() => {
            adopt(entry, page, now).map_or((seen, None), |(seen, target)| (seen, Some(target)))
        }
        known => (seen, known),
    };
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
    if is_where_it_should_be(entry, seen.expires(), &due) {
        return next_turn(entry, &due);
    }
    let comes_first = seen.left < due::until_change(page, now).unwrap_or(Span::ZERO);
    if comes_first || entry.every.load(Ordering::Relaxed) > 0 && has_untold(entry) {
        return if owes(entry) { Next::Owed } else { Next::Soon };
    }
    match arm(entry, page, target, &due) {
        Ok(()) => next_turn(entry, &due),
        Err(_) => forget(entry),
    }
}

/// A timer that is not where it was left, but where the schedule has it now: a child that shares it has moved it, or it was
/// moved by the name of another descriptor.
fn adopt(entry: &Entry, page: &Page, now: HostInstant) -> Option<(phase::Seen, NodeInstant)> {
    let shown = due::shown(page, clock_of(entry), now)?;
    let every = Span::from_nanos(entry.every.load(Ordering::Relaxed));
    let target =
        phase::next_after(NodeInstant::from_nanos(entry.target.load(Ordering::Relaxed)), every, shown);
    let due = deadline(clock_of(entry), target, now).due(page)?;
    let (on_true, expected, by) = if due.on_true {
        (1, target.as_nanos(), due::host_id(clock_of(entry)))
    } else {
        (0, due.at.as_nanos(), clock::MONOTONIC)
    };
    let seen = phase::Seen::look(entry.kind(), entry.id.load(Ordering::Relaxed), by)?;
    if seen.is_over() || (seen.expires() - expected).abs() > SAME_PLACE {
        return None;
    }
    let pace = if due.on_true { every } else { phase::on_host(every, due.rate_then()) };
    entry.target.store(target.as_nanos(), Ordering::Relaxed);
    entry.on_true.store(on_true, Ordering::Relaxed);
    entry.told.store(seen.expires(), Ordering::Relaxed);
    entry.told_every.store(pace.as_nanos(), Ordering::Relaxed);
    Some((seen, target))
}

/// How far off a timer is where it should be: a descriptor's instant is exact; of a length of time the kernel began a little
/// later.
const SAME_PLACE: i64 = 100_000;

/// When a timer is due that has not expired since it was set, and need not be moved: the kernel is not even asked.
fn where_it_was_left(entry: &Entry, page: &Page, now: HostInstant) -> Option<Due> {
    if is_cancelable(entry) {
        return None;
    }
    let target = NodeInstant::from_nanos(entry.target.load(Ordering::Relaxed));
    let due = deadline(clock_of(entry), target, now).due(page)?;
    let is_ahead = due.at > now.saturating_add(Span::from_nanos(SAME_PLACE));
    (is_ahead && is_where_it_should_be(entry, entry.told.load(Ordering::Relaxed), &due)).then_some(due)
}

/// Whether there are expiries of which nobody knows yet, and which the kernel forgets when the timer is set: such that nobody has
/// read, and signals that wait to be taken.
fn has_untold(entry: &Entry) -> bool {
    match entry.kind() {
        Kind::Descriptor => kernel::is_readable(entry.id.load(Ordering::Relaxed)),
        Kind::Posix => sys::thread::is_pending(entry.signal.load(Ordering::Relaxed)),
        Kind::Real => false,
    }
}

/// Whether the kernel has the timer where the schedule has it.
fn is_where_it_should_be(entry: &Entry, expires: i64, due: &Due) -> bool {
    let on_true = entry.on_true.load(Ordering::Relaxed) != 0;
    if on_true || due.on_true {
        return on_true && due.on_true;
    }
    let every = Span::from_nanos(entry.every.load(Ordering::Relaxed));
    let same_pace =
        phase::on_host(every, due.rate_then()).as_nanos() == entry.told_every.load(Ordering::Relaxed);
    same_pace && (expires - due.at.as_nanos()).abs() < SAME_PLACE
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
        entry.owes.store(0, Ordering::Relaxed);
        return Ok(());
    }
    let pace = phase::on_host(every, due.rate_then());
    let over = Past { late: due.lateness(target, every, pace), pace };
    let told = over.within(age(own, due));
    let Past { late, pace } = told;
    let mut first = due.at.saturating_add(late.saturating_neg());
    if due.is_leapt_over() && (every > Span::ZERO || is_cancelable(entry)) {
        // The helper arms it when the step has come, to have all that it leaps over counted at once, or to cancel it; this is for
        // want of it.
        first = first.saturating_add(Span::from_millis(15));
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
    entry.owes.store(u32::from(told != over), Ordering::Relaxed);
    entry.told_every.store(pace.as_nanos(), Ordering::Relaxed);
    // A length of time began a little later than it was measured.
    let seen = if absolute == 0 { phase::Seen::look(kind, id, clock::MONOTONIC) } else { None };
    let told = seen.filter(|seen| !seen.is_over()).map_or(first.as_nanos(), |seen| seen.expires());
    entry.told.store(told, Ordering::Relaxed);
    Ok(())
}

/// How long the kernel's clock of this id has run: it knows of no instant before that.
fn age(id: i32, due: &Due) -> Span {
    let ahead = if id == clock::MONOTONIC { Span::ZERO } else { due::host_ahead(id).unwrap_or(Span::ZERO) };
    Span::from_nanos(due.now().saturating_add(ahead).as_nanos())
}

/// Whether it has more expiries to tell of than the kernel could be told of at once.
fn owes(entry: &Entry) -> bool {
    entry.owes.load(Ordering::Relaxed) != 0
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
    if owes(entry) {
        return Next::Owed;
    }
    let is_watched = entry.every.load(Ordering::Relaxed) > 0 || is_cancelable(entry);
    if is_watched && due.turn() != HostInstant::MAX { Next::At(due.turn()) } else { Next::Change }
}

/// Not ours any more: it has expired, or somebody else has set it.
fn forget(entry: &Entry) -> Next {
    entry.drop_out();
    Next::Change
}
