//! A suspend in a node's tables: its wall clock and its monotonic one stand still while its processes are frozen, and the
//! wall clock is corrected afterwards or not.
//!
//! All of it is one publication: the standstill, its end, the correction. Whoever freezes the processes then needs no
//! clock any more. A suspend is ended before its time where the processes run before it ([`wake`]), and called off where
//! they could not be frozen ([`call_off`]).
//!
//! What must hold:
//! 1. What a clock loses is what it would have gained meanwhile: at its own rate, whatever else was planned.
//! 2. A correction brings the wall clock to where it would stand without the suspend; if that ends sooner it is smaller,
//!    and comes as long after the end as it was to come.
//! 3. A suspend that is called off leaves every clock on its old course.

use falseticker_page::change::{Change, Kind};
use falseticker_page::layout::Clock;
use falseticker_page::schedule::value;
use falseticker_page::time::{HostInstant, Rate, Span};

use super::edit::{is_temporary, lay, push};
use super::plan::{compile, slew_length};
use super::tables::{Captured, Tables};
use crate::error::{Error, Result};
use crate::fault::{ClockFault, Jump, Slew, Suspend, WallAfter};

/// The clocks that stand still.
const CLOCKS: u8 = Clock::Wall.bit() | Clock::Mono.bit();

/// Adds a suspend that begins at `from`.
pub fn suspend(old: &Tables, captured: &Captured, from: HostInstant, suspend: &Suspend) -> Result<Tables> {
    if suspended_clocks(old, from) != 0 {
        let why = "it is suspended already";
        return Err(Error::not_applied("suspend the node", why).remedy("wait for its end, or thaw the node"));
    }
    let until = from.saturating_add(suspend.length);
    // A temporary fault ends when the next one begins, so the clocks would run on before the programs do.
    let begins_meanwhile = |change: &Change| {
        !change.cancelled && is_temporary(change.kind) && from < change.at && change.at < until
    };
    if old.changes.iter().any(|change| change.clocks & CLOCKS != 0 && begins_meanwhile(change)) {
        let why = "a slew that is planned for its clocks would begin before the suspend ends";
        return Err(Error::not_applied("suspend the node", why)
            .remedy("suspend it for less, wait until the slew has begun, or heal the node"));
    }
    let mut new = old.clone();
    push(&mut new, Kind::Suspend, CLOCKS, from, until, (0, 0));
    let id = new.last_change.wrapping_sub(1);
    let wall = lost(&new, captured, Clock::Wall, id, from)?;
    let mono = lost(&new, captured, Clock::Mono, id, from)?;
    let correction = match suspend.wall {
        WallAfter::Corrected { after, slew } if wall != Span::ZERO => {
            Some(correct(&mut new, until.saturating_add(after), wall, slew)?)
        }
        _ => None,
    };
    change(&mut new, id, |suspend| (suspend.amount, suspend.second) = (wall.as_nanos(), mono.as_nanos()));
    change(&mut new, id.wrapping_add(1), |end| end.amount = i64::from(correction.unwrap_or(0)));
    lay(&mut new, captured, from)?;
    Ok(new)
}

/// Ends the suspend in force at `from`: the processes run again sooner. `None` if there is none.
pub fn wake(old: &Tables, captured: &Captured, from: HostInstant) -> Result<Option<Tables>> {
    let Some(suspend) = in_force(old, from) else { return Ok(None) };
    let mut new = shortened(old, captured, suspend, from)?;
    lay(&mut new, captured, from)?;
    Ok(Some(new))
}

/// Calls a suspend off, in force or just over: the clocks get back what they lost. `None` if it is not known any more.
pub fn call_off(old: &Tables, captured: &Captured, from: HostInstant, id: u32) -> Result<Option<Tables>> {
    let Some(suspend) = old.change(id).filter(|change| is_suspend(change)) else { return Ok(None) };
    let mut new = shortened(old, captured, suspend, from)?;
    let correction = correction(&new, suspend).copied();
    let is_corrected = correction.is_some_and(|correction| correction.at < from);
    change(&mut new, id, |suspend| {
        suspend.kind = Kind::CalledOff;
        suspend.amount = if is_corrected { 0 } else { suspend.amount };
    });
    if let Some(Change { id, .. }) = correction.filter(|_| !is_corrected) {
        new.changes.retain(|change| change.id != id && (change.kind != Kind::End || change.partner != id));
    }
    lay(&mut new, captured, from)?;
    Ok(Some(new))
}

/// The clocks that a suspend holds still at an instant, as bits.
pub fn suspended_clocks(tables: &Tables, at: HostInstant) -> u8 {
    in_force(tables, at).map_or(0, |suspend| suspend.clocks)
}

/// The suspend in force at an instant.
pub fn in_force(tables: &Tables, at: HostInstant) -> Option<&Change> {
    tables.changes.iter().rev().find(|change| is_suspend(change) && change.at <= at && at < change.until)
}

/// The change that corrects the wall clock after a suspend.
pub fn correction<'a>(tables: &'a Tables, suspend: &Change) -> Option<&'a Change> {
    let end = tables.change(suspend.partner)?;
    u32::try_from(end.amount).ok().filter(|id| *id != 0).and_then(|id| tables.change(id))
}

fn is_suspend(change: &Change) -> bool {
    change.kind == Kind::Suspend && !change.cancelled
}

/// Enters the correction by a step or a slew, from an instant on; its id.
fn correct(tables: &mut Tables, at: HostInstant, by: Span, slew: Option<Rate>) -> Result<u32> {
    let id = tables.last_change.wrapping_add(1);
    let wall = Clock::Wall.bit();
    match slew {
        None => push(tables, Kind::Jump, wall, at, HostInstant::MAX, Jump { by }.figures()),
        Some(rate) => {
            let slew = Slew::new(by, rate)?;
            let length = slew.length().unwrap_or(Span::MAX);
            push(tables, Kind::Slew, wall, at, at.saturating_add(length), slew.figures());
        }
    }
    Ok(id)
}

/// The same tables with a suspend that ends at `from`, not laid yet. One that was over before ends once more: its clocks
/// have lost no more by that.
fn shortened(old: &Tables, captured: &Captured, suspend: &Change, from: HostInstant) -> Result<Tables> {
    let (id, end) = (suspend.id, suspend.until);
    let mut new = old.clone();
    change(&mut new, id, |suspend| suspend.until = from);
    change(&mut new, suspend.partner, |end| (end.at, end.until) = (from, from));
    if end <= from {
        return Ok(new);
    }
    let spared = |clock| {
        let shown = |tables: &Tables| shown(tables, captured, clock, from, end);
        Ok::<i64, Error>(shown(&new)?.saturating_sub(shown(old)?))
    };
    let wall = suspend.amount.saturating_sub(spared(Clock::Wall)?);
    let mono = suspend.second.saturating_sub(spared(Clock::Mono)?);
    change(&mut new, id, |suspend| (suspend.amount, suspend.second) = (wall, mono));
    if let Some(&Change { id, kind, at, second, partner, .. }) = correction(old, suspend) {
        let at = from.saturating_add(at.saturating_since(end));
        let length = match kind {
            Kind::Slew => slew_length(Span::from_nanos(wall), Rate::from_parts(second)),
            _ => None,
        };
        let until = length.map_or(HostInstant::MAX, |length| at.saturating_add(length));
        change(&mut new, id, |it| (it.at, it.until, it.amount) = (at, until, wall));
        change(&mut new, partner, |end| (end.at, end.until) = (until, until));
    }
    Ok(new)
}

/// What a clock loses by a suspend: what it would show more at the end, were its rate as before.
fn lost(tables: &Tables, captured: &Captured, clock: Clock, id: u32, from: HostInstant) -> Result<Span> {
    let Some(until) = tables.change(id).map(|suspend| suspend.until) else { return Ok(Span::ZERO) };
    let mut without = tables.clone();
    // A slew at no rate: it ends what was in force before it as well.
    change(&mut without, id, |suspend| suspend.kind = Kind::Slew);
    let shown = |tables: &Tables| shown(tables, captured, clock, from, until);
    Ok(Span::from_nanos(shown(&without)?.saturating_sub(shown(tables)?)))
}

/// What a clock shows at an instant, laid anew from `from` on.
fn shown(
    tables: &Tables,
    captured: &Captured,
    clock: Clock,
    from: HostInstant,
    at: HostInstant,
) -> Result<i64> {
    let compiled = compile(tables, captured, clock, from)?;
    Ok(value(compiled.segments.as_slice(), at).map_or(0, |shown| shown.as_nanos()))
}

fn change(tables: &mut Tables, id: u32, with: impl FnOnce(&mut Change)) {
    if let Some(change) = tables.changes.iter_mut().find(|change| change.id == id && id != 0) {
        with(change);
    }
}

#[cfg(test)]
mod tests;
