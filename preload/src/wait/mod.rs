//! Waits with an absolute deadline on a clock that a fault may touch: they end when that clock shows the deadline, however it
//! comes there, as the kernel has it for a real clock that is stepped.
//!
//! A wait goes to libc's own function, with a pointer to a deadline in [`registry`] that is translated to what libc measures
//! by ([`due`]). When the schedule changes, the [`helper`] puts the deadlines where they now are and wakes the waiters ([`kick`]);
//! libc goes round its loop and looks again.
//!
//! What must hold:
//! 1. Whatever is no such wait (no deadline, an invalid one, a clock that no fault touches) goes to the real function as it is.
//! 2. No wait ends with ETIMEDOUT before its clock has shown the deadline: every one that does is checked.
//! 3. No wake-up is lost: a wait is begun again only where that loses nothing ([`Early`]).
//! 4. A waiter that has looked at the old deadline before a change and sleeps after it is woken. Either it registered before
//!    the helper looked through the registry, and is woken until it leaves, after ever longer times for as long as it waits; or
//!    it registered after, and then it sees the change before it sleeps.
//! 5. Cancellation, signals, priorities and robustness are libc's own: its function runs, in the caller's thread.
#![allow(unsafe_code)]
// Sound because the caller's pointers are handed on, and its deadline is read where libc would read it.

pub mod due;
pub mod helper;
mod kick;
pub mod libc;
pub mod real;
pub mod registry;
pub mod relative;
pub mod sleep;

pub use due::Measure;
pub use libc::{Family, learn as learn_libc};

use core::sync::atomic::Ordering;

use falseticker_page::layout::{Clock, Page};
use falseticker_page::time::{NANOS_PER_SEC, NodeInstant, Span};

use crate::abi::{Timespec, clock};
use crate::arch::thread::stack_pointer;
use crate::read::host_instant;
use crate::state::STATE;
use crate::symbols::errno;
use due::{Deadline, SLICE};

/// What libc is given for a deadline that has come. Were it the instant at which it came, which is often now, the kernel would
/// set a timer, and fire it later by the thread's timer slack.
const LONG_PAST: Timespec = Timespec { sec: 0, nsec: 0 };

/// What to do with a wait whose time was up before its clock showed the deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Early {
    /// Begin it again: it takes something when that is there, and leaves it otherwise.
    Again = 0,
    /// End it as if woken: a signal that came meanwhile went to others, so the program must look itself.
    Spurious = 1,
    /// The same of a wait for a length of time. Its program computes what is left of that by its clock, and so is not woken before
    /// that shows the change: between its read and its next wait the change would come, and the wait be too long by it.
    SpuriousOnceShown = 2,
}

/// What is waited on, as far as a waker needs to know.
#[derive(Clone, Copy)]
pub struct Object {
    /// Where it is.
    pub at: usize,
    /// How many bytes of it may hold a futex; 0 when nobody can be woken there.
    pub length: usize,
    /// Whether the futex may be in the frame of libc's wait instead.
    pub on_stack: bool,
    /// Whether it is this wait's own, so that nobody else sleeps there.
    pub is_own: bool,
}

impl Object {
    /// What no futex wake reaches.
    pub const BEYOND_REACH: Object = Object::shared(0, 0);

    /// One that others may wait on too.
    pub const fn shared(at: usize, length: usize) -> Self {
        Object { at, length, on_stack: false, is_own: false }
    }
}

/// A wait.
pub struct Wait {
    /// The deadline.
    pub deadline: Deadline,
    /// By which clock the wait is measured.
    pub measure: Measure,
    /// What to do when it ends too early.
    pub early: Early,
    /// What is waited on.
    pub object: Object,
}

/// A caller's deadline on a clock that a fault may touch.
pub struct Given {
    page: &'static Page,
    clock: Clock,
    target: NodeInstant,
}

/// The caller's deadline on the clock of this id; `None` when the wait is not ours.
///
/// # Safety
/// `at` is null, or can be read.
pub unsafe fn given(id: i32, at: *const Timespec) -> Option<Given> {
    let (page, clock, ahead) = affected(id)?;
    // SAFETY: the caller's contract.
    let given = unsafe { at.as_ref() }?;
    if given.sec < 0 || !(0..NANOS_PER_SEC).contains(&given.nsec) {
        return None;
    }
    let target = NodeInstant::from_split(given.sec, given.nsec).saturating_add(ahead.saturating_neg());
    Some(Given { page, clock, target })
}

/// The same, of a wait that begins now.
///
/// # Safety
/// As for [`given`].
pub unsafe fn deadline(id: i32, at: *const Timespec) -> Option<(&'static Page, Deadline)> {
    // SAFETY: the caller's contract.
    unsafe { given(id, at) }?.begin()
}

impl Given {
    /// The deadline of a wait that begins now: a look at the clock, which whoever need not wait is spared.
    pub fn begin(self) -> Option<(&'static Page, Deadline)> {
        let Given { page, clock, target } = self;
        Some((page, Deadline { clock, target, since: host_instant(clock::MONOTONIC)? }))
    }
}

/// The schedule that answers a clock id, and how far that clock is ahead of the schedule's; `None` where no fault may touch it.
fn affected(id: i32) -> Option<(&'static Page, Clock, Span)> {
    let page = STATE.page().filter(|page| page.check().is_ok())?;
    let (clock, ahead) = match id {
        clock::REALTIME | clock::REALTIME_ALARM => (Clock::Wall, Span::ZERO),
        clock::TAI => (Clock::Wall, due::tai_ahead(page)?),
        clock::MONOTONIC if page.monotonic() => (Clock::Mono, Span::ZERO),
        clock::BOOTTIME | clock::BOOTTIME_ALARM if page.monotonic() => (Clock::Boot, Span::ZERO),
        _ => return None,
    };
    Some((page, clock, ahead))
}

impl Wait {
    /// Waits by `real`, which is given the deadline to pass on. `timed_out` tells that result from others; `spurious` is what a
    /// wait ends with that is woken without cause.
    #[inline(always)]
    pub fn run<R: Copy>(
        &self,
        page: &'static Page,
        real: impl Fn(*const Timespec) -> R,
        timed_out: impl Fn(R) -> bool,
        spurious: R,
    ) -> R {
        let before = errno::get();
        loop {
            let result = self.once(page, &real);
            // On a page that is none any more there is nothing to go by.
            if !timed_out(result) || page.check().is_err() || self.deadline.has_come(page) {
                return result;
            }
            errno::set(before);
            if self.early != Early::Again {
                return spurious;
            }
        }
    }

    /// Waits until something happens, or it is time to look again.
    #[inline(always)]
    fn once<R>(&self, page: &'static Page, real: &impl Fn(*const Timespec) -> R) -> R {
        // In this frame, from which libc is called.
        match self.take_seat(page, stack_pointer()) {
            Ok(seat) => real(seat.deadline()),
            Err(limited) => real(&raw const limited),
        }
    }

    /// Registers; or the deadline for a wait that needs no entry, since it is due, or in whose time nobody would wake it.
    #[inline(never)]
    fn take_seat(&self, page: &'static Page, stack: usize) -> Result<registry::Seat, Timespec> {
        let again = self.early == Early::Again;
        let Some(mut due) = self.deadline.due(page) else {
            return Err(due::slice(self.measure));
        };
        if due.has_come() {
            return Err(LONG_PAST);
        }
        let seat = if self.object.length > 0 && helper::is_there() { registry::take() } else { None };
        let Some(seat) = seat else {
            return Err(self.deadline.for_libc(&due.within(SLICE), self.measure, again));
        };
        loop {
            seat.fill(self, &due, stack);
            seat.open();
            if page.header.word.load(Ordering::Acquire) == due.word || !seat.close() {
                return Ok(seat);
            }
            match self.deadline.due(page) {
                Some(again) => due = again,
                None => return Err(due::slice(self.measure)),
            }
        }
    }
}
