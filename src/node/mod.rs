//! A node: a named group of processes that share one false clock, as one machine's processes do.
//!
//! [`Node`] does all that the command line does, which has nothing else to do it with. A node that a program creates
//! heals and goes when it is dropped; one that is opened by name stays.

mod attach;
pub mod base_dir;
mod capture;
mod choice;
pub mod dir;
mod escapes;
mod evidence;
pub mod files;
mod keeping;
mod make;
mod mapping;
mod members;
pub(crate) mod memory;
pub mod name;
mod pauses;
pub mod preload_env;
mod reaches;
pub(crate) mod slots;
pub mod status;
mod wait;

pub use attach::attached_to;
pub use base_dir::BaseDir;
pub use choice::Choice;
pub use dir::NodeDir;
pub(crate) use evidence::waits_name;
pub use files::Access;
pub use keeping::{remove, sweep, sweep_node};
use make::Chosen;
pub use make::{Kind, MadeBy};
pub use name::NodeName;
pub use pauses::{Frozen as FrozenStatus, Held, Pause};
pub(crate) use slots::Published;
pub use status::{Status, status};
pub use wait::{Answer, Asked};

use std::cell::Cell;
use std::ffi::OsString;
use std::fs::File;
use std::process::Command;

use falseticker_page::evidence::{EVIDENCE_SIZE, Evidence};
use falseticker_page::layout::{PAGE_SIZE, Page};
use falseticker_page::time::{HostInstant, Span};

use crate::error::{Error, Result};
use crate::fault::{Clocks, Fault, Suspend};
use crate::freeze::{self, FreezeReport, Frozen};
use crate::process::ProcessId;
use crate::reach;
use crate::schedule::{Heal, Planned, Tables, What, add_fault, heal, plan_changes};
use crate::suspend::{self, Suspended};
use crate::trap;
use memory::Mapped;

/// A node.
///
/// ```no_run
/// use falseticker::fault::{Clocks, Jump};
/// use falseticker::{Node, Span};
///
/// # fn main() -> falseticker::Result<()> {
/// let node = Node::create("leaseholder")?;
/// let mut program = node.command("./lease-server").spawn().expect("the program starts");
/// let jump = node.fault(Jump { by: Span::from_secs(-10) }, Clocks::Wall, None)?;
/// assert!(node.wait_until_read(&jump, Span::from_secs(1))?.is_yes());
/// # program.kill().ok();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Node {
    dir: NodeDir,
    kind: Kind,
    choice: Choice,
    page: Mapped<Page>,
    evidence: Mapped<Evidence>,
    /// Whether dropping this ends the node.
    owned: bool,
}

/// A change that was applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its id.
    pub id: u32,
    /// What it is, as it is written on the command line.
    pub what: String,
    /// The clocks that it touches.
    pub clocks: Vec<&'static str>,
    /// When it takes effect.
    pub at: HostInstant,
    /// When it ends by itself.
    pub until: Option<HostInstant>,
    /// By how much it was published after it was to take effect; zero when in time.
    pub late_by: Span,
}

impl Node {
    /// Makes a node for this program: healed and removed when it is dropped.
    pub fn create(name: &str) -> Result<Node> {
        let kind = Kind { made_by: MadeBy::Library, monotonic: false, share: false, allow_settime: false };
        let mut node = Node::make(&name.parse()?, kind)?;
        node.owned = true;
        Ok(node)
    }

    /// As [`Node::create`], and its monotonic clocks may be faulted too.
    pub fn create_monotonic(name: &str) -> Result<Node> {
        let kind = Kind { made_by: MadeBy::Library, monotonic: true, share: false, allow_settime: false };
        let mut node = Node::make(&name.parse()?, kind)?;
        node.owned = true;
        Ok(node)
    }

    /// Makes a node that stays; an error if there is one of that name.
    pub fn make(name: &NodeName, kind: Kind) -> Result<Node> {
        Node::make_choosing(name, kind, &Choice::default())
    }

    /// The same; programs that the choice leaves out keep true time.
    pub fn make_choosing(name: &NodeName, kind: Kind, choice: &Choice) -> Result<Node> {
        let base = BaseDir::find()?;
        match make::make(&base, name, kind, choice)? {
            Some(dir) => Node::of_dir(dir),
            None => Err(Error::bad_input(format!("make node {name}"), "there is a node of that name")
                .remedy(format!("choose another name, or falseticker remove {name}"))),
        }
    }

    /// The node of that name.
    pub fn open(name: &str) -> Result<Node> {
        let name: NodeName = name.parse()?;
        Node::of_dir(NodeDir::open(&BaseDir::find()?, &name)?)
    }

    /// All nodes.
    pub fn all() -> Result<Vec<NodeDir>> {
        NodeDir::list(&BaseDir::find()?)
    }

    /// The node that lives in a directory.
    pub fn of_dir(dir: NodeDir) -> Result<Node> {
        let kind = make::read_record(&dir)?.kind;
        let choice = Choice::read(&dir)?;
        let page = memory::open_page(&dir)?;
        let evidence = memory::open_evidence(&dir)?;
        Ok(Node { dir, kind, choice, page, evidence, owned: false })
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        self.dir.name()
    }

    /// Its directory.
    pub fn dir(&self) -> &NodeDir {
        &self.dir
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Which programs get its false clock.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// The variables that put a process into the node. `LD_PRELOAD` keeps what `current` has of other libraries.
    pub fn env(&self, current: Option<&std::ffi::OsStr>) -> Vec<(OsString, OsString)> {
        vec![("LD_PRELOAD".into(), preload_env::with_shim(current, &self.dir.shim()))]
    }

    /// A command that runs in the node. (Programs that the shim does not reach run without it: see
    /// [`crate::reach::choose`].)
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.envs(self.env(std::env::var_os("LD_PRELOAD").as_deref()));
        command
    }

    /// Puts a clock fault in force, for `lasts` or until it is ended.
    pub fn fault(&self, fault: impl Into<Fault>, clocks: Clocks, lasts: Option<Span>) -> Result<Applied> {
        let fault = fault.into();
        self.check(&fault, clocks, lasts)?;
        let published = slots::publish(&self.dir, &self.page, &mut |old, captured, from| {
            add_fault(old, captured, from, &fault, clocks, lasts).map(Some)
        })?;
        let published =
            published.ok_or_else(|| Error::not_applied(fault.describe(), "nothing was published"))?;
        Ok(Applied::of(&published, fault.describe()))
    }

    /// Publishes changes that take effect at instants of their own, all at once: they take place whatever becomes of this
    /// process. What was applied comes back in the same order.
    pub fn plan(&self, planned: &[Planned]) -> Result<Vec<Applied>> {
        for planned in planned {
            if let What::Fault(fault, clocks, lasts) = &planned.what {
                self.check(fault, *clocks, *lasts)?;
            }
        }
        let mut ids = Vec::new();
        let published = slots::publish(&self.dir, &self.page, &mut |old, captured, from| {
            let (tables, new) = plan_changes(old, captured, from, planned)?;
            ids = new;
            Ok(Some(tables))
        })?;
        let applied = published.iter().flat_map(|published| {
            ids.iter().filter_map(|id| published.tables.change(*id)).map(Applied::of_change)
        });
        Ok(applied.collect())
    }

    /// Refuses a clock fault that could not be put in force now, and changes nothing: for whoever means to do so later.
    pub fn check_fault(&self, fault: &Fault, clocks: Clocks, lasts: Option<Span>) -> Result<()> {
        self.check(fault, clocks, lasts)?;
        let (_, tables) = slots::read(&self.page)?;
        let from = crate::host_clock::monotonic().max(tables.from);
        add_fault(&tables, &capture::capture(), from, fault, clocks, lasts).map(drop)
    }

    fn check(&self, fault: &Fault, clocks: Clocks, lasts: Option<Span>) -> Result<()> {
        let attempted = || format!("apply {} to node {}", fault.describe(), self.name());
        if lasts.is_some_and(|lasts| lasts.as_nanos() <= 0) {
            return Err(Error::bad_input(attempted(), "--for must be longer than nothing"));
        }
        if clocks == Clocks::All && !self.kind.monotonic {
            return Err(Error::bad_input(
                attempted(),
                "its monotonic clocks may not be faulted: waits that began before could not follow",
            )
            .remedy("make the node with --monotonic, or leave --clock at wall"));
        }
        fault.check(clocks, lasts.is_some())
    }

    /// Ends all clock faults and cancels what is planned. `None` if there was nothing to end.
    pub fn heal_clocks(&self, how: Heal) -> Result<Option<Applied>> {
        let published =
            slots::publish(&self.dir, &self.page, &mut |old, captured, from| heal(old, captured, from, how))?;
        Ok(published.map(|published| Applied::of(&published, "heal".to_owned())))
    }

    /// Ends all faults, thaws included.
    pub fn heal(&self, how: Heal) -> Result<Option<Applied>> {
        self.thaw()?;
        self.heal_clocks(how)
    }

    /// Freezes all of the node's processes: `Ok` once every one is confirmed stopped. Dropping what comes back
    /// thaws them, and so does the death of this process; [`Frozen::detach`] leaves them so.
    pub fn freeze(&self, plan: &freeze::Plan) -> Result<Frozen> {
        freeze::begin(self.dir.path(), &|| self.members(), plan)
    }

    /// Refuses a freeze that cannot succeed, so far as that is known beforehand.
    pub fn check_freeze(&self, how: &freeze::How) -> Result<()> {
        freeze::check(self.dir.path(), &|| self.members(), how)
    }

    /// As [`Node::freeze`], once `ready` has returned, which waits for something: the guards are there by then, and nothing
    /// but the stop itself lies between. If it fails nobody is stopped.
    pub fn freeze_once(&self, plan: &freeze::Plan, ready: &mut dyn FnMut() -> Result<()>) -> Result<Frozen> {
        self.check_freeze(&plan.how)?;
        freeze::begin_when(self.dir.path(), &|| self.members(), plan, &mut || ready().map(|()| plan.end))
    }

    /// As [`Node::freeze`], once `ready` has done what is to be done just before, and has said when the pause ends and whom it has seen:
    /// they are stopped first, without another look for members, which takes its time.
    pub(crate) fn freeze_when(
        &self,
        plan: &freeze::Plan,
        ready: &mut dyn FnMut() -> Result<(freeze::End, Vec<ProcessId>)>,
    ) -> Result<Frozen> {
        let seen = Cell::new(None);
        let members = || seen.take().map_or_else(|| self.members(), Ok);
        let mut ready = || {
            let (end, members) = ready()?;
            seen.set(Some(members));
            Ok(end)
        };
        freeze::begin_when(self.dir.path(), &members, plan, &mut ready)
    }

    /// Freezes all of the node's processes for a time.
    pub fn freeze_for(&self, length: Span) -> Result<FreezeReport> {
        let plan = freeze::Plan { end: freeze::End::After(length), ..freeze::Plan::default() };
        let frozen = self.freeze(&plan)?;
        let report = frozen.report().clone();
        frozen.wait_and_thaw()?;
        Ok(report)
    }

    /// Refuses a suspend that cannot succeed, so far as that is known beforehand.
    pub fn check_suspend(&self, asked: &Suspend) -> Result<()> {
        suspend::refuse(self, asked)
    }

    /// Suspends the node as a virtual machine is: its processes are frozen, and its monotonic clock does not count it. `Ok`
    /// once all stand still. Dropping what comes back wakes them; should this process die, the suspend takes its course.
    pub fn suspend(&self, asked: &Suspend) -> Result<Suspended<'_>> {
        suspend::begin(self, asked)
    }

    /// Resumes what a freeze or a suspend has stopped, disarms a trap and lets go whom it holds; whether there was anything of it.
    pub fn thaw(&self) -> Result<bool> {
        suspend::wake_early(&self.dir);
        let thawed = !freeze::thaw(self.dir.path())?.is_empty();
        Ok(thawed | !trap::release(&self.dir)?.is_nothing())
    }

    /// Holds a thread right after it has read its clock; armed when this returns, for as long as what comes back lives.
    ///
    /// ```no_run
    /// use falseticker::trap::Plan;
    /// use falseticker::{Node, Span};
    ///
    /// # fn main() -> falseticker::Result<()> {
    /// let node = Node::open("leaseholder")?;
    /// let mut trap = node.trap(&Plan::next_wall_read(Span::from_secs(10)))?;
    /// if let Some(held) = trap.wait_for_next(Span::from_secs(30)) {
    ///     println!("thread {} of process {} is held until {:?}", held.tid, held.pid, held.until);
    ///     // ... and now let somebody else take the lease.
    /// }
    /// drop(trap); // lets it go
    /// # Ok(())
    /// # }
    /// ```
    pub fn trap(&self, plan: &trap::Plan) -> Result<trap::Armed> {
        trap::arm(self, plan)
    }

    /// Whether anybody would read its clock.
    pub(crate) fn is_anybody_reached(&self) -> Result<bool> {
        Ok(!members::look(self)?.reached.is_empty())
    }

    /// Everyone who belongs to the node: its first processes, all that descends from them, and whoever is reached.
    pub fn members(&self) -> Result<Vec<ProcessId>> {
        members::ids(self)
    }

    /// Notes that a process is one of the node's first.
    pub fn add_root(&self, root: ProcessId) -> Result<()> {
        make::change_record(&self.dir, |record| {
            record.roots.retain(|known| known.is_alive());
            record.roots.push(root);
        })
    }

    /// Notes who is the parent of one of the node's first processes, and of what that leaves behind; `looks_after` if
    /// Writes down by which means a first process is to be reached.
    pub(crate) fn note_choice(&self, root: ProcessId, choice: &reach::Choice) -> Result<()> {
        make::change_record(&self.dir, |record| {
            record.choices.retain(|known| known.root.is_alive());
            record.choices.push(Chosen { root, reach: choice.means, why: choice.why.clone() });
        })
    }

    /// the node stays while that keeper lives.
    pub(crate) fn add_keeper(&self, keeper: ProcessId, looks_after: bool) -> Result<()> {
        make::change_record(&self.dir, |record| {
            record.keepers.retain(|known| known.is_alive());
            record.keepers.push(keeper);
            if looks_after {
                record.keeper = Some(keeper);
            }
        })
    }

    /// What its processes read.
    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    /// What its processes have marked.
    pub(crate) fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Publishes what `edit` makes of its clocks, at least so far ahead; `None` from it leaves all as it is.
    pub(crate) fn publish(&self, lead: Span, edit: &mut slots::Edit<'_>) -> Result<Option<slots::Published>> {
        slots::publish_ahead(&self.dir, &self.page, lead, edit)
    }

    /// What its page says now.
    pub(crate) fn tables(&self) -> Result<Tables> {
        slots::read(&self.page).map(|(_, tables)| tables)
    }

    /// Its processes, and how they are reached.
    pub(crate) fn look(&self) -> Result<members::Members> {
        members::look(self)
    }

    /// Its last changes; readable as long as the node is open, though it may have been removed.
    pub(crate) fn changes(&self) -> Result<Vec<status::ChangeStatus>> {
        let (_, tables) = slots::read(&self.page)?;
        Ok(status::changes(&tables, crate::host_clock::monotonic()))
    }

    /// The page and the evidence file, as those who are reached have them: the page for reading alone.
    pub(crate) fn open_files(&self) -> Result<(File, File)> {
        let page = files::open_file(&self.dir.page(), PAGE_SIZE as u64, self.dir.owner(), false)?;
        let evidence = files::open_file(&self.dir.evidence(), EVIDENCE_SIZE as u64, self.dir.owner(), true)?;
        Ok((page, evidence))
    }

    /// Whether a process has the node's page mapped: it reads its clock there, or has once.
    pub(crate) fn is_mapped_in(&self, process: ProcessId) -> bool {
        self.mapping_in(process, PAGE_SIZE).is_some()
    }

    /// Where a process has so much of the node's page mapped.
    pub(crate) fn mapping_in(&self, process: ProcessId, length: usize) -> Option<u64> {
        mapping::find(process, &self.dir.page(), length)
    }

    /// Waits until every reached process that runs has read its clock under a change, for `limit` at most.
    pub fn wait_until_read(&self, change: &Applied, limit: Span) -> Result<Answer> {
        wait::wait(self, change, limit)
    }

    /// Removes the node: healed and thawed first, so that whoever still runs in it has true clocks.
    pub fn remove(self) -> Result<()> {
        let dir = self.dir.clone();
        self.heal(Heal::Step)?;
        keeping::let_go(&self);
        drop(self);
        dir.remove().map(drop)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.owned {
            let healed = self.heal(Heal::Step).map(drop);
            keeping::let_go(self);
            if let Err(why) = healed.and_then(|()| self.dir.clone().remove().map(drop)) {
                tracing::warn!("node {} was not ended: {why}", self.name());
            }
        }
    }
}

impl Applied {
    /// What a planned change's record says.
    fn of_change(change: &falseticker_page::change::Change) -> Self {
        let what = Fault::of_change(change).map_or_else(|| "heal".to_owned(), |fault| fault.describe());
        Applied {
            id: change.id,
            what,
            clocks: status::clock_names(change.clocks),
            at: change.at,
            until: (change.until != HostInstant::MAX).then_some(change.until),
            late_by: Span::ZERO,
        }
    }

    fn of(published: &slots::Published, what: String) -> Self {
        let of_now = |change: &&falseticker_page::change::Change| {
            change.at == published.at && change.kind != falseticker_page::change::Kind::End
        };
        let change = published.tables.changes.iter().rev().find(of_now);
        let until = change.map(|change| change.until).filter(|until| *until != HostInstant::MAX);
        Applied {
            id: change.map_or(0, |change| change.id),
            what,
            clocks: change.map(|change| status::clock_names(change.clocks)).unwrap_or_default(),
            at: published.at,
            until,
            late_by: published.late_by,
        }
    }
}
