//! Freezes of real processes, by real controllers that are really killed.
//!
//! Controllers that are to be killed are this test binary, run again with [`HELPER`] set. The tests of this module
//! run one at a time: several of them measure.

mod begin;
mod conformance;
mod corrupt;
mod guard;
mod helper;
mod kill;
mod shapes;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::Signal;

use super::lock::Lock;
use super::slot::Slot;
use super::*;
use crate::process::{PidFd, ProcessId, Stillness, Table, stillness};
use crate::{HostInstant, Result, Span, host_clock};

const HELPER: &str = "FALSETICKER_FREEZE_HELPER";

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process group of its own that is killed at the end of the test.
struct Target {
    child: Child,
    id: ProcessId,
}

impl Target {
    fn spawn(command: &mut Command) -> Target {
        let child = command.process_group(0).spawn().unwrap();
        let id = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
        Target { child, id }
    }

    fn sleeper() -> Target {
        Target::spawn(Command::new("sleep").arg("1000").stdin(Stdio::null()))
    }

    fn shell(script: &str) -> Target {
        Target::spawn(Command::new("sh").args(["-c", script]).stdin(Stdio::null()))
    }

    /// This test binary as another process.
    fn helper(mode: &str, dir: &Path, targets: &[ProcessId]) -> Target {
        let targets: Vec<String> =
            targets.iter().map(|id| format!("{}:{}", id.pid, id.start_ticks)).collect();
        Target::spawn(&mut helper_command(mode, dir, &targets.join(",")))
    }

    fn signal(&self, signal: Signal) {
        signal_to(self.id, signal);
    }

    /// Kill it, and see it gone.
    fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().unwrap();
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(self.id.pid), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn helper_command(mode: &str, dir: &Path, targets: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "freeze::tests::helper::helper", "--nocapture"]);
    command.env(HELPER, mode).env("FT_DIR", dir).env("FT_TARGETS", targets);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn signal_to(id: ProcessId, signal: Signal) {
    if let Some(handle) = PidFd::open(id).unwrap() {
        handle.signal(signal).unwrap();
    }
}

/// The members that a node with these roots has.
fn families(roots: &[ProcessId]) -> impl Fn() -> Result<Vec<ProcessId>> + use<> {
    let roots = roots.to_vec();
    move || Ok(Table::scan()?.family(&roots).into_iter().map(|process| process.id).collect())
}

fn is_stopped(id: ProcessId) -> bool {
    stillness(id).is_still()
}

/// Wait up to 5 s; a failing test says for what.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = host_clock::monotonic().saturating_add(Span::from_secs(5));
    while !holds() {
        assert!(host_clock::monotonic() < limit, "in vain: {what}");
        host_clock::sleep(Span::from_nanos(200_000));
    }
}

fn nobody_holds_the_lock(dir: &Path) -> bool {
    locks(dir).all(|lock| lock.try_take().unwrap())
}

fn locks(dir: &Path) -> impl Iterator<Item = Lock> {
    Slot::all().filter_map(|slot| Lock::open(dir, slot).unwrap())
}

/// The one freeze that is in force.
fn record(dir: &Path) -> Result<Option<Record>> {
    let mut records = records(dir)?;
    assert!(records.len() < 2, "{records:?}");
    Ok(records.pop())
}

fn guards_of(dir: &Path) -> Vec<ProcessId> {
    record(dir).unwrap().unwrap().guards
}

fn after(span: Span) -> Plan {
    Plan { end: End::After(span), ..Plan::default() }
}

fn millis(span: Span) -> f64 {
    std::time::Duration::from_nanos(span.unsigned_nanos()).as_secs_f64() * 1e3
}
