//! Waits for a length of time, in nodes whose monotonic clock may be faulted: they last as long as that clock takes to show it.
//!
//! A wait for descriptors, a signal or a System V semaphore cannot be woken for nothing, so it goes in slices.
//!
//! What must hold: in all other nodes the real function is called with the caller's arguments, and nothing is looked at but
//! the page's flag.
#![allow(unsafe_code)]
// Sound because only this module's own timespec is handed on.

use falseticker_page::layout::{Clock, Page};
use falseticker_page::time::{HostInstant, NANOS_PER_SEC, NodeInstant, Span};

use super::due::{self, Deadline};
use super::{Early, Measure, Object, Wait};
use crate::abi::{Timespec, clock};
use crate::read::host_instant;
use crate::state::STATE;
use crate::sys::errno::ETIMEDOUT;
use crate::timer;

/// A wait that began now, for a length of time.
pub struct Relative {
    page: &'static Page,
    deadline: Deadline,
}

/// The page, where lengths of time are the node's own.
#[inline(always)]
pub fn is_affected() -> bool {
    timer::watch_over_inherited();
    STATE.page().is_some_and(Page::monotonic)
}

/// A length of time as a caller gives it; `None` when it is invalid.
pub fn span(given: Timespec) -> Option<Span> {
    (given.sec >= 0 && (0..NANOS_PER_SEC).contains(&given.nsec))
        .then(|| Span::from_nanos(NodeInstant::from_split(given.sec, given.nsec).as_nanos()))
}

impl Relative {
    /// A wait that begins now; `None` where it is the kernel's, or has no length.
    #[inline]
    pub fn begin(clock: Clock, length: Span) -> Option<Self> {
        timer::watch_over_inherited();
        let page = STATE.page().filter(|page| page.monotonic() && page.check().is_ok())?;
        if length <= Span::ZERO {
            return None;
        }
        let since = host_instant(clock::MONOTONIC)?;
        let target = due::shown(page, clock, since)?.saturating_add(length);
        Some(Relative { page, deadline: Deadline { clock, target, since } })
    }

    /// Sleeps that long: 0 or an error number.
    pub fn sleep(&self, cancel: bool) -> i32 {
        super::sleep::until(self.page, self.deadline, cancel)
    }

    /// What is left of it, by the node's clock.
    pub fn left(&self) -> Timespec {
        let now =
            host_instant(clock::MONOTONIC).and_then(|now| due::shown(self.page, self.deadline.clock, now));
        let left = now.map_or(Span::ZERO, |now| self.deadline.target.saturating_since(now)).max(Span::ZERO);
        let (sec, nsec) = left.split();
        Timespec { sec, nsec: i64::from(nsec) }
    }

    /// How long it is on the host's clock, as far as the schedule says now.
    pub fn on_host(&self) -> Timespec {
        let measure = Measure::Host(clock::MONOTONIC);
        let due = self.deadline.due(self.page);
        due.map_or(Timespec { sec: 0, nsec: 0 }, |due| {
            until_then(&self.deadline.for_libc(&due, measure, false))
        })
    }

    /// Waits by `real`, which is given how long it may wait on the host's clock. `timed_out` tells that result from others.
    #[inline(always)]
    pub fn run<R: Copy>(&self, real: impl Fn(&Timespec) -> R, timed_out: impl Fn(R) -> bool, end: R) -> R {
        let measure = Measure::Host(clock::MONOTONIC);
        let real = |until: *const Timespec| {
            // SAFETY: this wait's own.
            let until = unsafe { until.read() };
            real(&until_then(&until))
        };
        let (deadline, early) = (self.deadline, Early::Again);
        Wait { deadline, measure, early, object: Object::BEYOND_REACH }.run(self.page, real, timed_out, end)
    }
}

impl Relative {
    /// Waits on a futex by `real`, which is given an instant of the host's CLOCK_MONOTONIC.
    pub fn on_object(&self, object: Object, real: impl Fn(*const Timespec) -> isize) -> isize {
        let (deadline, measure) = (self.deadline, Measure::Host(clock::MONOTONIC));
        let early = Early::SpuriousOnceShown;
        let timed_out = |result| result == -(ETIMEDOUT as isize);
        Wait { deadline, measure, early, object }.run(self.page, real, timed_out, 0)
    }
}

/// How long it is from now until an instant of the host's CLOCK_MONOTONIC.
fn until_then(until: &Timespec) -> Timespec {
    let then = HostInstant::from_split(until.sec, until.nsec);
    let left = host_instant(clock::MONOTONIC).map_or(Span::ZERO, |now| then.saturating_since(now));
    let (sec, nsec) = left.max(Span::ZERO).split();
    Timespec { sec, nsec: i64::from(nsec) }
}
