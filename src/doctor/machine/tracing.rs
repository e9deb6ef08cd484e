//! Whether processes can be traced: children, others, those of other users.
//!
//! A child of this process is stopped, and the first byte of its vDSO written anew, as attaching would; then a child of this one
//! traces another that is no descendant of its own, which is what Yama judges.
//!
//! Source: ptrace(2), the kernel's Documentation/admin-guide/LSM/Yama.rst.

use crate::doctor::probe::{Idle, Outcome, in_child, trace};
use crate::doctor::{Finding, TRACING};
use crate::reach::Means;
use crate::reach::privilege::Caller;
use crate::reach::trace::{StoppedProcess, Vdso, in_own_thread};
use crate::{Error, Result};

const CHECK: &str = "tracing";

pub(super) fn tracing() -> Finding {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    let scope = scope.map_or("no Yama".to_owned(), |scope| format!("ptrace_scope {}", scope.trim()));
    if let Err(why) = of_a_child() {
        return Finding::missing(
            CHECK,
            format!("a child cannot be traced ({scope}): {}", why.why()),
            "programs that cannot load the shim are not reached; freeze --thread is refused",
            "let the sandbox allow ptrace (docker: --cap-add SYS_PTRACE), or sysctl kernel.yama.ptrace_scope=0",
            &TRACING,
        );
    }
    match of_another() {
        Outcome::Works if Caller::current().may_trace => {
            Finding::good(CHECK, format!("any process, by CAP_SYS_PTRACE ({scope})"))
        }
        Outcome::Works => Finding::limited(
            CHECK,
            format!("any process of this user's ({scope}), without CAP_SYS_PTRACE"),
            "other users' processes, and programs that raise their rights, are out of reach",
            "run falseticker as root for those",
        ),
        refused => Finding::missing(
            CHECK,
            format!("only descendants ({scope}): {refused}"),
            "running processes cannot be attached to, nor their threads frozen; programs that are run are reached",
            "run falseticker as root, or sysctl kernel.yama.ptrace_scope=0",
            &[Means::Attach],
        ),
    }
}

fn of_a_child() -> Result<()> {
    let attempted = "trace a child";
    let idle = Idle::begin().map_err(|errno| Error::not_applied(attempted, errno.desc()))?;
    let id = idle.id().ok_or_else(|| Error::not_applied(attempted, "it has ended"))?;
    in_own_thread(|| {
        let stopped = StoppedProcess::stop(id)?;
        let mut first = [0];
        let written = Vdso::of(id.pid, stopped.memory()).and_then(|vdso| {
            stopped.memory().read(vdso.base(), &mut first)?;
            stopped.memory().write(vdso.base(), &first)
        });
        stopped.resume()?;
        written
    })
}

fn of_another() -> Outcome {
    match Idle::begin() {
        Ok(idle) => in_child(|| trace(idle.pid())),
        Err(errno) => Outcome::Refused(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_traced_where_that_is_allowed() {
        // Whatever this machine allows, it is said, and nobody is left.
        let finding = tracing();
        assert_eq!(finding.stops.contains(&Means::Vdso), of_a_child().is_err(), "{finding:?}");
        let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
        assert_eq!(children.trim(), "", "{finding:?}");
    }
}
