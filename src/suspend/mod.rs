//! A suspend: a node as a virtual machine that is stopped and goes on later.
//!
//! [`begin`] starts a freeze's guards, publishes a standstill of the wall clock and the monotonic one (with its end and the
//! correction, all at once), waits until every process has moved its timers (`follow`), and lets the freeze go on, until the
//! standstill's end.
//!
//! What must hold:
//! - Nobody is frozen whose timers still go by the old schedule, or it is told; nobody is thawed by plan before the
//!   standstill ends.
//! - If it cannot be brought about, every clock is on its old course again, and the error says for how long it was not.
//! - Where the processes run before its end (a thaw, a heal, the loss of the guards), the standstill ends then: at that
//!   command, or if none gave it, at the next one ([`sweep`]).
//! - The death of the controller changes nothing: the page has the plan, and the guards have the end. Should it come while
//!   the processes are being frozen, they run on, by clocks that stand still until the next command or the planned end.

mod follow;
mod lock;

pub use follow::Unfollowed;

use crate::fault::Suspend;
use crate::freeze::{self, Ended, FreezeReport, Frozen, Thawed};
use crate::node::{NodeDir, Published};
use crate::schedule::{Tables, suspend as tables};
use crate::units::format_span;
use crate::{Error, ErrorKind, HostInstant, Node, Rate, Result, Span, host_clock};
use falseticker_page::change::{Change, Kind};
use follow::Roll;
use lock::{Attempt, Lock};

/// By when every process must have moved its timers, and stand still after that.
const FOLLOW_LIMIT: Span = Span::from_secs(2);

/// How far ahead a standstill is laid: so long that on an idle machine all are frozen when it begins, and nobody ever reads
/// a clock that stands still. The monotonic clock counts that much more of the pause.
const LEAD: Span = Span::from_millis(2);

/// What a suspend did to the clocks.
#[derive(Clone, Debug)]
pub struct Report {
    /// The id of its change.
    pub change: u32,
    /// As it is written on the command line.
    pub what: String,
    /// When the clocks began to stand still.
    pub at: HostInstant,
    /// When they run on, by plan.
    pub until: HostInstant,
    /// By how much it was published after `at`; zero when in time.
    pub late_by: Span,
    /// When every process had moved its timers.
    pub followed: HostInstant,
    /// How long the clocks stood still before the last process did.
    pub ran_on: Span,
    /// How long processes stood still before the clocks did: so much of the pause the monotonic clock counts, beside what
    /// it takes them to wake.
    pub counted: Span,
    /// How the wall clock is put right.
    pub correction: Option<Correction>,
    /// Whose timers, or clocks, may count the suspend.
    pub unfollowed: Vec<Unfollowed>,
}

/// How the wall clock is put right after a suspend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correction {
    /// The id of its change.
    pub change: u32,
    /// When it begins.
    pub at: HostInstant,
    /// By how much.
    pub by: Span,
    /// At which rate, if by a slew ...
    pub rate: Option<Rate>,
    /// ... and when that is there.
    pub until: Option<HostInstant>,
}

/// A node that is suspended. Dropping it wakes the node, and so ends the standstill; the death of this process does not.
#[derive(Debug)]
#[must_use = "dropping it wakes the node"]
pub struct Suspended<'a> {
    node: &'a Node,
    frozen: Option<Frozen>,
    report: Report,
}

/// Suspends a node: `Ok` once its processes stand still.
pub fn begin<'a>(node: &'a Node, asked: &Suspend) -> Result<Suspended<'a>> {
    let attempted = format!("suspend node {} for {}", node.name(), format_span(asked.length));
    check(node, asked, &attempted)?;
    let Attempt::Taken(lock) = Lock::take(node.dir().path(), true)? else {
        return Err(Error::not_applied(attempted, "another suspend of it is under way")
            .remedy("try again when that has ended"));
    };
    check_processes(node, &attempted)?;
    let mut standstill = None;
    let plan = freeze::Plan { outlives: true, ..freeze::Plan::default() };
    let frozen = node.freeze_when(&plan, &mut || {
        let mut roll = follow::call(node)?;
        let members = std::mem::take(&mut roll.members);
        let laid = standstill.insert(Standstill::publish(node, asked, &attempted)?);
        laid.followed_by(node, roll)?;
        Ok((freeze::End::At(laid.change.until), members))
    });
    let (frozen, laid) = match (frozen, standstill) {
        (Ok(frozen), Some(laid)) => (frozen, laid),
        (Err(why), Some(laid)) => return Err(call_off(node, &laid.change, &attempted, &why)),
        (Err(why), None) => return Err(why),
        (Ok(_), None) => return Err(Error::not_applied(attempted, "nothing was published")),
    };
    drop(lock);
    let report = laid.report(frozen.report());
    Ok(Suspended { node, frozen: Some(frozen), report })
}

/// A standstill that is published, and who has followed it.
struct Standstill {
    published: Published,
    change: Change,
    followed: HostInstant,
    unfollowed: Vec<Unfollowed>,
}

impl Standstill {
    fn publish(node: &Node, asked: &Suspend, attempted: &str) -> Result<Self> {
        let nothing = || Error::not_applied(attempted, "nothing was published");
        let published = node.publish(LEAD, &mut |old, captured, from| {
            tables::suspend(old, captured, from, asked).map(Some)
        })?;
        let published = published.ok_or_else(nothing)?;
        let change = tables::in_force(&published.tables, published.at).copied().ok_or_else(nothing)?;
        Ok(Standstill { followed: published.at, published, change, unfollowed: Vec::new() })
    }

    /// Waits until everyone has followed it.
    fn followed_by(&mut self, node: &Node, roll: Roll) -> Result<()> {
        let limit = self.change.at.saturating_add(FOLLOW_LIMIT).min(self.change.until);
        self.unfollowed = follow::wait(node, roll, self.published.generation, limit)?;
        self.followed = host_clock::monotonic();
        Ok(())
    }

    fn report(self, freeze: &FreezeReport) -> Report {
        let change = self.change;
        Report {
            change: change.id,
            what: format!("suspend {}", format_span(change.until.saturating_since(change.at))),
            at: change.at,
            until: change.until,
            late_by: self.published.late_by,
            followed: self.followed,
            ran_on: freeze.last_confirmed.saturating_since(change.at).max(Span::ZERO),
            counted: change.at.saturating_since(freeze.first_stop).max(Span::ZERO),
            correction: tables::correction(&self.published.tables, &change).map(Correction::of),
            unfollowed: self.unfollowed,
        }
    }
}

/// Refuses a suspend that cannot succeed, so far as that is known beforehand.
pub fn refuse(node: &Node, asked: &Suspend) -> Result<()> {
    let attempted = format!("suspend node {} for {}", node.name(), format_span(asked.length));
    check(node, asked, &attempted)?;
    check_processes(node, &attempted)
}

/// Refuses what this node is not made for.
fn check(node: &Node, asked: &Suspend, attempted: &str) -> Result<()> {
    asked.check()?;
    if node.kind().monotonic {
        return Ok(());
    }
    let why = "its monotonic clock may not be faulted: waits that began before could not follow";
    Err(Error::bad_input(attempted, why)
        .remedy("make the node with --monotonic, or freeze it: then its monotonic clock counts the pause"))
}

/// Refuses processes that cannot be suspended: none, or such as stand still already.
fn check_processes(node: &Node, attempted: &str) -> Result<()> {
    let dir = node.dir().path();
    freeze::sweep(dir)?;
    if !freeze::records(dir)?.is_empty() {
        let why = "it is frozen already, so that its timers cannot be moved";
        let remedy = format!("thaw it first: falseticker thaw {}", node.name());
        return Err(Error::not_applied(attempted, why).remedy(remedy));
    }
    if node.members()?.is_empty() {
        return Err(Error::not_applied(attempted, "none of its processes runs"));
    }
    Ok(())
}

/// Puts the clocks back on their course, and says so beside the reason.
fn call_off(node: &Node, change: &Change, attempted: &str, why: &Error) -> Error {
    let off = node
        .publish(Span::ZERO, &mut |old, captured, from| tables::call_off(old, captured, from, change.id))
        .map(|published| published.map_or(change.until, |published| published.at).min(change.until));
    let said = match off {
        Ok(at) => {
            let stood = format_span(at.saturating_since(change.at));
            format!("{}; its clocks stood still for {stood}, and are on their old course again", why.why())
        }
        Err(again) => {
            format!("{}; its clocks stand still until their planned end: {}", why.why(), again.why())
        }
    };
    let kind = if why.kind() == ErrorKind::BadInput { ErrorKind::NotApplied } else { why.kind() };
    let error = Error::new(kind, attempted, said);
    match why.help() {
        Some(help) => error.remedy(help),
        None if host_clock::monotonic() >= change.until => {
            error.remedy("suspend it for longer: it takes some milliseconds until all stand still")
        }
        None => error,
    }
}

impl Suspended<'_> {
    /// What was done to the clocks.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The pause of the processes; `None` once it has ended.
    pub fn frozen(&self) -> Option<&Frozen> {
        self.frozen.as_ref()
    }

    /// Waits for its end: the planned one, a thaw by somebody else, or the loss of the guards. Then all run.
    pub fn wait(mut self) -> Result<Option<Thawed>> {
        let thawed = self.frozen.take().map(Frozen::wait_and_thaw).transpose()?;
        if thawed.as_ref().is_some_and(|thawed| thawed.ended != Ended::AsPlanned) {
            end_standstill(self.node, Some(self.report.change))?;
        }
        Ok(thawed)
    }

    /// Wakes it now: its clocks run on, and then its processes.
    pub fn wake(mut self) -> Result<Option<Thawed>> {
        let ended = end_standstill(self.node, Some(self.report.change));
        let thawed = self.frozen.take().map(Frozen::thaw).transpose()?;
        ended.map(|_| thawed)
    }
}

impl Drop for Suspended<'_> {
    fn drop(&mut self) {
        if self.frozen.is_some()
            && let Err(error) = end_standstill(self.node, Some(self.report.change))
        {
            tracing::warn!(%error, "a node's clocks stand still until their planned end");
        }
    }
}

impl Correction {
    fn of(change: &Change) -> Self {
        let slewed = change.kind == Kind::Slew;
        Correction {
            change: change.id,
            at: change.at,
            by: Span::from_nanos(change.amount),
            rate: slewed.then(|| Rate::from_parts(change.second)),
            until: slewed.then_some(change.until),
        }
    }
}

/// Ends the standstill of a node's clocks, or `only` that of a change; when that took effect, if they stood still. (Whoever
/// was woken by another command may look when the node is suspended anew: that one is not his.)
fn end_standstill(node: &Node, only: Option<u32>) -> Result<Option<HostInstant>> {
    let is_meant = |tables: &Tables, at| {
        tables::in_force(tables, at).is_some_and(|change| only.is_none_or(|id| id == change.id))
    };
    let now = node.tables()?;
    // One that was just published may not have begun.
    if !is_meant(&now, host_clock::monotonic().max(now.from)) {
        return Ok(None);
    }
    let published = node.publish(Span::ZERO, &mut |old, captured, from| {
        if is_meant(old, from) { tables::wake(old, captured, from) } else { Ok(None) }
    })?;
    let at = published.map(|published| published.at);
    if let Some(at) = at {
        host_clock::sleep_until(at);
    }
    Ok(at)
}

/// Ends the standstill of a node that is about to be thawed before its time. Thawing does not depend on it. Whether a suspend is
/// just beginning, which this cannot end.
pub fn wake_early(dir: &NodeDir) -> bool {
    let ended = Lock::take(dir.path(), false).and_then(|attempt| match attempt {
        Attempt::Taken(_lock) => end_standstill(&Node::of_dir(dir.clone())?, None).map(|_| false),
        // A command that is still freezing it calls its suspend off when that fails.
        Attempt::Busy => Ok(true),
        Attempt::Absent => Ok(false),
    });
    ended.unwrap_or_else(|error| {
        tracing::warn!(%error, "the node's clocks were not looked after");
        false
    })
}

/// Ends a standstill whose processes run: its command died before they were frozen, or its guards were killed.
pub fn sweep(dir: &NodeDir) -> Result<()> {
    if let Attempt::Taken(_lock) = Lock::try_take(dir.path(), false)?
        && freeze::records(dir.path())?.is_empty()
    {
        end_standstill(&Node::of_dir(dir.clone())?, None)?;
    }
    Ok(())
}
