//! Which kernel this is, and whose monotonic clock is seen here.
//!
//! Source: pidfd_open(2), pidfd_getfd(2), time_namespaces(7).

use crate::doctor::{ALL, Finding};
use crate::process::{PidFd, ProcessId};

/// The first kernel with all calls that are needed: pidfd_getfd's.
const OLDEST: (u32, u32) = (5, 6);

/// The kernel, and whether it gives descriptors of processes.
pub(super) fn version() -> Finding {
    const CHECK: &str = "kernel";
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let found = format!("Linux {}, {}", release.trim(), std::env::consts::ARCH);
    if numbers(&release).is_some_and(|version| version < OLDEST) {
        let why = "processes cannot be signalled, and handed the node's files, without a doubt who they are";
        return Finding::missing(CHECK, found, why, "run it on Linux 5.6 or newer", &ALL);
    }
    match ProcessId::own().map(PidFd::open) {
        Some(Err(why)) => Finding::missing(
            CHECK,
            format!("{found}; {}", why.why()),
            "no process can be signalled: every command is refused that must be sure whom it meets",
            "let the sandbox allow pidfd_open (docker: a newer seccomp profile)",
            &ALL,
        ),
        _ => Finding::good(CHECK, found),
    }
}

/// "6.18.44-x" begins with 6 and 18.
fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Whether CLOCK_MONOTONIC is here what it is for the machine.
pub(super) fn time_namespace() -> Finding {
    const CHECK: &str = "time-namespace";
    let offsets = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    match moved(&offsets).as_slice() {
        [] => Finding::good(CHECK, "the machine's own CLOCK_MONOTONIC and CLOCK_BOOTTIME"),
        moved => Finding::limited(
            CHECK,
            format!("a time namespace: {}", moved.join(", ")),
            "nodes are laid out on the clock that is seen here: programs in another time namespace read them wrongly",
            "keep a node's programs in one time namespace, the one that falseticker is run in",
        ),
    }
}

/// "monotonic by 3s": the clocks that a namespace has moved.
pub(in crate::doctor) fn moved(offsets: &str) -> Vec<String> {
    let of = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (clock, seconds, nanos) = (words.next()?, words.next()?, words.next()?);
        (seconds != "0" || nanos != "0").then(|| format!("{clock} by {seconds}s"))
    };
    offsets.lines().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_begin_with_two_numbers() {
        assert_eq!(numbers("6.18.44-fc-v669\n"), Some((6, 18)));
        assert_eq!(numbers("5.4.0-150-generic"), Some((5, 4)));
        assert_eq!(numbers("rc"), None);
    }

    #[test]
    fn a_namespace_that_moves_no_clock_is_none() {
        assert!(moved("monotonic           0         0\nboottime            0         0\n").is_empty());
        assert_eq!(moved("monotonic  86400  0\nboottime 0 1\n"), ["monotonic by 86400s", "boottime by 0s"]);
        assert!(moved("").is_empty());
    }
}
