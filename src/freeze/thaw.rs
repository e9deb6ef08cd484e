//! The end of a pause by somebody who did not begin it.
//!
//! What must hold: while anybody who answers for a freeze lives, that is, while its lock is held, only they
//! say that it is over; once the lock is free, whoever takes it finishes what the dead began.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use nix::sys::signal::Signal;

use super::ledger::{Entry, Ledger, Phase, Shared};
use super::lock::Lock;
use super::means::Means;
use super::node_in;
use super::others::Others;
use super::record::Record;
use super::slot::Slot;
use super::undo::undo;
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

/// Put right what killed guards and controllers have left of freezes. Every command calls it first.
pub fn sweep(dir: &Path) -> Result<Swept> {
    let mut found = Swept::Nothing;
    for slot in Slot::all() {
        found = match (found, sweep_slot(dir, slot)?) {
            (Swept::Resumed(mut all), Swept::Resumed(more)) => {
                all.extend(more);
                Swept::Resumed(all)
            }
            (Swept::Resumed(all), _) | (_, Swept::Resumed(all)) => Swept::Resumed(all),
            (Swept::Live, _) | (_, Swept::Live) => Swept::Live,
            _ => Swept::Nothing,
        };
    }
    Ok(found)
}

fn sweep_slot(dir: &Path, slot: Slot) -> Result<Swept> {
    let Some(lock) = Lock::open(dir, slot)? else { return Ok(Swept::Nothing) };
    if lock.try_take()? {
        return Ok(resume_stale(dir, slot)?.map_or(Swept::Nothing, |record| Swept::Resumed(record.processes)));
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

/// End all pauses of the node in `dir`, and see that its processes run. What they were; none if it was not frozen.
pub fn thaw(dir: &Path) -> Result<Vec<Record>> {
    let mut ended = Vec::new();
    for slot in Slot::all() {
        ended.extend(thaw_slot(dir, slot)?);
    }
    Ok(ended)
}

fn thaw_slot(dir: &Path, slot: Slot) -> Result<Option<Record>> {
    let Some(ledger) = Ledger::open(dir, slot)? else { return Ok(None) };
    let shared = ledger.shared();
    if shared.phase() == Phase::Done {
        return Ok(None);
    }
    let Some(lock) = Lock::open(dir, slot)? else { return resume_stale(dir, slot) };
    let began = shared.began();
    let until = host_clock::monotonic().saturating_add(GUARD_LIMIT);
    loop {
        if lock.try_take()? {
            // Either the guards are dead, or they have just finished.
            resume_stale(dir, slot)?;
            break;
        }
        if shared.began() != began {
            // It is over, and another freeze, which is to stay, has its slot and its ledger.
            return Ok(None);
        }
        if shared.phase() == Phase::Done {
            break;
        }
        let guards = lock.holders().guards;
        for &guard in &guards {
            send(guard, Signal::SIGTERM)?;
            send(guard, Signal::SIGCONT)?;
        }
        let now = host_clock::monotonic();
        if now >= until {
            overrule(dir, slot, shared, &guards)?;
            break;
        }
        match guards.first().map(|guard| PidFd::open(*guard)).transpose()?.flatten() {
            Some(guard) => drop(guard.wait_exit(now.saturating_add(Span::from_millis(20)).min(until))?),
            None => host_clock::sleep(Span::from_millis(1)),
        }
    }
    confirm_running(shared, open(dir)?.as_raw_fd(), slot)?;
    Ok(Some(Record::of(shared, None)))
}

/// Whatever keeps the guards, the processes are ours to resume; the guards' turn comes later, and does no harm. Whoever
/// holds threads is killed, and the kernel lets go of them.
fn overrule(dir: &Path, slot: Slot, shared: &Shared, guards: &[ProcessId]) -> Result<()> {
    if shared.means() == Means::Thread {
        for &guard in guards {
            send(guard, Signal::SIGKILL)?;
        }
    }
    undo(shared, open(dir)?.as_raw_fd(), slot)
        .map_err(|errno| Error::not_applied(format_args!("thaw {}", node_in(dir)), errno.desc()))
}

/// Undo what a ledger says, and say that it is over. The caller has the lock.
pub(super) fn resume_stale(dir: &Path, slot: Slot) -> Result<Option<Record>> {
    let Some(ledger) = Ledger::open(dir, slot)? else { return Ok(None) };
    let shared = ledger.shared();
    if shared.phase() == Phase::Done {
        return Ok(None);
    }
    let refused = |why: &str| Error::not_applied(format_args!("thaw {}", node_in(dir)), why);
    shared.enter_phase(Phase::Thawing);
    let handle = open(dir)?;
    undo(shared, handle.as_raw_fd(), slot).map_err(|errno| {
        let error = refused(errno.desc());
        match errno {
            nix::errno::Errno::EPERM | nix::errno::Errno::EACCES => {
                error.remedy("run falseticker as the user who froze it, or as root")
            }
            _ => error,
        }
    })?;
    confirm_running(shared, handle.as_raw_fd(), slot).map_err(|error| {
        let thaw = refused(error.why());
        error.help().map_or(thaw.clone(), |help| thaw.remedy(help))
    })?;
    let record = Record::of(shared, None);
    shared.enter_phase(Phase::Done);
    Ok(Some(record))
}

fn open(dir: &Path) -> Result<File> {
    File::open(dir).map_err(|why| Error::not_applied(format_args!("open {}", dir.display()), why))
}

fn send(id: ProcessId, signal: Signal) -> Result<()> {
    PidFd::open(id)?.map_or(Ok(()), |handle| handle.signal(signal).map(drop))
}

/// See that nobody in a ledger is stopped whom no other freeze holds; when that was. Call it after they have been resumed.
pub(super) fn confirm_running(shared: &Shared, dir: RawFd, slot: Slot) -> Result<HostInstant> {
    if shared.means() != Means::Signal {
        return Ok(host_clock::monotonic());
    }
    let held: Vec<ProcessId> = shared.held().map(Entry::id).collect();
    // Others are looked at after the processes: a freeze that has begun meanwhile is in its ledger before it stops anybody.
    let stopped = |ids: &[ProcessId]| -> Vec<ProcessId> {
        let still = |id: &ProcessId| stillness(*id) == Stillness::Still { by_signal: true };
        let left: Vec<ProcessId> = ids.iter().copied().filter(still).collect();
        let others = Others::look(dir, slot);
        left.into_iter().filter(|id| !others.hold(*id, Means::Signal)).collect()
    };
    let until = host_clock::monotonic().saturating_add(RUN_LIMIT);
    let mut left = stopped(&held);
    while !left.is_empty() {
        if host_clock::monotonic() >= until {
            let pids: Vec<String> = left.iter().map(ToString::to_string).collect();
            let why = format!("process {} is stopped still, by somebody else perhaps", pids.join(", "));
            return Err(Error::not_applied("resume the processes", why).remedy("resume them with kill -CONT"));
        }
        host_clock::sleep(SEND_AGAIN_AFTER);
        left = stopped(&left);
        for id in &left {
            send(*id, Signal::SIGCONT)?;
        }
    }
    Ok(host_clock::monotonic())
}
