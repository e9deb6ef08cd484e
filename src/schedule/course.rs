//! A clock on its way through what happens to it: where it stands, and the segment that begins there.
//!
//! What must hold: a clock is carried from one happening to the next in 128 bits, so that lines meet exactly; a clock
//! that would run backward or leave its range is refused.

use falseticker_page::layout::Clock;
use falseticker_page::schedule::find;
use falseticker_page::segment::{Segment, Shape};
use falseticker_page::time::{HostInstant, NodeInstant, Rate, Span, saturate};

use super::tables::{Captured, Tables};
use crate::error::{Error, Result};

/// Up to here a host clock that has moved since the last publication is being slewed, which a schedule in force need
/// not follow; beyond, it was stepped, and the schedule goes with it.
const HOST_STEP: Span = Span::from_millis(1);

/// Something that happens to a clock at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happening {
    pub(super) at: HostInstant,
    /// The change that the segment from here on is the work of.
    pub(super) change: u32,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
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
pub(super) enum Temporary {
    Slew(Rate),
    Stall,
    Strobe { amplitude: Span, period: Span },
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
    /// How `clock` will stand when it comes to `from`, if nothing is published before: of what begins or ends there,
    /// nothing has.
    pub fn before(tables: &Tables, captured: &Captured, clock: Clock, from: HostInstant) -> Self {
        let state = State::before(tables, captured, clock, from);
        let shown = state.line_at(from) - i128::from(from.as_nanos());
        Standing {
            offset: Span::from_nanos(saturate(shown - state.truth)),
            base_rate: state.base_rate,
            temporary: state.temporary.is_some(),
        }
    }
}

/// Where a clock stands while it is laid out.
pub(super) struct State {
    /// Where the line begins that it is on.
    pub(super) at: HostInstant,
    /// What the line shows at `at`, less `at`.
    pub(super) offset: i128,
    pub(super) base_rate: Rate,
    pub(super) temporary: Option<Temporary>,
    /// What a true clock is ahead of CLOCK_MONOTONIC.
    pub(super) truth: i128,
    /// The change that the segment in force is the work of.
    pub(super) change: u32,
    /// How far the host was stepped since the segment in force was laid; it is followed from here on.
    pub(super) host_stepped: bool,
    /// Whether it must not become the host's own clock again.
    pub(super) stays_laid: bool,
}

impl State {
    /// How the clock stands when it comes to `from`, before anything that happens there. It stays on the line on which
    /// it is, so that to be laid anew costs it no fraction of a nanosecond.
    pub(super) fn before(tables: &Tables, captured: &Captured, clock: Clock, from: HostInstant) -> Self {
        let old = tables.schedule(clock);
        let just_before = from.saturating_add(Span::from_nanos(-1));
        let segment =
            find(old, just_before).and_then(|index| old.get(index)).copied().unwrap_or(Segment::TRUE);
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
        let line = i128::from(segment.offset.as_nanos());
        let elapsed = i128::from(from.as_nanos()) - i128::from(segment.from.as_nanos());
        let (at, offset, truth) = match segment.shape {
            Shape::True => (from, now, now),
            _ if host_stepped => (from, line + segment.rate.gained(elapsed) + truth_moved, now),
            _ => (segment.from, line, then),
        };
        State {
            at,
            offset,
            base_rate: segment.base_rate,
            temporary,
            truth,
            change: segment.change,
            host_stepped: host_stepped && segment.shape != Shape::True,
            stays_laid: clock != Clock::Wall && segment.shape != Shape::True,
        }
    }

    /// A segment that goes on as before, from where the host was stepped to.
    pub(super) fn follow_host(&self) -> Option<Segment> {
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
    pub(super) fn line_at(&self, at: HostInstant) -> i128 {
        let elapsed = i128::from(at.as_nanos()) - i128::from(self.at.as_nanos());
        i128::from(at.as_nanos()) + self.offset + self.rate().gained(elapsed)
    }

    /// Carries the clock to a happening and through it.
    pub(super) fn advance(&mut self, happening: &Happening, set_by: impl Fn(u32) -> Span) -> Result<()> {
        self.offset = self.line_at(happening.at) - i128::from(happening.at.as_nanos());
        self.at = happening.at;
        match happening.what {
            What::Step(by) => self.step_by(by),
            What::Set { id, .. } => self.step_by(set_by(id)),
            What::Unset { id, ended_meanwhile } => {
                self.step_by(set_by(id).saturating_neg().saturating_add(ended_meanwhile));
            }
            What::Rate(rate) => self.base_rate = rate,
            What::Begin(temporary) => self.temporary = Some(temporary),
            What::End { leaves } => {
                self.temporary = None;
                self.step_by(leaves.unwrap_or(Span::ZERO));
            }
            What::Heal { home } => self.heal(home),
        }
        self.check()
    }

    fn step_by(&mut self, by: Span) {
        self.offset += i128::from(by.as_nanos());
    }

    /// A wall clock comes home; a monotonic one only runs truly again.
    fn heal(&mut self, home: bool) {
        if home {
            self.offset = self.truth;
        }
        self.base_rate = Rate::TRUE;
        self.temporary = None;
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

    pub(super) fn segment(&self, change: u32) -> Segment {
        let healthy = self.offset == self.truth && self.base_rate == Rate::TRUE && self.temporary.is_none();
        // A monotonic clock that was faulted once is never the host's own again, even where both show the same: the
        // way over to it would be one between two reads of the host, and might lead back by some nanoseconds.
        let healthy = healthy && !self.stays_laid;
        let shape = match self.temporary {
            Some(Temporary::Strobe { amplitude, period }) => Shape::Strobe { amplitude, period },
            _ if healthy => Shape::True,
            _ => Shape::Linear,
        };
        Segment {
            from: self.at,
            until_sec: i64::MAX,
            shape,
            offset: Span::from_nanos(saturate(self.offset)),
            rate: self.rate(),
            base_rate: self.base_rate,
            change,
        }
    }
}
