//! How instants are told: counted from the start of the timeline, or, where that is all that is known, by the order of the lines.

use super::gather::Gathered;
use crate::Span;
use crate::check::Past;
use crate::units::format_span;

/// The axis of true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// From where instants are counted.
    pub origin: i64,
    /// The first instant that is shown.
    pub first: i64,
    /// The last one.
    pub last: i64,
    /// Whether instants are only an order, and no nanoseconds.
    pub is_order_only: bool,
}

impl Axis {
    pub(super) fn of(past: &Past, gathered: &Gathered) -> Axis {
        let ops = || past.ops.iter();
        let firsts = ops().map(|op| op.begun.from).chain(gathered.span.map(|(first, _)| first));
        let lasts = ops().map(|op| if op.done.until == i64::MAX { op.done.from } else { op.done.until });
        let first = firsts.min().unwrap_or(0);
        let last = lasts.chain(gathered.span.map(|(_, last)| last)).chain(past.end).max().unwrap_or(first);
        let origin = past.start.unwrap_or(if past.is_order_only { 0 } else { first });
        Axis { origin, first, last, is_order_only: past.is_order_only }
    }

    /// Where an instant is: in seconds, or, of an order, by its number.
    #[expect(clippy::cast_precision_loss, reason = "for drawing; what is told in words is exact")]
    pub fn at(&self, nanos: i64) -> f64 {
        let since = nanos.saturating_sub(self.origin);
        if self.is_order_only { since as f64 } else { since as f64 / 1e9 }
    }

    /// An instant in words, exactly.
    pub fn told(&self, nanos: i64) -> String {
        if self.is_order_only {
            return format!("line {nanos}");
        }
        format_span(Span::from_nanos(nanos.saturating_sub(self.origin)))
    }

    /// Two instants between which something lies, in words.
    pub fn between(&self, from: i64, until: i64) -> String {
        if from == until { self.told(from) } else { format!("{} to {}", self.told(from), self.told(until)) }
    }

    /// What is written beside the axis.
    pub fn title(&self) -> &'static str {
        if self.is_order_only { "order of the lines" } else { "true time since the start" }
    }

    /// In which of so many parts of the axis an instant lies.
    pub(super) fn part(&self, nanos: i64, parts: usize) -> usize {
        let length = i128::from(self.last) - i128::from(self.first) + 1;
        let since = (i128::from(nanos) - i128::from(self.first)).clamp(0, length - 1);
        usize::try_from(since * parts as i128 / length).unwrap_or(0)
    }
}
