//! Which processes are not touched, and why: found out before anything is done to them.
//!
//! What must hold: whoever is refused runs on untouched. What is looked at here may change before the process stands still;
//! so whatever then decides (the processor's mode, who traces) is looked at again by whoever stops it.

use std::io::Read;

use procfs::process::Process;

use crate::process::{self, ProcessId};
use crate::{Error, Result, Span, host_clock};

/// PF_KTHREAD in the flags that /proc/PID/stat shows.
const KERNEL_THREAD: u32 = 0x0020_0000;
/// The identification of an ELF file of 64 bits.
const ELF_64: &[u8] = b"\x7fELF\x02";
const ELF: &[u8] = b"\x7fELF";
/// How long a tracer that may trace for a moment is waited for.
const MOMENT: Span = Span::from_millis(300);
const LOOK_EVERY: Span = Span::from_millis(3);

/// The process that has this pid, if it can be traced from here as far as /proc tells.
pub(crate) fn admit(pid: i32) -> Result<ProcessId> {
    let attempted = format!("trace process {pid}");
    let no_such =
        || Error::bad_input(&attempted, "there is no such process").remedy("ps -e lists the processes");
    let refused = |why: &dyn std::fmt::Display| Error::not_applied(&attempted, why);
    if pid <= 0 {
        return Err(no_such());
    }
    if std::process::id().cast_signed() == pid {
        return Err(Error::bad_input(&attempted, "that is falseticker itself"));
    }
    let id = ProcessId::of(pid).ok_or_else(no_such)?;
    let process = Process::new(pid).map_err(|_| no_such())?;
    let (Ok(status), Ok(stat)) = (process.status(), process.stat()) else { return Err(no_such()) };
    if status.tgid != pid {
        return Err(Error::bad_input(
            &attempted,
            format_args!("that is a thread of process {}", status.tgid),
        )
        .remedy(format_args!("give --pid {}", status.tgid)));
    }
    if stat.flags & KERNEL_THREAD != 0 {
        return Err(Error::bad_input(
            &attempted,
            "it is a thread of the kernel's, and reads no clock of a program's",
        ));
    }
    if !id.is_alive() {
        return Err(Error::bad_input(&attempted, "it has ended, and awaits its parent"));
    }
    if is_in_another_time(pid) {
        let why =
            "it is in another time namespace, and a node is laid out on the monotonic clock of this one";
        return Err(refused(&why).remedy("run falseticker in there: nsenter --time -t PID"));
    }
    match class(pid) {
        Some(Class::Of32) => Err(refused(&"it is a program of 32 bits, which falseticker does not reach")),
        Some(Class::Of64) | None => Ok(id),
    }
}

/// Refuses a process that somebody traces. Who traces for a moment alone, as falseticker does, is waited for.
pub(crate) fn refuse_traced(process: ProcessId) -> Result<()> {
    let until = host_clock::monotonic().saturating_add(MOMENT);
    while let Some((tracer, name)) = process::tracer_of(process.pid) {
        if host_clock::monotonic() >= until {
            let why = format!("process {tracer} ({name}) traces it already");
            return Err(Error::not_applied(format_args!("trace process {process}"), why)
                .remedy("let that one detach first (a held thread: falseticker thaw)"));
        }
        host_clock::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Whether its monotonic clock has another origin. Where that cannot be seen it cannot be traced either.
fn is_in_another_time(pid: i32) -> bool {
    let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/time")).ok();
    of(&pid.to_string()).is_some_and(|its| Some(its) != of("self"))
}

enum Class {
    Of32,
    Of64,
}

/// What its executable is; `None` where that cannot be seen.
fn class(pid: i32) -> Option<Class> {
    let mut head = [0; 5];
    std::fs::File::open(format!("/proc/{pid}/exe")).ok()?.read_exact(&mut head).ok()?;
    if head == ELF_64 { Some(Class::Of64) } else { head.starts_with(ELF).then_some(Class::Of32) }
}

/// The kernel has refused to trace a process: why, as far as can be told, and what helps.
pub(crate) fn not_permitted(pid: i32, attempted: &str) -> Error {
    if let Some((tracer, name)) = process::tracer_of(pid) {
        return Error::not_applied(attempted, format_args!("process {tracer} ({name}) traces it"))
            .remedy("let that one detach first");
    }
    let owner = Process::new(pid).and_then(|process| process.status()).ok().map(|status| status.ruid);
    let own = nix::unistd::geteuid().as_raw();
    if let Some(owner) = owner.filter(|owner| *owner != own && own != 0) {
        return Error::not_applied(attempted, format_args!("it is another user's ({owner})"))
            .remedy("run falseticker as that user, or as root");
    }
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let error = |why: &str| Error::not_applied(attempted, why);
    match scope.trim() {
        "1" | "2" => error("kernel.yama.ptrace_scope lets nobody but root trace it")
            .remedy("run falseticker as root, or sysctl kernel.yama.ptrace_scope=0"),
        "3" => error("kernel.yama.ptrace_scope forbids tracing until the next boot")
            .remedy("start the program by falseticker run instead"),
        _ => error("the kernel does not permit it")
            .remedy("run falseticker as root, with CAP_SYS_PTRACE where that is a container's"),
    }
}
