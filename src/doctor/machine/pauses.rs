//! By which means processes can be frozen, and how surely a guard gets the processor.
//!
//! Source: cgroups(7), sched(7).

use crate::doctor::Finding;
use crate::doctor::probe::{Outcome, come_first, in_child};
use crate::freeze;

/// Whether a control group can be made for processes as this one.
pub(super) fn groups() -> Finding {
    const CHECK: &str = "cgroup";
    match freeze::group_for_this() {
        Ok((2, place)) => Finding::good(CHECK, format!("version 2, writable at {}", place.display())),
        Ok((version, place)) => Finding::limited(
            CHECK,
            format!("version {version} alone, writable at {}", place.display()),
            "freeze --how auto stops processes by signals; frozen by --how cgroup they cannot even be killed",
            "mount version 2, where it is missing: mount -t cgroup2 none DIRECTORY",
        ),
        Err(why) => Finding::limited(
            CHECK,
            why.why(),
            "freeze stops processes by signals or by thread; --how cgroup is refused",
            "run falseticker as root, or in a group that is delegated to you (systemd-run --user -p Delegate=yes)",
        ),
    }
}

/// Whether a guard runs before ordinary processes.
pub(super) fn priority() -> Finding {
    const CHECK: &str = "priority";
    match in_child(come_first) {
        Outcome::Works => Finding::good(CHECK, "guards have real-time priority"),
        refused => Finding::limited(
            CHECK,
            format!("no real-time priority for guards: {refused}"),
            "on a busy machine a pause may last longer, if its controller dies",
            "give CAP_SYS_NICE, or raise RLIMIT_RTPRIO (ulimit -r 1)",
        ),
    }
}
