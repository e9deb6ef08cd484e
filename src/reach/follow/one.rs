//! One exec, from the call to the new program's first instruction.
//!
//! The thread that calls is traced before it may go on, and interrupted: so it stops when the call has made a new program of
//! it, and as well when the call has failed; then it is let go. A thread that is not its process's first takes over that
//! one's number on the way, so news is awaited of whatever this thread traces.
//!
//! What must hold: it is let go, whatever happens; a stop of the whole process, or a signal, that comes in between is taken as
//! the process would have taken it.

use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering;

use super::super::means::Wanted;
use super::super::trace::{Memory, News, Stopped, news_of_any};
use super::super::vdso::{self, Start};
use super::Charge;
use super::notice::Notice;
use crate::node::preload_env::SHIM_FILE;
use crate::process::{PidFd, ProcessId, Table};
use crate::{Error, Result, raw};

/// What the kernel reports when it has made a new program.
const OPTIONS: i32 = libc::PTRACE_O_TRACEEXEC;
/// The filter by which execs are followed judges nothing else.
const OWN_FILTERS: u32 = 1;

/// Sees to the exec of which a notice came.
pub(super) fn follow(notice: Notice, listener: BorrowedFd<'_>, charge: &Charge) {
    let traced = raw::ptrace(libc::PTRACE_SEIZE, notice.tid, OPTIONS.unsigned_abs() as usize);
    if let Err(errno) = traced {
        let why = format!("it cannot be traced when it executes: {}", errno.desc());
        charge.not_reached(notice.tid, &why);
        notice.go_on(listener);
        return;
    }
    notice.go_on(listener);
    let _ = raw::ptrace(libc::PTRACE_INTERRUPT, notice.tid, 0);
    while let Some((tid, news, _)) = charge.collected.next_of_traced() {
        match news {
            News::Stopped { event: libc::PTRACE_EVENT_EXEC, .. } => {
                match Stopped::at_event(tid, tid, OPTIONS) {
                    Ok(mut stopped) => {
                        stopped.know_filters(OWN_FILTERS);
                        begun(&mut stopped, tid, charge);
                        let _ = stopped.detach(0);
                    }
                    Err(why) => charge.not_reached(tid, &said(&why)),
                }
                return;
            }
            // Our own interruption: nothing was executed.
            News::Stopped { signal: libc::SIGTRAP, event: libc::PTRACE_EVENT_STOP } => {
                let _ = raw::ptrace(libc::PTRACE_DETACH, tid, 0);
                return;
            }
            // The whole process is stopped: it stays so until somebody continues it.
            News::Stopped { event: libc::PTRACE_EVENT_STOP, .. } => {
                let _ = raw::ptrace(libc::PTRACE_LISTEN, tid, 0);
            }
            News::Stopped { signal, event: 0 } => {
                let _ = raw::ptrace(libc::PTRACE_INTERRUPT, tid, 0);
                let _ = raw::ptrace(libc::PTRACE_CONT, tid, usize::try_from(signal).unwrap_or(0));
            }
            News::Stopped { .. } => {
                let _ = raw::ptrace(libc::PTRACE_CONT, tid, 0);
            }
            News::Ended => return,
        }
    }
}

/// A new program, which is not to run before it is reached.
pub(super) fn begun(stopped: &mut Stopped, pid: i32, charge: &Charge) {
    let gone = || Error::not_applied(format_args!("follow process {pid}"), "it has ended meanwhile");
    let reached = ProcessId::of(pid).ok_or_else(gone).and_then(|process| reach(stopped, process, charge));
    match reached {
        Ok(()) if pid == charge.root => charge.root_is_reached.store(true, Ordering::Relaxed),
        Ok(()) => {}
        Err(why) => {
            tracing::debug!(pid, %why, "a program is not reached");
            charge.not_reached(pid, &said(&why));
        }
    }
}

/// Reaches a program that stands before its first instruction, unless the shim gets into it by itself.
fn reach(stopped: &mut Stopped, process: ProcessId, charge: &Charge) -> Result<()> {
    const USER_CODE_64: u64 = 0x33;
    if !charge.node.choice().selects_process(process) {
        return Ok(());
    }
    let registers = stopped.registers()?;
    if registers.cs != USER_CODE_64 {
        let why = "it is a 32-bit program, and falseticker is 64-bit";
        return Err(Error::not_applied(format_args!("reach process {process}"), why));
    }
    let memory = Memory::of(stopped)?;
    let start = Start::read(&memory, registers.rsp)?;
    if charge.leaves_to_shim(&start) {
        return Ok(());
    }
    vdso::reach(stopped, &memory, &start, process, &charge.node)
}

impl Charge {
    /// Whether the shim gets into a program by itself.
    fn leaves_to_shim(&self, start: &Start) -> bool {
        // Of whatever node: whoever runs in a node inside this one belongs to that.
        let names_it = |value: &Vec<u8>| {
            let mut names = value.split(|byte| matches!(byte, b':' | b' ' | b'\t'));
            names.any(|name| name.rsplit(|byte| *byte == b'/').next() == Some(SHIM_FILE.as_bytes()))
        };
        let is_preloaded = start.preload.as_ref().is_some_and(names_it);
        self.wanted != Wanted::Vdso && start.has_loader && !start.is_secure && is_preloaded
    }

    /// Ends a program that is not reached, before it runs, if it must be; and with it the node's first process.
    fn not_reached(&self, pid: i32, why: &str) {
        let is_first = pid == self.root && !self.root_is_reached.load(Ordering::Relaxed);
        if is_first {
            self.told.say(why);
        } else if self.strict {
            let program = std::fs::read_link(format!("/proc/{pid}/exe"));
            let program = program.map_or_else(|_| "?".to_owned(), |path| path.display().to_string());
            self.told.say(&format!("process {pid} ({program}) would read the true clock: {why}"));
        } else {
            return;
        }
        // From the first process down, so that none of them sees another's end.
        let root: Vec<ProcessId> = ProcessId::of(self.root).into_iter().collect();
        let table = Table::scan().unwrap_or_default();
        let tree = table.family(&root).into_iter().map(|process| process.id);
        root.iter().copied().chain(tree).chain(ProcessId::of(pid)).for_each(kill);
    }
}

fn kill(process: ProcessId) {
    if let Ok(Some(handle)) = PidFd::open(process) {
        let _ = handle.signal(nix::sys::signal::Signal::SIGKILL);
    }
}

fn said(why: &Error) -> String {
    let help = why.help().map_or_else(String::new, |help| format!("\n{help}"));
    format!("{}{help}", why.why())
}

/// See [`super::call_again`].
pub(super) fn call_again(root: ProcessId) {
    let Ok(table) = Table::scan() else { return };
    for process in table.family(&[root]) {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", process.id.pid)) else { continue };
        for task in tasks.flatten() {
            let Some(tid) = task.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            if is_executing(&task.path()) {
                interrupt(tid);
            }
        }
    }
}

/// Whether a thread is in a call that executes, by the kernel's word.
fn is_executing(task: &std::path::Path) -> bool {
    let call = std::fs::read_to_string(task.join("syscall")).unwrap_or_default();
    let number = call.split_ascii_whitespace().next().and_then(|number| number.parse().ok());
    matches!(number, Some(libc::SYS_execve | libc::SYS_execveat))
}

/// Has a thread that waits in a call begin it again.
fn interrupt(tid: i32) {
    if raw::ptrace(libc::PTRACE_SEIZE, tid, 0).is_ok() {
        let _ = raw::ptrace(libc::PTRACE_INTERRUPT, tid, 0);
        while let Ok(Some((tid, News::Stopped { .. }, _))) = news_of_any() {
            let _ = raw::ptrace(libc::PTRACE_DETACH, tid, 0);
        }
    }
}
