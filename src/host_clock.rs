//! The machine's own clocks, read and slept on by syscalls of this crate's own.
//!
//! What must hold: the controller may itself run inside a node, where libc's functions and even the vDSO show the
//! node's time; so nothing in the crate takes the host's time from anywhere but here.

use falseticker_page::time::{HostInstant, Span};
use nix::errno::Errno;

use crate::raw;

/// The host's CLOCK_MONOTONIC, on which every schedule is drawn.
pub fn monotonic() -> HostInstant {
    HostInstant::from_nanos(read(libc::CLOCK_MONOTONIC))
}

/// The host's CLOCK_REALTIME, in nanoseconds since 1970.
pub fn realtime() -> i64 {
    read(libc::CLOCK_REALTIME)
}

/// A clock of the host by its number, in nanoseconds since its epoch; 0 for a clock that the kernel does not have.
pub fn read(clock: libc::clockid_t) -> i64 {
    raw::clock_gettime(clock).unwrap_or(0)
}

/// Sleep until the host's CLOCK_MONOTONIC shows `at`; signals whose handlers run do not shorten it.
pub fn sleep_until(at: HostInstant) {
    while raw::sleep_until(libc::CLOCK_MONOTONIC, at.as_nanos()) == Err(Errno::EINTR) {}
}

/// Sleep until the host's coarse clock shows `at` too, which follows a tick behind: from then on `time()` and whatever
/// else reads coarse clocks is in what begins at `at`.
pub fn sleep_until_all_show(at: HostInstant) {
    sleep_until(at);
    while read(libc::CLOCK_MONOTONIC_COARSE) < at.as_nanos() {
        sleep(Span::from_nanos(200_000));
    }
}

/// Sleep for `span` of host time.
pub fn sleep(span: Span) {
    sleep_until(monotonic().saturating_add(span));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library() {
        let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let here = u128::try_from(realtime()).unwrap();
        let after = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        assert!(before <= here && here <= after, "{before} <= {here} <= {after}");
    }

    #[test]
    fn sleeps_to_the_instant_and_not_for_the_past() {
        let until = monotonic().saturating_add(Span::from_millis(3));
        sleep_until(until);
        assert!(monotonic() >= until);
        sleep_until(HostInstant::MIN);
        sleep(Span::from_nanos(-1));
    }

    #[test]
    fn a_clock_that_does_not_exist_reads_zero() {
        assert_eq!(read(1_000), 0);
    }
}
