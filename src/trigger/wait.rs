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

/// Waits until the trigger has fired and `delay` has passed since, or until `cancel` is readable: a descriptor of the
/// caller's own, which is only polled.
pub fn wait(trigger: &mut dyn Trigger, delay: Span, cancel: Option<BorrowedFd<'_>>) -> Result<Waited> {
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
fn poll(cancel: Option<BorrowedFd<'_>>, others: &[BorrowedFd<'_>], until: HostInstant) -> Result<bool> {
    let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let cancel = cancel.map_or(-1, |cancel| cancel.as_raw_fd());
    let others = others.iter().map(AsRawFd::as_raw_fd);
    let mut fds: Vec<libc::pollfd> = std::iter::once(cancel).chain(others).map(entry).collect();
    let left = until.saturating_since(host_clock::monotonic()).as_nanos().max(0);
    match raw::poll(&mut fds, (until != HostInstant::MAX).then_some(left)) {
        Ok(_) => Ok(fds.first().is_some_and(|cancel| cancel.revents != 0)),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(Error::not_applied("wait for a trigger", errno.desc())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Fires when it is looked at for the so-manieth time, and asks for looks a millisecond apart.
    struct Count(u32, Vec<HostInstant>);

    impl Trigger for Count {
        fn awaited(&self) -> String {
            "a count".to_owned()
        }

        fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
            Vec::new()
        }

        fn due(&self) -> Option<HostInstant> {
            let last = self.1.last().copied().unwrap_or(HostInstant::MIN);
            Some(last.saturating_add(Span::from_millis(1)))
        }

        fn look(&mut self) -> Result<Option<Fired>> {
            let now = host_clock::monotonic();
            self.1.push(now);
            let fires = u32::try_from(self.1.len()).is_ok_and(|looks| looks >= self.0);
            Ok(fires.then(|| Fired::new("count", "it", now)))
        }
    }

    #[test]
    fn it_looks_when_it_is_due_and_then_waits_for_the_delay() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut count = Count(5, Vec::new());
        let delay = Span::from_millis(20);
        let Waited::Fired(fired) = wait(&mut count, delay, Some(ours.as_fd())).unwrap() else {
            panic!("cancelled")
        };
        assert_eq!((count.1.len(), fired.delay), (5, delay));
        assert!(count.1.windows(2).all(|pair| pair[1].saturating_since(pair[0]) >= Span::from_millis(1)));
        assert!(host_clock::monotonic() >= fired.at.saturating_add(delay));
        let json = serde_json::to_value(&fired).unwrap();
        let at = fired.at.as_nanos();
        assert_eq!(
            json,
            serde_json::json!({ "kind": "count", "on": "it", "at_ns": at, "delay_ns": 20_000_000 })
        );
    }

    #[test]
    fn a_cancellation_wins_before_it_fires_and_until_the_delay_is_over() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"x").unwrap();
        for (looks, delay) in [(u32::MAX, Span::ZERO), (1, Span::from_secs(3600)), (1, Span::ZERO)] {
            let waited = wait(&mut Count(looks, Vec::new()), delay, Some(ours.as_fd())).unwrap();
            assert_eq!(waited, Waited::Cancelled, "{looks} {delay:?}");
        }
    }
}
