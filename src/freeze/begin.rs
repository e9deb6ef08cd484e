//! A freeze from the controller's side: begun, waited for, left to its guards, ended.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::cgroup::CgroupFreezer;
use super::debugged;
use super::freezer::{FreezeReport, Freezer, FrozenProcess, Members};
use super::hold::Hold;
use super::ledger::Phase;
use super::means::How;
use super::node_in;
use super::signal::SignalFreezer;
use super::thread::ThreadFreezer;
use crate::{Error, HostInstant, Result, Span, host_clock};

/// How much later than the controller the guards end a planned pause: it is theirs only if the controller does
/// not.
const GRACE: Span = Span::from_millis(5);

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
    /// By which means.
    pub how: How,
    /// Who is not frozen whatever the members say. This process, and the guards of any freeze, never are.
    pub exclude: Vec<i32>,
    /// By when all must be stopped; else none is.
    pub stop_within: Span,
    /// Whether it goes on as planned should this process die, kept by its guards; else it ends with this process.
    pub outlives: bool,
}

impl Default for Plan {
    fn default() -> Self {
        let stop_within = Span::from_secs(5);
        Plan { end: End::OnThaw, how: How::Signal, exclude: Vec::new(), stop_within, outlives: false }
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thawed {
    /// Everyone who was held, with all instants.
    pub processes: Vec<FrozenProcess>,
    /// What ended it.
    pub ended: Ended,
    /// Until here, on the host's clock, all stood still.
    pub first_resumed: HostInstant,
    /// When the last was resumed.
    pub last_resumed: HostInstant,
    /// From here on all ran again.
    pub confirmed: HostInstant,
}

/// A node that stands still. Dropping it thaws; so does the death of this process, unless [`Plan::outlives`].
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
    begin_when(dir, members, plan, &mut || Ok(plan.end))
}

/// The same, for whoever has something to do when the guards are there and nobody is stopped yet: `ready` does it, and says
/// when the pause ends. If it fails, nobody is stopped.
pub fn begin_when(
    dir: &Path,
    members: &dyn Members,
    plan: &Plan,
    ready: &mut dyn FnMut() -> Result<End>,
) -> Result<Frozen> {
    begin_by(choose(&plan.how, members)?, dir, members, plan, ready)
}

/// The same by a freezer that was chosen already, and why it was.
pub(super) fn begin_by(
    (freezer, why): (Box<dyn Freezer>, String),
    dir: &Path,
    members: &dyn Members,
    plan: &Plan,
    ready: &mut dyn FnMut() -> Result<End>,
) -> Result<Frozen> {
    let mut hold = Hold::take(dir, plan, freezer.means(), &why)?;
    let end = ready()?;
    hold.may_go_on()?;
    let deadline = host_clock::monotonic().saturating_add(plan.stop_within);
    let provisional = match end {
        End::OnThaw => None,
        End::At(at) => Some(at),
        End::After(span) => Some(deadline.saturating_add(span)),
    };
    hold.guards.set_end(provisional)?;
    freezer.freeze(members, &mut hold, deadline)?;
    let report = hold.report();
    if report.processes.is_empty() && report.found_stopped.is_empty() {
        return Err(nobody(dir));
    }
    let (until, requested) = match end {
        End::OnThaw => (None, None),
        End::At(at) => (Some(at), Some(at.saturating_since(report.last_confirmed))),
        End::After(span) => (Some(report.last_confirmed.saturating_add(span)), Some(span)),
    };
    let ago = host_clock::monotonic().saturating_since(report.last_confirmed);
    let shared = hold.ledger.shared();
    shared.set_plan(until, requested);
    shared.set_since(report.last_confirmed, host_clock::realtime().saturating_sub(ago.as_nanos()));
    hold.may_go_on()?;
    let held = if plan.outlives { Phase::Detached } else { Phase::Held };
    if !hold.ledger.shared().step(Phase::Freezing, held) {
        return Err(hold.called_off());
    }
    // Not before: a pause may be shorter than it took to see that nobody is missing, and is one nevertheless.
    // One that is overdue already is the controller's to end as well.
    let now = host_clock::monotonic();
    hold.guards.set_end(until.map(|at| at.max(now).saturating_add(GRACE)))?;
    Ok(Frozen { hold, report, until })
}

/// Refuses a freeze that cannot succeed, so far as that is known before anybody is stopped; for whoever waits for something
/// first.
pub fn check(dir: &Path, members: &dyn Members, how: &How) -> Result<()> {
    let (freezer, _) = choose(how, members)?;
    let processes = members.members()?;
    if processes.is_empty() {
        return Err(nobody(dir));
    }
    debugged::refuse(dir, &processes)?;
    freezer.check(dir, &processes)
}

fn nobody(dir: &Path) -> Error {
    Error::not_applied(format_args!("freeze {}", node_in(dir)), "none of its processes runs")
}

/// The freezer that is asked for; and why, where it was chosen.
fn choose(how: &How, members: &dyn Members) -> Result<(Box<dyn Freezer>, String)> {
    Ok(match how {
        How::Signal => (Box::new(SignalFreezer), String::new()),
        How::Cgroup => (Box::new(CgroupFreezer::of_any_version()), String::new()),
        How::Thread(patterns) => (Box::new(ThreadFreezer::new(patterns.clone())), String::new()),
        How::Auto => match CgroupFreezer::usable(&members.members()?) {
            Ok((freezer, why)) => (Box::new(freezer), format!("cgroup: {why}")),
            Err(why) => (Box::new(SignalFreezer), format!("signal: {}", why.why())),
        },
    })
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
        let refused = |why| Error::not_applied(format_args!("leave {} frozen", self.hold.node()), why);
        if self.hold.guards.are_gone() {
            return Err(refused("its guards have been killed; it has been thawed"));
        }
        let shared = self.hold.ledger.shared();
        if shared.phase() != Phase::Detached && !shared.step(Phase::Held, Phase::Detached) {
            return Err(refused("it has been thawed by another command or by its plan"));
        }
        self.hold.released = true;
        Ok(self.report.clone())
    }
}

/// Readable once the pause has been ended by somebody else, for callers that wait for several things.
impl AsFd for Frozen {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.hold.guards.as_fd()
    }
}
