//! Where a timer is: from what the kernel says is left, which of its expiries comes next.

use core::sync::atomic::Ordering;

use falseticker_page::time::{NodeInstant, Rate, Span};

use super::book::Entry;
use super::kernel::{self, Kind};
use super::relative;
use crate::abi::clock;
use crate::read::host_instant;

/// The kernel's timer, as it was seen.
pub struct Seen {
    /// When it expires next, by the clock that was read; within `doubt`.
    expires: i64,
    doubt: i64,
    /// Whether it was armed at all.
    armed: bool,
    /// What was left.
    pub left: Span,
}

impl Seen {
    /// Looks at a timer, and at the clock by which it goes.
    pub fn look(kind: Kind, id: i32, by: i32) -> Option<Self> {
        let mut best: Option<Seen> = None;
        // Who loses the processor in between looks again.
        for _ in 0..4 {
            let before = host_instant(by)?;
            let now = kernel::look(kind, id).ok()?;
            let after = host_instant(by)?;
            let left = relative::span(now.value)?;
            let doubt = after.saturating_since(before).as_nanos().max(0);
            if best.as_ref().is_none_or(|best| doubt < best.doubt) {
                let expires = before.saturating_add(left).as_nanos();
                best = Some(Seen { expires, doubt, armed: left > Span::ZERO, left });
            }
            if doubt < 20_000 {
                break;
            }
        }
        best
    }

    /// Whether it is not armed (any more).
    pub fn is_over(&self) -> bool {
        !self.armed
    }

    /// When it expires next, by the clock that was read.
    pub fn expires(&self) -> i64 {
        self.expires
    }
}

/// How far off what was noted a timer may be seen: what was noted of a length of time was seen with a doubt of its own.
const TOLERANCE: i64 = 50_000;
/// The same of one that comes once: a child that shares it may have moved it at the same moment to the same place.
const TOLERANCE_ONCE: i64 = 100_000;

/// The node's instant of the next expiry; `None` when the timer is not where it was left.
pub fn next_target(entry: &Entry, seen: &Seen) -> Option<NodeInstant> {
    let target = NodeInstant::from_nanos(entry.target.load(Ordering::Relaxed));
    let (told, every) = (entry.told.load(Ordering::Relaxed), entry.told_every.load(Ordering::Relaxed));
    let past = i128::from(seen.expires) - i128::from(told);
    let tolerance = if every > 0 { TOLERANCE } else { TOLERANCE_ONCE };
    let doubt = i128::from(seen.doubt + tolerance);
    let count = if every > 0 { (past + doubt).div_euclid(i128::from(every)) } else { 0 };
    let off = past - count * i128::from(every);
    if count < 0 || off.abs() > doubt {
        return None;
    }
    let on = i128::from(entry.every.load(Ordering::Relaxed)) * count;
    let on = i64::try_from(on).ok()?;
    Some(target.saturating_add(Span::from_nanos(on)))
}

/// The first expiry of a periodic timer after an instant of the node's; of one that comes once it is the only one.
pub fn next_after(target: NodeInstant, every: Span, shown: NodeInstant) -> NodeInstant {
    let past = shown.saturating_since(target).as_nanos();
    if every <= Span::ZERO || past < 0 {
        return target;
    }
    let count = (past / every.as_nanos()).saturating_add(1);
    target.saturating_add(Span::from_nanos(count.saturating_mul(every.as_nanos())))
}

/// How long an interval of the node's lasts on the host's clock, at a rate; never nothing.
pub fn on_host(every: Span, rate: Rate) -> Span {
    let whole = i128::from(1_i64 << 32);
    let speed = whole + i128::from(rate.as_parts());
    if every <= Span::ZERO {
        return Span::ZERO;
    }
    if speed <= 0 {
        // It stands still: whoever moves the clock on moves this timer too.
        return Span::from_secs(1 << 30);
    }
    let nanos = (i128::from(every.as_nanos()) * whole / speed).max(1);
    Span::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// Expiries that are over, as the kernel is told of them: it counts from the first one to now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// How long ago the first one was.
    pub late: Span,
    /// How long it was from one to the next.
    pub pace: Span,
}

impl Past {
    /// No timer began before its clock did, at 0. Where a clock has leapt further than that is ago, as many expiries are put
    /// closer together, from a second after it on: so what is read within the next second is never more than there were, and
    /// what it is less is owed. No closer than a millisecond, which can be told from how exactly a timer can be looked at.
    pub fn within(self, age: Span) -> Self {
        const MARGIN: Span = Span::from_secs(1);
        const CLOSEST: i64 = 1_000_000;
        let room = age.saturating_add(MARGIN.saturating_neg()).max(Span::ZERO);
        if self.late <= room || self.pace <= Span::ZERO {
            return self;
        }
        let pace = i128::from(self.pace.as_nanos());
        let closer = pace * i128::from(age.as_nanos()) / i128::from(self.late.as_nanos());
        let closer = closer.max(pace.min(i128::from(CLOSEST)));
        Past { late: room, pace: Span::from_nanos(i64::try_from(closer).unwrap_or(i64::MAX)) }
    }
}

/// Now, by CLOCK_MONOTONIC.
pub fn now() -> Option<falseticker_page::time::HostInstant> {
    host_instant(clock::MONOTONIC)
}
