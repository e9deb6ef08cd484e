//! The end of a pause by somebody who did not begin it.
//!
//! What must hold: while anybody who answers for a freeze lives, that is, while its lock is held, only they
//! remove the record; once the lock is free, whoever takes it finishes what the dead began.

use std::path::Path;

use nix::sys::signal::Signal;

use super::lock::Lock;
use super::node_in;
use super::record::{Record, record};
use crate::process::{PidFd, ProcessId, State, Stillness, stat, stillness};
use crate::{Error, HostInstant, Result, Span, host_clock};

const GUARD_LIMIT: Span = Span::from_secs(2);
const RUN_LIMIT: Span = Span::from_secs(1);
const SEND_AGAIN_AFTER: Span = Span::from_millis(5);

/// What a sweep found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swept {
    /// Nothing is frozen.
    Nothing,
    /// A freeze whose guards are alive.
    Live,
    /// A freeze whose guards and controller were all dead: these run again.
    Resumed(Vec<ProcessId>),
}

/// Put right what killed guards and controllers have left of a freeze. Every command calls it first.
pub fn sweep(dir: &Path) -> Result<Swept> {
    let Some(lock) = Lock::open(dir)? else { return Ok(Swept::Nothing) };
    if lock.try_take()? {
        return Ok(resume_stale(dir)?.map_or(Swept::Nothing, |record| Swept::Resumed(record.processes)));
    }
    for guard in lock.holders().guards {
        let mut buffer = stat::Buffer::new();
        // A stopped guard sees nothing; awake it acts on whatever it has missed.
        if stat::read(guard.pid, &mut buffer).is_some_and(|stat| stat.state == State::STOPPED) {
            send(guard, Signal::SIGCONT)?;
        }
    }
    Ok(Swept::Live)
}

/// End the pause of the node in `dir`, and see that its processes run. `None` if it was not frozen.
pub fn thaw(dir: &Path) -> Result<Option<Record>> {
    let Some(was) = record(dir)? else { return Ok(None) };
    let Some(lock) = Lock::open(dir)? else { return resume_stale(dir) };
    let until = host_clock::monotonic().saturating_add(GUARD_LIMIT);
    loop {
        if lock.try_take()? {
            // Either the guards are dead, or they have just finished.
            resume_stale(dir)?;
            break;
        }
        if Record::read(dir)?.is_none() {
            break;
        }
        let guards = lock.holders().guards;
        for &guard in &guards {
            send(guard, Signal::SIGTERM)?;
            send(guard, Signal::SIGCONT)?;
        }
        let now = host_clock::monotonic();
        if now >= until {
            // Whatever keeps them, the processes are ours to resume; the guards' turn comes later, and does
            // no harm.
            resume(&was.processes)?;
            break;
        }
        match guards.first().map(|guard| PidFd::open(*guard)).transpose()?.flatten() {
            Some(guard) => drop(guard.wait_exit(now.saturating_add(Span::from_millis(20)).min(until))?),
            None => host_clock::sleep(Span::from_millis(1)),
        }
    }
    confirm_running(&was.processes)?;
    Ok(Some(was))
}

/// Resume what the record says, and remove it. The caller has the lock.
pub(super) fn resume_stale(dir: &Path) -> Result<Option<Record>> {
    let Some(record) = Record::read(dir)? else { return Ok(None) };
    let resumed = resume(&record.processes);
    resumed.and_then(|()| confirm_running(&record.processes)).map_err(|error| {
        let thaw = Error::not_applied(format_args!("thaw {}", node_in(dir)), error.why());
        error.help().map_or(thaw.clone(), |help| thaw.remedy(help))
    })?;
    Record::remove(dir)?;
    Ok(Some(record))
}

fn resume(processes: &[ProcessId]) -> Result<()> {
    // All are tried, and the last failure is told.
    let mut result = Ok(());
    for id in processes {
        if let Err(error) = send(*id, Signal::SIGCONT) {
            result = Err(error);
        }
    }
    result
}

fn send(id: ProcessId, signal: Signal) -> Result<()> {
    PidFd::open(id)?.map_or(Ok(()), |handle| handle.signal(signal).map(drop))
}

/// See that none of these is stopped; when that was. Call it after they have been resumed.
pub(super) fn confirm_running(processes: &[ProcessId]) -> Result<HostInstant> {
    let stopped = |ids: &[ProcessId]| -> Vec<ProcessId> {
        let still = |id: &ProcessId| stillness(*id) == Stillness::Still { by_signal: true };
        ids.iter().copied().filter(still).collect()
    };
    let until = host_clock::monotonic().saturating_add(RUN_LIMIT);
    let mut left = stopped(processes);
    while !left.is_empty() {
        if host_clock::monotonic() >= until {
            let pids: Vec<String> = left.iter().map(ToString::to_string).collect();
            let why = format!("process {} is stopped still, by somebody else perhaps", pids.join(", "));
            return Err(Error::not_applied("resume the processes", why).remedy("resume them with kill -CONT"));
        }
        host_clock::sleep(SEND_AGAIN_AFTER);
        left = stopped(&left);
        resume(&left)?;
    }
    Ok(host_clock::monotonic())
}
