//! What a command does to a node's tables: a fault is added, or all are ended; then every clock is laid anew.

use falseticker_page::change::{CHANGES, Change, Kind};
use falseticker_page::layout::Clock;
use falseticker_page::schedule::find;
use falseticker_page::segment::Shape;
use falseticker_page::time::{HostInstant, Rate, Span};

use super::course::Standing;
use super::plan::{compile, slew_length};
use super::suspend::suspended_clocks;
use super::tables::{Captured, Tables};
use crate::error::{Error, Result};
use crate::fault::{Clocks, Fault};

/// How a heal brings the wall clock back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Heal {
    /// At once.
    #[default]
    Step,
    /// Led back at this rate; of the rate the size counts.
    Slew(Rate),
}

/// Adds a fault that takes effect at `from`, for a time or until it is ended.
pub fn add_fault(
    old: &Tables,
    captured: &Captured,
    from: HostInstant,
    fault: &Fault,
    clocks: Clocks,
    lasts: Option<Span>,
) -> Result<Tables> {
    let length = [fault.length(), lasts].into_iter().flatten().min();
    let until = length.map_or(HostInstant::MAX, |length| from.saturating_add(length));
    let (amount, second) = fault.figures();
    if clocks.bits() & suspended_clocks(old, from) != 0 && is_temporary(fault.kind()) {
        return Err(Error::not_applied(
            format_args!("apply {}", fault.describe()),
            "the node is suspended, and its clocks would run on before its programs do",
        )
        .remedy("wait for its end, or thaw the node"));
    }
    let mut new = old.clone();
    push(&mut new, fault.kind(), clocks.bits(), from, until, (amount, second));
    lay(&mut new, captured, from)?;
    Ok(new)
}

/// A change that is planned for an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// When it takes effect.
    pub at: HostInstant,
    /// What it is.
    pub what: What,
}

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// A clock fault, for a time or until it is ended.
    Fault(Fault, Clocks, Option<Span>),
    /// The end of all that began before it, by a step.
    Heal,
}

/// Adds changes that take effect at instants of their own, from `from` on; their ids come back in the same order.
pub fn plan(
    old: &Tables,
    captured: &Captured,
    from: HostInstant,
    planned: &[Planned],
) -> Result<(Tables, Vec<u32>)> {
    let attempted = || format!("plan {} changes of a node's clocks", planned.len());
    let mut new = old.clone();
    let mut ids = Vec::with_capacity(planned.len());
    for Planned { at, what } in planned {
        if *at < from {
            return Err(Error::not_applied(attempted(), "the first of them is to take effect before now")
                .remedy("leave more time until it"));
        }
        ids.push(new.last_change.wrapping_add(1));
        match what {
            What::Fault(fault, clocks, lasts) => {
                let length = [fault.length(), *lasts].into_iter().flatten().min();
                let until = length.map_or(HostInstant::MAX, |length| at.saturating_add(length));
                push(&mut new, fault.kind(), clocks.bits(), *at, until, fault.figures());
            }
            What::Heal => {
                let all = Clock::ALL.iter().fold(0, |bits, clock| bits | clock.bit());
                push(&mut new, Kind::Heal, all, *at, HostInstant::MAX, (0, 0));
            }
        }
        if new.last_change.saturating_sub(old.last_change) as usize > CHANGES {
            let why =
                format!("with their ends they are more than the {CHANGES} that a node's page remembers");
            return Err(Error::not_applied(attempted(), why).remedy("plan fewer, or over more nodes"));
        }
    }
    lay(&mut new, captured, from)?;
    Ok((new, ids))
}

pub(super) fn is_temporary(kind: Kind) -> bool {
    matches!(kind, Kind::Slew | Kind::Stall | Kind::Strobe)
}

/// Ends all faults and cancels what is planned: the wall clock becomes true, the others run truly and keep their
/// offsets. `None` if there is nothing to end.
pub fn heal(old: &Tables, captured: &Captured, from: HostInstant, how: Heal) -> Result<Option<Tables>> {
    let needs = |clock: &Clock| {
        let standing = Standing::before(old, captured, *clock, from);
        let planned = old.schedule(*clock).iter().any(|segment| segment.from >= from);
        let off = *clock == Clock::Wall && standing.offset != Span::ZERO;
        planned || off || standing.temporary || standing.base_rate != Rate::TRUE
    };
    let clocks = Clock::ALL.iter().filter(|clock| needs(clock)).fold(0, |bits, clock| bits | clock.bit());
    if clocks == 0 {
        return Ok(None);
    }
    let mut new = old.clone();
    for change in &mut new.changes {
        let over = change.until < from || change.kind == Kind::End && change.at < from;
        change.cancelled |= !over;
    }
    let (figures, until) = way_home(Standing::before(old, captured, Clock::Wall, from).offset, from, how);
    push(&mut new, Kind::Heal, clocks, from, until, figures);
    lay(&mut new, captured, from)?;
    Ok(Some(new))
}

/// The figures of a heal: how far the clock is led back and at which rate, both 0 for a step; and when it is there.
fn way_home(offset: Span, from: HostInstant, how: Heal) -> ((i64, i64), HostInstant) {
    let Heal::Slew(rate) = how else { return ((0, 0), HostInstant::MAX) };
    let back = offset.saturating_neg();
    let size = Rate::from_parts(rate.as_parts().saturating_abs());
    let rate = if back.is_negative() { size.saturating_neg() } else { size };
    match slew_length(back, rate) {
        Some(length) => ((back.as_nanos(), rate.as_parts()), from.saturating_add(length)),
        None => ((0, 0), HostInstant::MAX),
    }
}

/// Enters a change, and the change that is its end where it has one.
pub(super) fn push(
    tables: &mut Tables,
    kind: Kind,
    clocks: u8,
    at: HostInstant,
    until: HostInstant,
    figures: (i64, i64),
) {
    let id = tables.last_change.wrapping_add(1);
    let ends = until != HostInstant::MAX;
    let change = Change {
        id,
        kind,
        clocks,
        at,
        until,
        amount: figures.0,
        second: figures.1,
        partner: if ends { id.wrapping_add(1) } else { 0 },
        cancelled: false,
        late_by: 0,
    };
    tables.push(change);
    if ends {
        let end = Change { id: change.partner, kind: Kind::End, at: until, until, partner: id, ..change };
        tables.push(end);
    }
}

/// How far the old map between RAW and MONOTONIC may be wrong before a new one takes its place.
const MAP_ERROR: Span = Span::from_millis(1);

/// What was captured; but while the monotonic clock is laid, the old map between RAW and it stays while it serves: each
/// new one would move RAW by what two readings of the host's clocks differ.
fn keep_map(tables: &Tables, captured: &Captured, from: HostInstant) -> Captured {
    let old = &tables.captured;
    let schedule = tables.schedule(Clock::Mono);
    let is_laid =
        find(schedule, from).and_then(|index| schedule.get(index)).is_some_and(|at| at.shape != Shape::True);
    let elapsed = captured.raw_at.saturating_since(old.raw_at);
    let gained = old.mono_per_raw.gained(i128::from(elapsed.as_nanos()));
    let mapped = i128::from(old.mono_at.as_nanos()) + i128::from(elapsed.as_nanos()) + gained;
    let error = (mapped - i128::from(captured.mono_at.as_nanos())).unsigned_abs();
    if is_laid && error <= u128::from(MAP_ERROR.unsigned_nanos()) {
        let Captured { raw_at, mono_at, mono_per_raw, raw_per_mono, .. } = *old;
        Captured { raw_at, mono_at, mono_per_raw, raw_per_mono, ..*captured }
    } else {
        *captured
    }
}

/// Lays every clock anew from `from` on.
pub(super) fn lay(tables: &mut Tables, captured: &Captured, from: HostInstant) -> Result<()> {
    let mut next = keep_map(tables, captured, from);
    for clock in Clock::ALL {
        let compiled = compile(tables, captured, clock, from)?;
        match clock {
            Clock::Wall => next.wall = compiled.truth,
            Clock::Boot => next.boot = compiled.truth,
            Clock::Mono => {}
        }
        for (id, by) in compiled.set_by {
            if let Some(set) = tables.changes.iter_mut().find(|change| change.id == id) {
                set.second = by.as_nanos();
            }
        }
        if let Some(schedule) = tables.schedules.get_mut(clock as usize) {
            *schedule = compiled.segments;
        }
    }
    tables.captured = next;
    Ok(())
}
