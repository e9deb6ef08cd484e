//! How faults compose: a clock is a base (offset, rate) and at most one temporary fault, and the changes that are in
//! force or planned say how both go on.
//!
//! [`compile`] lays a clock's future anew from one instant on: from where the clock stands there, and from the
//! changes. Nothing else decides what a clock does, so that a fault that comes while others are in force, or before
//! some that are planned, cannot mean two things.
//!
//! What must hold:
//! 1. Before the instant nothing moves: the old segments stay as they are.
//! 2. A change of rate moves no clock by itself: lines meet to the nanosecond.
//! 3. The base rate is that of the drift that began last among those that have not ended.
//! 4. The end of a jump takes back what the jump added, unless a later `set` has replaced the offset meanwhile.
//! 5. A temporary fault (slew, stall, strobe, suspend) ends when the next one begins; ended, it leaves the clock where it is.
//! 6. A clock with nothing left of any fault is the host's own again.
//! 7. A heal ends whatever began before it, also one that is planned: what would have ended later ends there.
//! 8. What happens at the very instant from which a clock is laid anew happens once; and to be laid anew moves no clock.

use falseticker_page::change::{Change, Kind};
use falseticker_page::layout::{Clock, SEGMENTS};
use falseticker_page::schedule::find;
use falseticker_page::segment::Segment;
use falseticker_page::time::{HostInstant, NodeInstant, Rate, Span, saturate};

use super::course::{Happening, State, Temporary, What};
use super::tables::{Captured, Tables};
use crate::error::{Error, Result};

/// How far back segments are kept: a reader that was stopped between two instructions reads again if it slept longer.
const HISTORY: Span = Span::from_millis(1000);

/// One clock's new segments, and what the compilation found out about changes.
#[derive(Debug)]
pub struct Compiled {
    /// All segments, those kept from before included.
    pub segments: Vec<Segment>,
    /// By how much each `set` that was laid moved the clock.
    pub set_by: Vec<(u32, Span)>,
    /// What a true clock is ahead of CLOCK_MONOTONIC, as the segments have it.
    pub truth: Span,
}

/// Lays `clock` anew from `from` on, by the changes of `tables`.
pub fn compile(tables: &Tables, captured: &Captured, clock: Clock, from: HostInstant) -> Result<Compiled> {
    let old = tables.schedule(clock);
    let mut state = State::before(tables, captured, clock, from);
    let mut segments = kept(old, from);
    segments.extend(state.follow_host());
    let mut set_by: Vec<(u32, Span)> = Vec::new();
    for happening in happenings(tables, clock, from, state.base_rate) {
        if let What::Set { to, id } = happening.what {
            let by = saturate(i128::from(to.as_nanos()) - state.line_at(happening.at));
            set_by.push((id, Span::from_nanos(by)));
        }
        let set = |id: u32| {
            let laid = set_by.iter().find(|(set, _)| *set == id).map(|(_, by)| *by);
            laid.or_else(|| tables.change(id).map(|change| Span::from_nanos(change.second)))
                .unwrap_or(Span::ZERO)
        };
        state.advance(&happening, set)?;
        let segment = state.segment(happening.change);
        match segments.last_mut() {
            // Two at one instant: the later one stands, and whoever reads it has read the newest change.
            Some(last) if last.from == segment.from => {
                *last = Segment { change: segment.change.max(last.change), ..segment };
            }
            _ => segments.push(segment),
        }
    }
    close(&mut segments);
    if segments.len() > SEGMENTS {
        return Err(Error::not_applied(
            format!("lay out {} segments of one clock", segments.len()),
            format!("a page has room for {SEGMENTS}"),
        )
        .remedy("plan less far ahead, or heal the node first"));
    }
    Ok(Compiled { segments, set_by, truth: Span::from_nanos(saturate(state.truth)) })
}

/// The segments that some reader may still need.
fn kept(old: &[Segment], from: HostInstant) -> Vec<Segment> {
    let first = find(old, from.saturating_add(HISTORY.saturating_neg())).unwrap_or(0);
    old.iter().skip(first).filter(|segment| segment.from < from).copied().collect()
}

/// Notes in each segment the second in which it ends, for the reader's fast path.
fn close(segments: &mut [Segment]) {
    let mut until_sec = i64::MAX;
    for segment in segments.iter_mut().rev() {
        segment.until_sec = until_sec;
        until_sec = segment.from.split().0;
    }
}

/// Everything that will happen to a clock from `from` on, in order.
fn happenings(tables: &Tables, clock: Clock, from: HostInstant, base_rate: Rate) -> Vec<Happening> {
    let counts =
        |change: &&Change| change.kind != Kind::End && !change.cancelled && change.clocks & clock.bit() != 0;
    let all: Vec<&Change> = tables.changes.iter().filter(counts).collect();
    let heals_of_clock: Vec<&Change> =
        all.iter().copied().filter(|change| change.kind == Kind::Heal).collect();
    let healed: Vec<Change> = all.iter().filter_map(|change| until_healed(change, &heals_of_clock)).collect();
    let changes: Vec<&Change> = healed.iter().collect();
    let mut all = Vec::new();
    heals(&changes, clock, from, &mut all);
    steps(&changes, from, &mut all);
    rates(&changes, from, base_rate, &mut all);
    temporaries(&changes, clock, from, &mut all);
    // What a heal has ended needs no end of its own.
    let ends_there = |happening: &Happening| {
        let ends = |change: &&Change| change.kind != Kind::Heal && change.partner == happening.change;
        let of_it = || happening.change == 0 || changes.iter().any(ends);
        heals_of_clock.iter().any(|heal| heal.at == happening.at) && of_it()
    };
    all.retain(|happening| !ends_there(happening));
    // Stable: at one instant, an end comes before the beginning of what replaces it.
    all.sort_by_key(|happening| (happening.at, matches!(happening.what, What::Begin(_))));
    all
}

/// A change that ends no later than the next heal; `None` if it would not even begin before it.
fn until_healed(change: &Change, heals: &[&Change]) -> Option<Change> {
    let ended_by = |heal: &&&Change| (change.at, change.id) < (heal.at, heal.id);
    let heal = heals.iter().filter(ended_by).min_by_key(|heal| heal.at).filter(|_| change.kind != Kind::Heal);
    match heal {
        Some(heal) if heal.at == change.at => None,
        Some(heal) => Some(Change { until: change.until.min(heal.at), ..*change }),
        None => Some(*change),
    }
}

/// What a heal begins: the clock's way home.
fn heals(changes: &[&Change], clock: Clock, from: HostInstant, all: &mut Vec<Happening>) {
    for change in changes.iter().filter(|change| change.kind == Kind::Heal && change.at >= from) {
        let by_slew = clock == Clock::Wall && change.second != 0;
        let what = if by_slew { What::Rate(Rate::TRUE) } else { What::Heal { home: clock == Clock::Wall } };
        all.push(Happening { at: change.at, change: change.id, what });
    }
}

/// Jumps and sets, and what their ends take back.
fn steps(changes: &[&Change], from: HostInstant, all: &mut Vec<Happening>) {
    for change in changes {
        let set_over = |at: HostInstant| {
            changes
                .iter()
                .find(|set| set.kind == Kind::Set && set.at > change.at && set.at <= at && at < set.until)
        };
        let begin = match change.kind {
            Kind::Jump => What::Step(Span::from_nanos(change.amount)),
            Kind::Set => What::Set { to: NodeInstant::from_nanos(change.amount), id: change.id },
            _ => continue,
        };
        if change.at >= from {
            all.push(Happening { at: change.at, change: change.id, what: begin });
        }
        if change.until == HostInstant::MAX || change.until < from || set_over(change.until).is_some() {
            continue;
        }
        let end = match change.kind {
            Kind::Jump => What::Step(Span::from_nanos(change.amount).saturating_neg()),
            _ => What::Unset { id: change.id, ended_meanwhile: ended_under(changes, change) },
        };
        all.push(Happening { at: change.until, change: change.partner, what: end });
    }
}

/// What the jumps took back whose ends fell under a `set` that is over now.
fn ended_under(changes: &[&Change], set: &Change) -> Span {
    changes
        .iter()
        .filter(|jump| jump.kind == Kind::Jump && jump.at < set.at)
        .filter(|jump| jump.until >= set.at && jump.until < set.until)
        .fold(Span::ZERO, |sum, jump| sum.saturating_add(Span::from_nanos(jump.amount).saturating_neg()))
}

/// The base rate: at each beginning and end of a drift, that of the last one to begin among those not ended.
fn rates(changes: &[&Change], from: HostInstant, base_rate: Rate, all: &mut Vec<Happening>) {
    let drifts: Vec<&&Change> = changes.iter().filter(|change| change.kind == Kind::Drift).collect();
    let active = |at: HostInstant| {
        let begun = drifts.iter().filter(|drift| drift.at <= at && at < drift.until);
        begun.max_by_key(|drift| (drift.at, drift.id)).map(|drift| Rate::from_parts(drift.amount))
    };
    // A rate that no kept drift explains is that of a drift whose record is forgotten.
    let explained = drifts.iter().any(|drift| drift.at < from && from <= drift.until);
    let bottom = if explained { Rate::TRUE } else { base_rate };
    for drift in &drifts {
        for (at, change) in [(drift.at, drift.id), (drift.until, drift.partner)] {
            if at >= from && at != HostInstant::MAX {
                let what = What::Rate(active(at).unwrap_or(bottom));
                all.push(Happening { at, change, what });
            }
        }
    }
}

/// Slews, stalls, strobes and suspends: each until its end, or until the next one begins.
fn temporaries(changes: &[&Change], clock: Clock, from: HostInstant, all: &mut Vec<Happening>) {
    let is_one = |change: &&&Change| match change.kind {
        Kind::Slew | Kind::Stall | Kind::Strobe | Kind::Suspend | Kind::CalledOff => true,
        Kind::Heal => clock == Clock::Wall && change.second != 0,
        _ => false,
    };
    let mut faults: Vec<&&Change> = changes.iter().filter(is_one).collect();
    faults.sort_by_key(|fault| (fault.at, fault.id));
    for (index, fault) in faults.iter().enumerate() {
        let replaced_at = faults.get(index + 1).map_or(HostInstant::MAX, |next| next.at);
        // A slew may be there at once, and a suspend be ended as it begins: these only end.
        if fault.at >= from && fault.at < fault.until {
            all.push(Happening { at: fault.at, change: fault.id, what: What::Begin(temporary(fault)) });
        }
        if fault.until < from || fault.until == HostInstant::MAX {
            continue;
        }
        let (at, change, leaves) = (fault.until, fault.partner, leaves(fault, clock));
        if at <= replaced_at {
            all.push(Happening { at, change, what: What::End { leaves } });
        } else if fault.kind == Kind::CalledOff {
            // Called off after it was over: another runs by now, and what was lost comes back all the same.
            all.push(Happening { at, change, what: What::Step(leaves.unwrap_or(Span::ZERO)) });
        }
    }
}

fn temporary(fault: &Change) -> Temporary {
    match fault.kind {
        Kind::Strobe => Temporary::Strobe {
            amplitude: Span::from_nanos(fault.amount),
            period: Span::from_nanos(fault.second),
        },
        Kind::Stall | Kind::Suspend | Kind::CalledOff => Temporary::Stall,
        _ => Temporary::Slew(Rate::from_parts(fault.second)),
    }
}

/// What a fault still owes at its end: a slew that ran its whole way less than its rate gains in a nanosecond, a suspend
/// that was called off all that the clock lost.
fn leaves(fault: &Change, clock: Clock) -> Option<Span> {
    if fault.kind == Kind::CalledOff {
        return Some(Span::from_nanos(if clock == Clock::Wall { fault.amount } else { fault.second }));
    }
    let whole = slew_length(Span::from_nanos(fault.amount), Rate::from_parts(fault.second))?;
    if !matches!(fault.kind, Kind::Slew | Kind::Heal) || fault.at.saturating_add(whole) != fault.until {
        return None;
    }
    let gained = Rate::from_parts(fault.second).gained(i128::from(whole.as_nanos()));
    Some(Span::from_nanos(saturate(i128::from(fault.amount) - gained)))
}

/// How long a slew by `by` takes at `rate`, rounded so that what remains at its end points forward; `None` if the
/// rate leads the other way or not at all.
pub fn slew_length(by: Span, rate: Rate) -> Option<Span> {
    let (by, parts) = (i128::from(by.as_nanos()) << 32, i128::from(rate.as_parts()));
    if parts == 0 || by == 0 || (by < 0) != (parts < 0) {
        return None;
    }
    let length = if by < 0 { (by + parts + 1) / parts } else { by / parts };
    i64::try_from(length).ok().map(Span::from_nanos)
}
