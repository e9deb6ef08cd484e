//! Waiting for a trigger, and for the delay after it, unless whoever asked for it thinks better of it.
//!
//! What must hold: a cancellation that comes before the end of the delay wins; the delay counts from the event, not from
//! when this process got round to it.

use std::os::fd::{AsRawFd, BorrowedFd};

use falseticker_page::time::{HostInstant, Span};
use nix::errno::Errno;

use super::{Fired, Trigger};
use crate::error::{Error, Result};
use crate::{host_clock, raw};

/// What a wait came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The trigger has fired, and the delay is over.
    Fired(Fired),
    /// The other descriptor became readable first.
    Cancelled,
}

/// Waits until the trigger has fired and `delay` has passed since, or until `cancel` is readable.
pub fn wait(trigger: &mut dyn Trigger, delay: Span, cancel: BorrowedFd<'_>) -> Result<Waited> {
    let mut fired = loop {
        // Before anything else: what came between preparation and now.
        if let Some(fired) = trigger.look()? {
            break fired;
        }
        let (descriptors, due) = (trigger.descriptors(), trigger.due().unwrap_or(HostInstant::MAX));
        if poll(cancel, &descriptors, due)? {
            return Ok(Waited::Cancelled);
        }
    };
    fired.delay = delay;
    let until = fired.at.saturating_add(delay);
    loop {
        // Asked once though there may be no delay.
        if poll(cancel, &[], until)? {
            return Ok(Waited::Cancelled);
        }
        if host_clock::monotonic() >= until {
            return Ok(Waited::Fired(fired));
        }
    }
}

/// Whether `cancel` is readable, once it or one of the others is, or at `until`.
fn poll(cancel: BorrowedFd<'_>, others: &[BorrowedFd<'_>], until: HostInstant) -> Result<bool> {
    let entry = |fd: &BorrowedFd<'_>| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut fds: Vec<libc::pollfd> = std::iter::once(&cancel).chain(others).map(entry).collect();
    let left = until.saturating_since(host_clock::monotonic()).as_nanos().max(0);
    match raw::poll(&mut fds, (until != HostInstant::MAX).then_some(left)) {
        Ok(_) => Ok(fds.first().is_some_and(|cancel| cancel.revents != 0)),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(Error::not_applied("wait for a trigger", errno.desc())),
    }
}
