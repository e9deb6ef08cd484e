//! A freeze from the controller's side: begun, waited for, left to its guards, ended.
//!
//! What must hold: the order. Lock, guards, record; then for each batch of processes ledger, record, stop; then
//! it is held, and only then the planned end takes the place of a provisional one: if it comes within a
//! millisecond, the guards would else end the freeze before it is one. Undone in the order resume, confirm, remove
//! the record, dismiss the guards, let go of the lock. Killed between any two of these the controller leaves a state that the guards or
//! the next command put right.

use std::fs::OpenOptions;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::freezer::{FreezeReport, Freezer, Journal, Members};
use super::guard::{self, Guards};
use super::ledger::{Ledger, Phase};
use super::lock::{Lock, above_streams};
use super::node_in;
use super::record::{Record, already_frozen};
use super::signal::SignalFreezer;
use super::thaw::{confirm_running, resume_stale};
use crate::process::{ProcessId, stat};
use crate::{Error, HostInstant, Result, Span, host_clock};

/// How much later than the controller the guards end a planned pause: it is theirs only if the controller does
/// not.
const GRACE: Span = Span::from_millis(5);

/// How long a freeze waits for the last one's lock, once that has been thawed.
const LOCK_LIMIT: Span = Span::from_millis(500);

/// When a pause ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Not by itself.
    #[default]
    OnThaw,
    /// At an instant of the host.
    At(HostInstant),
    /// So long after the last process was confirmed stopped.
    After(Span),
}

/// What a freeze is asked for, besides its members.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When it ends by itself.
    pub end: End,
    /// Who is not frozen whatever the members say. This process, and the guards of any freeze, never are.
    pub exclude: Vec<i32>,
    /// By when all must be stopped; else none is.
    pub stop_within: Span,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { end: End::OnThaw, exclude: Vec::new(), stop_within: Span::from_secs(5) }
    }
}

/// What ended a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its plan, or the caller.
    AsPlanned,
    /// Another command.
    ByRequest,
    /// The loss of its guards, upon which the processes were resumed.
    GuardsLost,
}

/// The end of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thawed {
    /// What ended it.
    pub ended: Ended,
    /// Until here, on the host's clock, all stood still, if it ended as planned; else about when it was noticed.
    pub first_resumed: HostInstant,
    /// From here on all ran again.
    pub confirmed: HostInstant,
}

/// A node that stands still. Dropping it thaws; so does the death of this process.
#[derive(Debug)]
#[must_use = "dropping it thaws the node"]
pub struct Frozen {
    hold: Hold,
    report: FreezeReport,
    until: Option<HostInstant>,
}

/// Freeze everyone in `members`, for the node whose directory is `dir`. On return all are confirmed stopped; on an
/// error all run.
pub fn begin(dir: &Path, members: &dyn Members, plan: &Plan) -> Result<Frozen> {
    let deadline = host_clock::monotonic().saturating_add(plan.stop_within);
    let mut hold = Hold::take(dir, plan)?;
    let provisional = match plan.end {
        End::OnThaw => None,
        End::At(at) => Some(at),
        End::After(span) => Some(deadline.saturating_add(span)),
    };
    hold.guards.set_end(provisional)?;
    let report = match SignalFreezer.freeze(members, &mut hold, deadline) {
        Ok(report) if report.processes.is_empty() && report.found_stopped.is_empty() => {
            return Err(Error::not_applied(
                format_args!("freeze {}", node_in(dir)),
                "none of its processes runs",
            ));
        }
        other => other?,
    };
    let until = match plan.end {
        End::OnThaw => None,
        End::At(at) => Some(at),
        End::After(span) => Some(report.last_confirmed.saturating_add(span)),
    };
    hold.record.until = until.map(HostInstant::as_nanos);
    hold.record.since = Some(report.last_confirmed.as_nanos());
    let ago = host_clock::monotonic().saturating_since(report.last_confirmed);
    hold.record.since_wall = Some(host_clock::realtime().saturating_sub(ago.as_nanos()));
    hold.record.write(dir)?;
    hold.may_go_on()?;
    if !hold.ledger.shared().step(Phase::Freezing, Phase::Held) {
        return Err(hold.called_off());
    }
    hold.guards.set_end(until.map(|at| at.saturating_add(GRACE)))?;
    Ok(Frozen { hold, report, until })
}

impl Frozen {
    /// What was done.
    pub fn report(&self) -> &FreezeReport {
        &self.report
    }

    /// The planned end.
    pub fn until(&self) -> Option<HostInstant> {
        self.until
    }

    /// Resume all, and see that they run.
    pub fn thaw(mut self) -> Result<Thawed> {
        self.hold.release(Ended::AsPlanned)
    }

    /// Wait for the end: the planned one, a `thaw` by somebody else, or the loss of the guards. Then all run.
    pub fn wait_and_thaw(mut self) -> Result<Thawed> {
        let until = self.until.unwrap_or(HostInstant::MAX);
        let ended = if !self.hold.guards.wait(until) || host_clock::monotonic() >= until {
            Ended::AsPlanned
        } else if self.hold.ledger.shared().phase() == Phase::Done {
            Ended::ByRequest
        } else {
            Ended::GuardsLost
        };
        self.hold.release(ended)
    }

    /// Leave the pause to its guards: it outlives this process, and ends as planned, by [`thaw`](super::thaw()),
    /// or never.
    pub fn detach(mut self) -> Result<FreezeReport> {
        self.hold.guards.set_end(self.until)?;
        let refused = |why| Error::not_applied(format_args!("leave {} frozen", node_in(&self.hold.dir)), why);
        if self.hold.guards.are_gone() {
            return Err(refused("its guards have been killed; it has been thawed"));
        }
        if !self.hold.ledger.shared().step(Phase::Held, Phase::Detached) {
            return Err(refused("it has been thawed by another command or by its plan"));
        }
        self.hold.released = true;
        Ok(std::mem::replace(
            &mut self.report,
            FreezeReport {
                processes: Vec::new(),
                found_stopped: Vec::new(),
                first_stop: HostInstant::MIN,
                last_confirmed: HostInstant::MIN,
            },
        ))
    }
}

/// Readable once the pause has been ended by somebody else, for callers that wait for several things.
impl AsFd for Frozen {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.hold.guards.as_fd()
    }
}

/// All that a freeze holds. Dropping it resumes everyone.
#[derive(Debug)]
struct Hold {
    dir: PathBuf,
    record: Record,
    own: i32,
    exclude: Vec<i32>,
    released: bool,
    guards: Guards,
    ledger: Ledger,
    /// Last, so that it is let go of last.
    lock: Lock,
}

impl Hold {
    /// Lock the node, start the guards, write the record; nobody is stopped yet.
    fn take(dir: &Path, plan: &Plan) -> Result<Hold> {
        let lock = take_lock(dir)?;
        lock.name_controller()?;
        let ledger = Ledger::new()?;
        let guards = Guards::start(&ledger, &lock, &open_directory(dir)?)?;
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let (dir, exclude) = (dir.to_path_buf(), plan.exclude.clone());
        let hold = Hold { dir, record: Record::new(), own, exclude, released: false, guards, ledger, lock };
        hold.record.write(&hold.dir)?;
        Ok(hold)
    }

    fn called_off(&self) -> Error {
        let why = "it was thawed by another command, or its planned end came, before all had stopped";
        Error::not_applied(format_args!("freeze {}", node_in(&self.dir)), why)
    }

    /// Resume everyone and let go of everything.
    fn release(&mut self, ended: Ended) -> Result<Thawed> {
        self.released = true;
        let shared = self.ledger.shared();
        let first_resumed = host_clock::monotonic();
        // What a guard has resumed already may since have been stopped by somebody else.
        let resumed = match shared.enter_phase(Phase::Thawing) {
            Phase::Done => Ok(()),
            _ => shared.resume_all(),
        };
        let processes: Vec<ProcessId> = shared.processes().collect();
        let confirmed = match resumed {
            Ok(()) => confirm_running(&processes),
            Err(errno) => Err(Error::not_applied(format_args!("thaw {}", node_in(&self.dir)), errno.desc())),
        };
        let removed = Record::remove(&self.dir);
        self.guards.dismiss(&self.ledger, &self.lock);
        Ok(Thawed { ended, first_resumed, confirmed: confirmed.and_then(|at| removed.map(|()| at))? })
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

impl Journal for Hold {
    fn enter(&mut self, stopping: &[ProcessId], found_stopped: &[ProcessId]) -> Result<()> {
        self.record.processes.extend(stopping);
        self.record.found_stopped.extend(found_stopped);
        self.record.write(&self.dir)?;
        self.ledger.shared().add(stopping)
    }

    fn spares(&self, process: ProcessId) -> bool {
        if process.pid == self.own || self.exclude.contains(&process.pid) {
            return true;
        }
        let mut buffer = stat::Buffer::new();
        stat::read(process.pid, &mut buffer).is_some_and(|stat| {
            stat.session == self.ledger.shared().session() || stat.comm == guard::NAME.as_bytes()
        })
    }

    fn may_go_on(&self) -> Result<()> {
        if self.ledger.shared().phase() != Phase::Freezing {
            return Err(self.called_off());
        }
        if self.guards.are_gone() {
            let why = "its guards have been killed; everything was resumed";
            return Err(Error::not_applied(format_args!("freeze {}", node_in(&self.dir)), why));
        }
        Ok(())
    }
}

fn take_lock(dir: &Path) -> Result<Lock> {
    let lock = Lock::create(dir)?;
    let until = host_clock::monotonic().saturating_add(LOCK_LIMIT);
    while !lock.try_take()? {
        if let Some(record) = super::record(dir)? {
            return Err(already_frozen(dir, &record));
        }
        if host_clock::monotonic() >= until {
            let holders = lock.holders();
            let who = holders.controller.into_iter().chain(holders.guards).map(|id| id.to_string());
            let who = match who.collect::<Vec<_>>() {
                who if who.is_empty() => String::new(),
                who => format!(" (process {})", who.join(", ")),
            };
            let why = format!("a freeze or a thaw of it is under way{who}");
            return Err(Error::not_applied(format_args!("freeze {}", node_in(dir)), why)
                .remedy("try again when that has ended"));
        }
        host_clock::sleep(Span::from_millis(1));
    }
    // Nobody alive answers for what is recorded here.
    resume_stale(dir)?;
    Ok(lock)
}

fn open_directory(dir: &Path) -> Result<OwnedFd> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(dir);
    file.map(OwnedFd::from)
        .and_then(above_streams)
        .map_err(|why| Error::not_applied(format_args!("open {}", dir.display()), why))
}
