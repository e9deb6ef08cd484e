//! When a deadline on a node's clock comes: from the schedule, as an instant of the host, and as what libc is to be given.
//!
//! What must hold: a deadline has come at the first instant, from the beginning of the wait on, at which its clock shows it;
//! so the kernel has it for a clock that is stepped (`hrtimers` fire when the clock shows their time or more, however it came
//! there). Nothing here marks evidence: the kernel asks for the time here, not the program.

use core::sync::atomic::Ordering;

use falseticker_page::latch::{READ_ATTEMPTS, read_once};
use falseticker_page::layout::{Clock, Page};
use falseticker_page::schedule::{Pieces, find, reaches};
use falseticker_page::segment::{Segment, SegmentCell, Shape};
use falseticker_page::time::{HostInstant, NodeInstant, Rate, Span};

use crate::abi::{Timespec, clock};
use crate::read::host_instant;

/// How long is waited at a time where nobody can wake the waiter when the schedule changes.
pub const SLICE: Span = Span::from_millis(10);

/// An instant on one of the node's clocks.
#[derive(Clone, Copy)]
pub struct Deadline {
    /// The schedule.
    pub clock: Clock,
    /// The instant.
    pub target: NodeInstant,
    /// When the wait for it began.
    pub since: HostInstant,
}

/// The clock by which whoever waits in the end measures a deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A host clock: the kernel is given an absolute deadline on it.
    Host(i32),
    /// A node's clock: libc reads it, and gives the kernel what is left until the deadline.
    Node(i32),
}

/// When a deadline comes, as far as one version of the schedule says.
#[derive(Clone, Copy)]
pub struct Due {
    /// That version.
    pub word: u64,
    /// When it comes; [`HostInstant::MAX`] for never.
    pub at: HostInstant,
    /// Whether the clock is true then, and before, so that the host's own clock decides.
    pub on_true: bool,
    /// Whether it has come by now: where the clock is true, whether the host's own has shown it.
    come: bool,
    /// When this was found out.
    now: HostInstant,
    /// What the clock showed then.
    shown: NodeInstant,
    /// The segment that was in force, and where the clock leaves that line.
    segment: Segment,
    until: HostInstant,
    /// The rate in force when the deadline comes.
    rate_then: Rate,
}

/// Segments as they are read: a true one shows the host's clock as it is, not as it was when the segment was laid.
struct Live<'a> {
    cells: &'a [SegmentCell],
    ahead: Span,
}

impl Pieces for Live<'_> {
    fn count(&self) -> usize {
        self.cells.count()
    }

    fn start(&self, index: usize) -> HostInstant {
        self.cells.start(index)
    }

    fn piece(&self, index: usize) -> Segment {
        let piece = self.cells.piece(index);
        if piece.shape == Shape::True { Segment { offset: self.ahead, ..piece } } else { piece }
    }
}

impl Deadline {
    /// When it comes; `None` when the page gives no answer.
    pub fn due(&self, page: &Page) -> Option<Due> {
        let Reading { now, ahead, shows } = read_host(host_id(self.clock))?;
        (0..READ_ATTEMPTS).find_map(|_| {
            read_once(&page.header.word, |word| {
                let pieces = Live { cells: page.slot(word).segments(self.clock), ahead };
                let index = find(&pieces, now)?;
                let segment = pieces.piece(index);
                let at = reaches(&pieces, self.target, self.since);
                let last = at.map_or(pieces.count().saturating_sub(1), |at| find(&pieces, at).unwrap_or(0));
                let last = pieces.piece(last);
                // By the host's clock a deadline that a step leaps over is over already.
                let is_leapt_over = at == Some(last.from);
                let on_true = last.shape == Shape::True && !is_leapt_over;
                let at = at.unwrap_or(HostInstant::MAX);
                Some(Due {
                    word: word.raw(),
                    at,
                    on_true,
                    come: if on_true { shows >= self.target } else { at <= now },
                    now,
                    shown: segment.value(now),
                    segment,
                    until: next_turn(&segment, now, pieces.start(index + 1)),
                    rate_then: last.rate,
                })
            })?
            .1
        })
    }

    /// Whether it has come by now.
    pub fn has_come(&self, page: &Page) -> bool {
        self.due(page).is_some_and(|due| due.has_come())
    }

    /// The deadline to give to whoever measures it so.
    ///
    /// Libc may look at it again at any later time, and by a host clock that changes nothing. By a node's clock what is left is
    /// right only now: so the wait ends with the segment at the latest, where the clock may step. On a slow clock it would
    /// come too late after a second look, by what the clock has lost meanwhile: one that may be begun `again` is cut short
    /// before that is 5 ms. (Too early is noticed, and no harm.)
    pub fn for_libc(&self, due: &Due, measure: Measure, again: bool) -> Timespec {
        let instant = match measure {
            Measure::Host(id) if due.on_true && id == host_id(self.clock) => self.target.as_nanos(),
            Measure::Host(clock::MONOTONIC) => due.at.as_nanos(),
            Measure::Host(id) => {
                let ahead = read_host(id).map_or(due_ahead(due), |reading| reading.ahead);
                due.at.as_nanos().saturating_add(ahead.as_nanos())
            }
            Measure::Node(_) if due.on_true && due.segment.shape == Shape::True => self.target.as_nanos(),
            Measure::Node(_) => {
                let stop = due.at.min(due.until).saturating_since(due.now);
                let stop = if again { stop.min(longest_look(due.segment.rate)) } else { stop };
                due.shown.saturating_add(stop).as_nanos()
            }
        };
        timespec(instant)
    }
}

impl Due {
    /// Whether the deadline had come when this was found out.
    pub fn has_come(&self) -> bool {
        self.come
    }

    /// Whether the clock will leave the line that it is on.
    pub fn turns(&self) -> bool {
        self.until != HostInstant::MAX
    }

    /// The same deadline, or an earlier one at most `slice` from now.
    #[must_use]
    pub fn within(self, slice: Span) -> Self {
        let end = self.now.saturating_add(slice);
        if self.at <= end { self } else { Due { at: end, on_true: false, ..self } }
    }

    /// When this was found out.
    pub fn now(&self) -> HostInstant {
        self.now
    }

    /// The rate of the clock when it comes.
    pub fn rate_then(&self) -> Rate {
        self.rate_then
    }

    /// By how much it is over on the host's clock, for whoever counts what a step has leapt over: every `pace` is an `every` of
    /// the node's.
    pub fn lateness(&self, target: NodeInstant, every: Span, pace: Span) -> Span {
        if self.at > self.now || every <= Span::ZERO {
            return Span::ZERO;
        }
        let over = i128::from(self.shown.saturating_since(target).as_nanos().max(0));
        let on_host = over * i128::from(pace.as_nanos()) / i128::from(every.as_nanos());
        Span::from_nanos(i64::try_from(on_host).unwrap_or(i64::MAX))
    }

    /// Whether a step of the clock leaps over it.
    pub fn is_leapt_over(&self) -> bool {
        self.at > self.now && self.at == self.until
    }

    /// Where the clock leaves the line that it is on; [`HostInstant::MAX`] for never.
    pub fn turn(&self) -> HostInstant {
        self.until
    }

    /// Whether it comes when `other` comes, so that a wait for that need not be disturbed.
    pub fn agrees_with(&self, at: HostInstant, on_true: bool) -> bool {
        self.on_true == on_true && (on_true || self.at == at)
    }
}

/// How long it takes a slow clock to lose 5 ms, but no less than a slice.
fn longest_look(rate: Rate) -> Span {
    let slow = rate.as_parts().saturating_neg();
    if slow <= 0 {
        return Span::MAX;
    }
    let nanos = (5_000_000_i64 << 32).checked_div(slow).unwrap_or(i64::MAX);
    Span::from_nanos(nanos).max(SLICE)
}

/// Where the clock next leaves the line that it is on: the segment's end, or a strobe's next turn.
fn next_turn(segment: &Segment, now: HostInstant, end: HostInstant) -> HostInstant {
    let Shape::Strobe { period, .. } = segment.shape else { return end };
    let half = (period.as_nanos() / 2).max(1);
    let into = now.saturating_since(segment.from).as_nanos().rem_euclid(half);
    end.min(now.saturating_add(Span::from_nanos(half - into)))
}

/// What a clock was ahead when it was last asked, where it cannot be asked any more.
fn due_ahead(due: &Due) -> Span {
    Span::from_nanos(due.shown.as_nanos().saturating_sub(due.now.as_nanos()))
}

/// The host's clock that is true where this one is.
pub const fn host_id(clock: Clock) -> i32 {
    match clock {
        Clock::Wall => clock::REALTIME,
        Clock::Mono => clock::MONOTONIC,
        Clock::Boot => clock::BOOTTIME,
    }
}

/// A host clock beside CLOCK_MONOTONIC.
struct Reading {
    now: HostInstant,
    /// How far the clock is ahead of CLOCK_MONOTONIC: rather too far by the length of a read than too little, so that a deadline
    /// made of it is never too early.
    ahead: Span,
    /// What it showed no later than `now`.
    shows: NodeInstant,
}

fn read_host(id: i32) -> Option<Reading> {
    let mut before = host_instant(clock::MONOTONIC)?;
    if id == clock::MONOTONIC {
        let shows = NodeInstant::from_nanos(before.as_nanos());
        return Some(Reading { now: before, ahead: Span::ZERO, shows });
    }
    let mut best: Option<(Span, Reading)> = None;
    // A reader that loses the processor in between reads again.
    for _ in 0..4 {
        let other = host_instant(id)?;
        let now = host_instant(clock::MONOTONIC)?;
        let took = now.saturating_since(before);
        if best.as_ref().is_none_or(|(least, _)| took < *least) {
            let shows = NodeInstant::from_nanos(other.as_nanos());
            best = Some((took, Reading { now, ahead: other.saturating_since(before), shows }));
        }
        if took < Span::from_nanos(2_000) {
            break;
        }
        before = now;
    }
    best.map(|(_, reading)| reading)
}

/// What one of the node's clocks shows at an instant, now or a moment ago.
pub fn shown(page: &Page, clock: Clock, at: HostInstant) -> Option<NodeInstant> {
    let Reading { ahead, .. } = read_host(host_id(clock))?;
    (0..READ_ATTEMPTS).find_map(|_| {
        read_once(&page.header.word, |word| {
            let pieces = Live { cells: page.slot(word).segments(clock), ahead };
            falseticker_page::schedule::value(&pieces, at)
        })?
        .1
    })
}

/// How far a host clock is ahead of CLOCK_MONOTONIC.
pub fn host_ahead(id: i32) -> Option<Span> {
    read_host(id).map(|reading| reading.ahead)
}

/// Whether a clock has stepped between two instants, by more than its own reads are apart.
pub fn is_stepped(page: &Page, clock: Clock, since: HostInstant, now: HostInstant) -> Option<bool> {
    const APART: u64 = 100_000;
    let Reading { ahead, .. } = read_host(host_id(clock))?;
    (0..READ_ATTEMPTS).find_map(|_| {
        let (_, stepped) = read_once(&page.header.word, |word| {
            let pieces = Live { cells: page.slot(word).segments(clock), ahead };
            let (first, last) = (find(&pieces, since).unwrap_or(0), find(&pieces, now).unwrap_or(0));
            (first + 1..=last).any(|index| {
                let at = pieces.start(index);
                let (before, after) = (pieces.piece(index - 1).value(at), pieces.piece(index).value(at));
                after.saturating_since(before).unsigned_nanos() > APART
            })
        })?;
        Some(stepped)
    })
}

/// How long it is until the newest change takes effect; nothing if it has.
pub fn until_change(page: &Page, now: HostInstant) -> Option<Span> {
    (0..READ_ATTEMPTS).find_map(|_| {
        let (_, from) =
            read_once(&page.header.word, |word| page.slot(word).head.from.load(Ordering::Relaxed))?;
        Some(HostInstant::from_nanos(from.cast_signed()).saturating_since(now).max(Span::ZERO))
    })
}

/// An instant of the wall clock on the host's clock of this id.
pub fn in_own_clock(page: &Page, target: NodeInstant, id: i32) -> Timespec {
    let ahead = if id == clock::TAI { tai_ahead(page).unwrap_or(Span::ZERO) } else { Span::ZERO };
    timespec(target.saturating_add(ahead).as_nanos())
}

/// How far CLOCK_TAI is ahead of the wall clock: as of the last publication, which is what reads go by while a fault is in force.
pub fn tai_ahead(page: &Page) -> Option<Span> {
    (0..READ_ATTEMPTS).find_map(|_| {
        let (_, ahead) =
            read_once(&page.header.word, |word| page.slot(word).head.tai_offset.load(Ordering::Relaxed))?;
        Some(Span::from_nanos(ahead.cast_signed()))
    })
}

/// The deadline of a wait of one slice, where the page gives no answer.
pub fn slice(measure: Measure) -> Timespec {
    let (Measure::Host(id) | Measure::Node(id)) = measure;
    let now = host_instant(id).unwrap_or(HostInstant::from_nanos(0));
    timespec(now.saturating_add(SLICE).as_nanos())
}

/// An instant as libc and the kernel take it; the far end of the range for what lies beyond the kernel's.
fn timespec(nanos: i64) -> Timespec {
    let (sec, nsec) = NodeInstant::from_nanos(nanos.max(0)).split();
    Timespec { sec, nsec: i64::from(nsec) }
}
