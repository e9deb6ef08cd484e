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
//! 5. A temporary fault (slew, stall, strobe) ends when the next one begins; ended, it leaves the clock where it is.
//! 6. A clock with nothing left of any fault is the host's own again.

use falseticker_page::change::{Change, Kind};
use falseticker_page::layout::{Clock, SEGMENTS};
use falseticker_page::schedule::find;
use falseticker_page::segment::{Event, Segment, Shape};
use falseticker_page::time::{HostInstant, NodeInstant, Rate, Span, saturate};

use super::tables::{Captured, Tables};
use crate::error::{Error, Result};

/// How far back segments are kept: a reader that was stopped between two instructions reads again if it slept longer.
const HISTORY: Span = Span::from_millis(1000);

/// Up to here a host clock that has moved since the last publication is being slewed, which a schedule in force need
/// not follow; beyond, it was stepped, and the schedule goes with it.
const HOST_STEP: Span = Span::from_millis(1);

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

/// Something that happens to a clock at an instant.
#[derive(Clone, Copy, Debug)]
struct Happening {
    at: HostInstant,
    /// The change that the segment from here on is the work of.
    change: u32,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Step(Span),
    Set {
        to: NodeInstant,
        id: u32,
    },
    /// The end of a `set`: back by what it moved, and whatever ended under it.
    Unset {
        id: u32,
        ended_meanwhile: Span,
    },
    Rate(Rate),
    Begin(Temporary),
    End {
        leaves: Option<Span>,
    },
    /// Everything ends; `home` says that the clock is true again at once.
    Heal {
        home: bool,
    },
}

/// A fault that is in force beside the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Temporary {
    Slew(Rate),
    Stall,
    Strobe { amplitude: Span, period: Span },
}

/// Lays `clock` anew from `from` on, by the changes of `tables`.
pub fn compile(tables: &Tables, captured: &Captured, clock: Clock, from: HostInstant) -> Result<Compiled> {
    let old = tables.schedule(clock);
    let mut state = State::at(tables, captured, clock, from);
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
            // Two at one instant: the later one stands.
            Some(last) if last.from == segment.from => *last = segment,
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

/// How a clock stands at an instant, apart from what is planned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// How far the clock is from true, a strobe's swing apart.
    pub offset: Span,
    /// Its base rate.
    pub base_rate: Rate,
    /// Whether a slew, a stall or a strobe is in force.
    pub temporary: bool,
}

impl Standing {
    /// How `clock` will stand at `from`, if nothing is published before.
    pub fn at(tables: &Tables, captured: &Captured, clock: Clock, from: HostInstant) -> Self {
        let state = State::at(tables, captured, clock, from);
        Standing {
            offset: Span::from_nanos(saturate(state.offset - state.truth)),
            base_rate: state.base_rate,
            temporary: state.temporary.is_some(),
        }
    }
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
    let changes: Vec<&Change> = tables
        .changes
        .iter()
        .filter(|change| change.kind != Kind::End && !change.cancelled && change.clocks & clock.bit() != 0)
        .collect();
    let mut all = Vec::new();
    heals(&changes, clock, from, &mut all);
    steps(&changes, from, &mut all);
    rates(&changes, from, base_rate, &mut all);
    temporaries(&changes, clock, from, &mut all);
    // Stable: at one instant, an end comes before the beginning of what replaces it.
    all.sort_by_key(|happening| (happening.at, matches!(happening.what, What::Begin(_))));
    all
}

/// Where in time a heal stands, everything else was cancelled; what remains is the clock's way home.
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

/// Slews, stalls and strobes: each until its end, or until the next one begins.
fn temporaries(changes: &[&Change], clock: Clock, from: HostInstant, all: &mut Vec<Happening>) {
    let is_one = |change: &&&Change| match change.kind {
        Kind::Slew | Kind::Stall | Kind::Strobe => true,
        Kind::Heal => clock == Clock::Wall && change.second != 0,
        _ => false,
    };
    let mut faults: Vec<&&Change> = changes.iter().filter(is_one).collect();
    faults.sort_by_key(|fault| (fault.at, fault.id));
    for (index, fault) in faults.iter().enumerate() {
        let replaced_at = faults.get(index + 1).map_or(HostInstant::MAX, |next| next.at);
        if fault.at >= from {
            all.push(Happening { at: fault.at, change: fault.id, what: What::Begin(temporary(fault)) });
        }
        if fault.until < replaced_at && fault.until >= from {
            all.push(Happening {
                at: fault.until,
                change: fault.partner,
                what: What::End { leaves: leaves(fault) },
            });
        }
    }
}

fn temporary(fault: &Change) -> Temporary {
    match fault.kind {
        Kind::Strobe => Temporary::Strobe {
            amplitude: Span::from_nanos(fault.amount),
            period: Span::from_nanos(fault.second),
        },
        Kind::Stall => Temporary::Stall,
        _ => Temporary::Slew(Rate::from_parts(fault.second)),
    }
}

/// What a slew that ran its whole way still owes at its end: less than its rate gains in a nanosecond.
fn leaves(fault: &Change) -> Option<Span> {
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

/// Where a clock stands while it is laid out.
struct State {
    /// The instant up to which it is laid.
    at: HostInstant,
    /// What the line shows at `at`, less `at`.
    offset: i128,
    base_rate: Rate,
    temporary: Option<Temporary>,
    /// What a true clock is ahead of CLOCK_MONOTONIC.
    truth: i128,
    event: Event,
    step: Span,
    /// The change that the segment in force is the work of.
    change: u32,
    /// How far the host was stepped since the segment in force was laid; it is followed from here on.
    host_stepped: bool,
}

impl State {
    /// How the clock stands at `from`, before anything that happens there.
    fn at(tables: &Tables, captured: &Captured, clock: Clock, from: HostInstant) -> Self {
        let old = tables.schedule(clock);
        let segment = find(old, from).and_then(|index| old.get(index)).copied().unwrap_or(Segment::TRUE);
        let then = i128::from(tables.captured.of(clock).as_nanos());
        let now = i128::from(captured.of(clock).as_nanos());
        let truth_moved = now - then;
        let temporary = match segment.shape {
            Shape::Strobe { amplitude, period } => Some(Temporary::Strobe { amplitude, period }),
            _ if segment.rate == segment.base_rate => None,
            _ if segment.rate == Rate::STANDSTILL => Some(Temporary::Stall),
            _ => Some(Temporary::Slew(segment.rate.saturating_add(segment.base_rate.saturating_neg()))),
        };
        let host_stepped = truth_moved.unsigned_abs() > u128::from(HOST_STEP.unsigned_nanos());
        let (offset, truth) = if segment.shape == Shape::True {
            (now, now)
        } else {
            let elapsed = i128::from(from.as_nanos()) - i128::from(segment.from.as_nanos());
            let line = i128::from(segment.offset.as_nanos()) + segment.rate.gained(elapsed);
            if host_stepped { (line + truth_moved, now) } else { (line, then) }
        };
        State {
            at: from,
            offset,
            base_rate: segment.base_rate,
            temporary,
            truth,
            event: Event::Start,
            step: Span::ZERO,
            change: segment.change,
            host_stepped: host_stepped && segment.shape != Shape::True,
        }
    }

    /// A segment that goes on as before, from where the host was stepped to.
    fn follow_host(&self) -> Option<Segment> {
        self.host_stepped.then(|| self.segment(self.change))
    }

    fn rate(&self) -> Rate {
        match self.temporary {
            Some(Temporary::Stall) => Rate::STANDSTILL,
            Some(Temporary::Slew(extra)) => self.base_rate.saturating_add(extra),
            _ => self.base_rate,
        }
    }

    /// What the line shows at a later instant, if nothing happens until then.
    fn line_at(&self, at: HostInstant) -> i128 {
        let elapsed = i128::from(at.as_nanos()) - i128::from(self.at.as_nanos());
        i128::from(at.as_nanos()) + self.offset + self.rate().gained(elapsed)
    }

    /// Carries the clock to a happening and through it.
    fn advance(&mut self, happening: &Happening, set_by: impl Fn(u32) -> Span) -> Result<()> {
        self.offset = self.line_at(happening.at) - i128::from(happening.at.as_nanos());
        self.at = happening.at;
        self.step = Span::ZERO;
        match happening.what {
            What::Step(by) => self.step_by(by),
            What::Set { id, .. } => self.step_by(set_by(id)),
            What::Unset { id, ended_meanwhile } => {
                self.step_by(set_by(id).saturating_neg().saturating_add(ended_meanwhile));
            }
            What::Rate(rate) => {
                self.base_rate = rate;
                self.event = Event::Rate;
            }
            What::Begin(temporary) => {
                self.temporary = Some(temporary);
                self.event = Event::TemporaryBegins;
            }
            What::End { leaves } => {
                self.temporary = None;
                self.step_by(leaves.unwrap_or(Span::ZERO));
                self.event = Event::TemporaryEnds;
            }
            What::Heal { home } => self.heal(home),
        }
        self.check()
    }

    fn step_by(&mut self, by: Span) {
        self.offset += i128::from(by.as_nanos());
        self.step = by;
        self.event = Event::Step;
    }

    /// A wall clock comes home; a monotonic one only runs truly again.
    fn heal(&mut self, home: bool) {
        if home {
            self.offset = self.truth;
        }
        self.base_rate = Rate::TRUE;
        self.temporary = None;
        self.event = Event::Heal;
    }

    fn check(&self) -> Result<()> {
        if !self.rate().is_valid() {
            return Err(Error::bad_input(
                "combine the base rate with the slew",
                "the clock would run below standstill or above 1000x",
            )
            .remedy("heal the node first, or choose a smaller rate"));
        }
        let shown = i128::from(self.at.as_nanos()) + self.offset;
        if i64::try_from(shown).is_err() || i64::try_from(self.offset).is_err() {
            return Err(Error::bad_input(
                "move the clock that far",
                "it would leave the range of 64-bit nanoseconds, 1677-09-21T00:12:43Z to 2262-04-11T23:47:16Z",
            ));
        }
        Ok(())
    }

    fn segment(&self, change: u32) -> Segment {
        let healthy = self.offset == self.truth && self.base_rate == Rate::TRUE && self.temporary.is_none();
        let shape = match self.temporary {
            Some(Temporary::Strobe { amplitude, period }) => Shape::Strobe { amplitude, period },
            _ if healthy => Shape::True,
            _ => Shape::Linear,
        };
        Segment {
            from: self.at,
            until_sec: i64::MAX,
            shape,
            event: self.event,
            offset: Span::from_nanos(saturate(self.offset)),
            rate: self.rate(),
            base_rate: self.base_rate,
            step: self.step,
            change,
        }
    }
}
