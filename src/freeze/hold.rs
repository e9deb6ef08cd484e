//! All that a freeze holds, and what a freezer may do with it.
//!
//! What must hold: the order. Lock, ledger, guards; then for each batch of processes an entry, then its stop; then it is
//! held, and only then the planned end takes the place of a provisional one: if it comes within a millisecond, the guards
//! would else end the freeze before it is one. Undone in the order resume, confirm, dismiss the guards, let go of the lock.
//! Killed between any two of these the controller leaves a state that the guards or the next command put right.

use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::begin::{Ended, Plan, Thawed};
use super::freezer::{FreezeReport, FrozenProcess};
use super::guard::{self, Guards};
use super::ledger::{Entry, Held, Ledger, Phase};
use super::lock::{Lock, above_streams};
use super::means::Means;
use super::node_in;
use super::others::Others;
use super::slot::Slot;
use super::thaw::{confirm_running, resume_stale, sweep};
use super::undo::undo;
use crate::process::{ProcessId, Stillness, stat, stillness};
use crate::{Error, HostInstant, Result, Span, host_clock};

/// How long a freeze waits for another one that is resuming processes.
const SETTLE_PAUSE: Span = Span::from_nanos(200_000);

/// How long a freeze waits for one that has just been thawed to let go of its slot.
const LOCK_LIMIT: Span = Span::from_millis(500);

/// A freeze: its lock, its ledger, its guards. Dropping it resumes everyone.
#[derive(Debug)]
pub(super) struct Hold {
    dir: PathBuf,
    handle: OwnedFd,
    slot: Slot,
    own: i32,
    exclude: Vec<i32>,
    /// Whether there is nothing left to do at the end.
    pub(super) released: bool,
    pub(super) guards: Guards,
    pub(super) ledger: Ledger,
    /// Last, so that it is let go of last.
    lock: Lock,
}

impl Hold {
    /// Lock a slot of the node, start the guards; nobody is stopped yet.
    pub(super) fn take(dir: &Path, plan: &Plan, means: Means, why: &str) -> Result<Hold> {
        let (slot, lock) = take_slot(dir)?;
        lock.name_controller()?;
        let ledger = Ledger::create(dir, slot)?;
        let shared = ledger.shared();
        shared.set_means(means);
        // Cut where it is too long: it is for people.
        shared.why.store(why.as_bytes().get(..why.len().min(250)).unwrap_or_default());
        let handle = open_directory(dir)?;
        let guards = Guards::start(&ledger, &lock, &handle, slot)?;
        ledger.shared().publish();
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let (dir, exclude) = (dir.to_path_buf(), plan.exclude.clone());
        Ok(Hold { dir, handle, slot, own, exclude, released: false, guards, ledger, lock })
    }

    /// What errors call the node.
    pub(super) fn node(&self) -> String {
        node_in(&self.dir)
    }

    /// A number that no other freeze of the node has at this time.
    pub(super) fn number(&self) -> usize {
        self.slot.number()
    }

    /// The node's directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes down who is about to be held, and waits until nobody is resuming them. On return the guards and other
    /// freezes know; the index of the first entry.
    pub(super) fn enter(&mut self, held: &[Held], deadline: HostInstant) -> Result<usize> {
        let first = self.ledger.add(held)?;
        while self.others().are_thawing() {
            self.may_go_on()?;
            if host_clock::monotonic() >= deadline {
                let why = "another freeze of it is being undone, without end";
                return Err(Error::not_applied(format_args!("freeze {}", self.node()), why)
                    .remedy(format_args!("falseticker thaw {}", self.node().trim_start_matches("node "))));
            }
            host_clock::sleep(SETTLE_PAUSE);
        }
        Ok(first)
    }

    /// The entry at an index that [`Hold::enter`] has given out.
    pub(super) fn entry(&self, index: usize) -> Option<&Entry> {
        self.ledger.shared().entries().get(index)
    }

    /// The other freezes of the node at this moment.
    pub(super) fn others(&self) -> Others {
        Others::look(self.handle.as_raw_fd(), self.slot)
    }

    /// Whether somebody else than a freeze of the node has stopped a process; `None` if it has ended. Whoever is held by
    /// another freeze is to be held by this one as well, and was found running.
    pub(super) fn found_stopped(&self, id: ProcessId, deadline: HostInstant) -> Result<Option<bool>> {
        loop {
            let before = self.others().parts_in_the_stop_of(id);
            let is_stopped = match stillness(id) {
                Stillness::Gone => return Ok(None),
                still => still == Stillness::Still { by_signal: true },
            };
            if !is_stopped || before.stop_it() {
                return Ok(Some(false));
            }
            // One look at the others does not do: one freeze may have ended before it, and the next begun after it.
            if before.leave_it_alone() && before == self.others().parts_in_the_stop_of(id) {
                return Ok(Some(true));
            }
            self.may_go_on()?;
            if host_clock::monotonic() >= deadline {
                let why =
                    format_args!("other freezes begin and end all the time, and process {id} is stopped");
                return Err(Error::not_applied(format_args!("freeze {}", self.node()), why));
            }
            host_clock::sleep(SETTLE_PAUSE);
        }
    }

    /// Whether this process is never to be frozen.
    pub(super) fn spares(&self, process: ProcessId) -> bool {
        if process.pid == self.own || self.exclude.contains(&process.pid) {
            return true;
        }
        let mut buffer = stat::Buffer::new();
        stat::read(process.pid, &mut buffer).is_some_and(|stat| {
            stat.session == self.ledger.shared().session() || stat.comm == guard::NAME.as_bytes()
        })
    }

    /// An error once the freeze must not go on: it was called off, or nobody guards it any more.
    pub(super) fn may_go_on(&self) -> Result<()> {
        if self.ledger.shared().phase() != Phase::Freezing {
            return Err(self.called_off());
        }
        if self.guards.are_gone() {
            let why = "its guards have been killed; everything was resumed";
            return Err(Error::not_applied(format_args!("freeze {}", self.node()), why));
        }
        Ok(())
    }

    pub(super) fn called_off(&self) -> Error {
        let why = "it was thawed by another command, or its planned end came, before all had stopped";
        Error::not_applied(format_args!("freeze {}", self.node()), why)
    }

    /// What was done so far.
    pub(super) fn report(&self) -> FreezeReport {
        let shared = self.ledger.shared();
        let processes: Vec<FrozenProcess> = shared.held().filter_map(frozen).collect();
        let now = host_clock::monotonic();
        let why = String::from_utf8_lossy(&shared.why.to_bytes()).into_owned();
        FreezeReport {
            means: shared.means(),
            why: (!why.is_empty()).then_some(why),
            first_stop: processes.iter().map(|process| process.stop_sent).min().unwrap_or(now),
            last_confirmed: processes.iter().map(|process| process.confirmed).max().unwrap_or(now),
            processes,
            found_stopped: shared.entries().iter().filter(|entry| entry.is_found()).map(Entry::id).collect(),
        }
    }

    /// Resume everyone and let go of everything.
    pub(super) fn release(&mut self, ended: Ended) -> Result<Thawed> {
        self.released = true;
        let shared = self.ledger.shared();
        let now = host_clock::monotonic();
        // What a guard has resumed already may since have been stopped by somebody else.
        let undone = match shared.enter_phase(Phase::Thawing) {
            Phase::Done => Ok(()),
            _ if shared.means() == Means::Thread => {
                self.guards.let_go();
                Ok(())
            }
            _ => undo(shared, self.handle.as_raw_fd(), self.slot),
        };
        let confirmed = match undone {
            Ok(()) => confirm_running(shared, self.handle.as_raw_fd(), self.slot),
            Err(errno) => Err(Error::not_applied(format_args!("thaw {}", self.node()), errno.desc())),
        };
        let (first_resumed, last_resumed) = resumed(shared.held()).unwrap_or((now, now));
        self.guards.dismiss(&self.ledger, &self.lock);
        let processes = shared.held().filter_map(frozen).collect();
        Ok(Thawed { processes, ended, first_resumed, last_resumed, confirmed: confirmed? })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.released
            && let Err(error) = self.release(Ended::AsPlanned)
        {
            tracing::warn!(%error, "a node could not be thawed");
        }
    }
}

/// What a report says of one who was confirmed to stand still.
pub(super) fn frozen(entry: &Entry) -> Option<FrozenProcess> {
    let (stop_sent, confirmed) = (entry.stop_sent()?, entry.confirmed()?);
    let tid = Some(entry.tid()).filter(|tid| *tid != 0);
    let id = if tid.is_some() { ProcessId::of(entry.id().pid).unwrap_or(entry.id()) } else { entry.id() };
    Some(FrozenProcess { id, tid, stop_sent, confirmed, resumed: entry.resumed() })
}

/// When the first and the last of them were resumed.
pub(super) fn resumed<'a>(held: impl Iterator<Item = &'a Entry>) -> Option<(HostInstant, HostInstant)> {
    let all: Vec<HostInstant> = held.filter_map(Entry::resumed).collect();
    Some((*all.iter().min()?, *all.iter().max()?))
}

/// A slot that nobody has: the one that was used least recently, so that what the others say of pauses that are over is
/// kept as long as can be.
fn take_slot(dir: &Path) -> Result<(Slot, Lock)> {
    // Whoever was left stopped by the dead would be taken for stopped by somebody else.
    sweep(dir)?;
    let mut slots = Vec::new();
    for slot in Slot::all() {
        // What cannot be read is refused once it is this slot's turn.
        let began = Ledger::open(dir, slot).ok().flatten().map(|ledger| ledger.shared().began());
        slots.push((began, slot));
    }
    slots.sort_by_key(|(began, slot)| (*began, slot.number()));
    let until = host_clock::monotonic().saturating_add(LOCK_LIMIT);
    loop {
        for (_, slot) in &slots {
            let lock = Lock::create(dir, *slot)?;
            if lock.try_take()? {
                // Nobody alive answers for what is recorded here.
                resume_stale(dir, *slot)?;
                return Ok((*slot, lock));
            }
        }
        if host_clock::monotonic() >= until {
            let why = format!("{} freezes of it are in force already", slots.len());
            return Err(Error::not_applied(format_args!("freeze {}", node_in(dir)), why)
                .remedy(format_args!("falseticker thaw {}", node_in(dir).trim_start_matches("node "))));
        }
        host_clock::sleep(Span::from_millis(1));
    }
}

fn open_directory(dir: &Path) -> Result<OwnedFd> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(dir);
    file.map(OwnedFd::from)
        .and_then(above_streams)
        .map_err(|why| Error::not_applied(format_args!("open {}", dir.display()), why))
}
