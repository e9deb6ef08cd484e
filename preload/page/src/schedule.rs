//! A schedule: segments in the order of their starts, as a function of the host's CLOCK_MONOTONIC, and its inverse.
//!
//! What must hold: without steps backward and strobes, `t1 <= t2` gives `value(t1) <= value(t2)`; [`reaches`] is the
//! first host instant at which the clock shows what was asked for, or more; neither ever panics or loops, whatever
//! the segments say.

use crate::segment::{Segment, SegmentCell, Shape};
use crate::time::{HostInstant, NodeInstant, Span, saturate};

/// Segments that can be looked up: a slice, or the cells of a slot.
pub trait Pieces {
    /// How many there are.
    fn count(&self) -> usize;
    /// Where the `index`th begins.
    fn start(&self, index: usize) -> HostInstant;
    /// The `index`th.
    fn piece(&self, index: usize) -> Segment;
}

impl Pieces for [Segment] {
    fn count(&self) -> usize {
        self.len()
    }

    fn start(&self, index: usize) -> HostInstant {
        self.get(index).map_or(HostInstant::MAX, |segment| segment.from)
    }

    fn piece(&self, index: usize) -> Segment {
        self.get(index).copied().unwrap_or(Segment::TRUE)
    }
}

impl Pieces for [SegmentCell] {
    fn count(&self) -> usize {
        self.len()
    }

    fn start(&self, index: usize) -> HostInstant {
        self.get(index).map_or(HostInstant::MAX, SegmentCell::load_from)
    }

    fn piece(&self, index: usize) -> Segment {
        self.get(index).map_or(Segment::TRUE, SegmentCell::load)
    }
}

/// The segment in force at `at`: the last one that starts no later. `None` before the oldest.
pub fn find<P: Pieces + ?Sized>(pieces: &P, at: HostInstant) -> Option<usize> {
    let (mut low, mut high) = (0, pieces.count());
    while low < high {
        let middle = low + (high - low) / 2;
        if pieces.start(middle) <= at {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low.checked_sub(1)
}

/// What the clock shows at `at`; `None` before the oldest segment.
pub fn value<P: Pieces + ?Sized>(pieces: &P, at: HostInstant) -> Option<NodeInstant> {
    find(pieces, at).map(|index| pieces.piece(index).value(at))
}

/// The first host instant, not before `since`, at which the clock shows `target` or more; `None` when it never does.
/// A true clock is taken to run as the host's monotonic one does.
pub fn reaches<P: Pieces + ?Sized>(
    pieces: &P,
    target: NodeInstant,
    since: HostInstant,
) -> Option<HostInstant> {
    let first = find(pieces, since).unwrap_or(0);
    let count = pieces.count();
    for index in first..count {
        let piece = pieces.piece(index);
        let from = piece.from.max(since);
        let last = if index + 1 < count {
            match pieces.start(index + 1).checked_add(Span::from_nanos(-1)) {
                Some(last) => last,
                None => continue,
            }
        } else {
            HostInstant::MAX
        };
        if from > last {
            continue;
        }
        if let Some(at) = reaches_within(&piece, target, from, last) {
            return Some(at);
        }
    }
    None
}

/// The same within one segment, in `from..=last`.
fn reaches_within(
    piece: &Segment,
    target: NodeInstant,
    from: HostInstant,
    last: HostInstant,
) -> Option<HostInstant> {
    if target == NodeInstant::MIN {
        // What would be below the range is shown as its end.
        return Some(from);
    }
    let target = i128::from(target.as_nanos());
    let Shape::Strobe { amplitude, period } = piece.shape else {
        return first_at(piece, target, from, last);
    };
    let line = Segment { shape: Shape::Linear, ..*piece };
    let period = period.as_nanos().max(2);
    let half = period / 2;
    // In the first half of a period the clock is ahead by the amplitude, so the line itself has less to show there.
    let ahead = target - i128::from(amplitude.as_nanos());
    let in_first =
        first_at(&line, ahead, from, last).and_then(|at| in_phase(piece.from, at, period, 0, half));
    let in_second =
        first_at(&line, target, from, last).and_then(|at| in_phase(piece.from, at, period, half, period));
    [in_first, in_second].into_iter().flatten().min().filter(|at| *at <= last)
}

/// The first instant, not before `at`, whose phase within the period lies in `begin..end`; `None` out of range.
fn in_phase(origin: HostInstant, at: HostInstant, period: i64, begin: i64, end: i64) -> Option<HostInstant> {
    let elapsed = i128::from(at.as_nanos()) - i128::from(origin.as_nanos());
    let phase = elapsed.rem_euclid(i128::from(period));
    let wait = if phase < i128::from(begin) {
        i128::from(begin) - phase
    } else if phase < i128::from(end) {
        0
    } else {
        i128::from(period) - phase + i128::from(begin)
    };
    at.checked_add(Span::from_nanos(saturate(wait)))
}

/// The first instant in `from..=last` at which a segment that never runs backward shows `target`, by bisection:
/// exact whatever the rate's rounding does.
fn first_at(line: &Segment, target: i128, from: HostInstant, last: HostInstant) -> Option<HostInstant> {
    if line.shown(last) < target {
        return None;
    }
    if line.shown(from) >= target {
        return Some(from);
    }
    let (mut low, mut high) = (i128::from(from.as_nanos()), i128::from(last.as_nanos()));
    while low < high {
        let middle = low + (high - low) / 2;
        if line.shown(HostInstant::from_nanos(saturate(middle))) >= target {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(HostInstant::from_nanos(saturate(low)))
}
