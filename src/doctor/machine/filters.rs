//! Whether execs can be followed: by a seccomp filter that asks a listener.
//!
//! Source: seccomp(2), seccomp_unotify(2).

use nix::errno::Errno;

use crate::doctor::Finding;
use crate::doctor::probe::{Outcome, filter_with_listener, in_child, knows_listeners};
use crate::reach::Means;

const CHECK: &str = "following";

pub(super) fn following() -> Finding {
    let missing = |found: String, remedy: &str| {
        let why =
            "programs that cannot load the shim are not run, and those that a node's programs execute escape";
        Finding::missing(CHECK, found, why, remedy, &[Means::Vdso])
    };
    if let refused @ (Outcome::Refused(_) | Outcome::Killed) = in_child(knows_listeners) {
        return missing(
            format!("no seccomp filter with a listener: {refused}"),
            "run it on Linux 5.5 or newer with CONFIG_SECCOMP_FILTER, outside of sandboxes that refuse seccomp",
        );
    }
    match in_child(|| filter_with_listener(false)) {
        Outcome::Works => Finding::good(CHECK, "execs are followed by a seccomp filter"),
        Outcome::Refused(Errno::EBUSY) => missing(
            "a seccomp filter of somebody else has a listener already".to_owned(),
            "run falseticker outside of what supervises it (a container with seccomp notifications)",
        ),
        refused => match in_child(|| filter_with_listener(true)) {
            Outcome::Works => Finding::limited(
                CHECK,
                "execs are followed by a seccomp filter, without CAP_SYS_ADMIN",
                "programs that are run by --reach vdso gain no rights by exec (sudo fails in them); what preloaded \
                 programs execute is not followed",
                "run falseticker as root, or with --strict-tree, which follows all the same",
            ),
            _ => missing(
                format!("a seccomp filter cannot be installed: {refused}"),
                "let the sandbox allow seccomp and prctl",
            ),
        },
    }
}
