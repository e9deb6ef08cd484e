//! Whether execs can be followed: by a seccomp filter that asks a listener, or else by ptrace.
//!
//! Source: seccomp(2), seccomp_unotify(2).

use nix::errno::Errno;

use crate::doctor::Finding;
use crate::doctor::probe::{Outcome, filter_with_listener, in_child, knows_listeners};

const CHECK: &str = "following";

pub(super) fn following() -> Finding {
    if let refused @ (Outcome::Refused(_) | Outcome::Killed) = in_child(knows_listeners) {
        return by_ptrace(
            &format!("no seccomp filter with a listener: {refused}"),
            "run it on Linux 5.5 or newer with CONFIG_SECCOMP_FILTER, outside of sandboxes that refuse seccomp",
        );
    }
    match in_child(|| filter_with_listener(false)) {
        Outcome::Works => Finding::good(CHECK, "execs are followed by a seccomp filter"),
        Outcome::Refused(Errno::EBUSY) => by_ptrace(
            "a seccomp filter of somebody else has a listener already",
            "run falseticker outside of what supervises it (another falseticker, a container's seccomp agent)",
        ),
        refused => match in_child(|| filter_with_listener(true)) {
            Outcome::Works => Finding::limited(
                CHECK,
                "execs are followed by a seccomp filter, without CAP_SYS_ADMIN",
                "programs that are run by --reach vdso gain no rights by exec (sudo fails in them); what preloaded \
                 programs execute is not followed",
                "run falseticker as root, or with --strict-tree, which follows all the same",
            ),
            _ => by_ptrace(
                &format!("a seccomp filter cannot be installed: {refused}"),
                "let the sandbox allow seccomp and prctl",
            ),
        },
    }
}

/// Without a filter, what cannot be reached otherwise is traced for as long as it lives.
fn by_ptrace(found: &str, remedy: &str) -> Finding {
    Finding::limited(
        CHECK,
        found,
        "programs that cannot load the shim are followed by ptrace, which slows threads and signals; what preloaded programs \
         execute is not followed",
        remedy,
    )
}
