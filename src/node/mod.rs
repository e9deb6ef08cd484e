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
mod faults;
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
pub use faults::Applied;
pub use files::Access;
pub use keeping::{remove, sweep, sweep_node};
use make::Chosen;
pub use make::{Kind, MadeBy};
pub use name::NodeName;
pub(crate) use slots::Published;
pub use status::pauses::{Frozen as FrozenStatus, Held, Pause};
pub use status::{Status, status};
pub use wait::{Answer, Asked};

use std::ffi::OsString;
use std::fs::File;
use std::process::Command;

use falseticker_page::evidence::{EVIDENCE_SIZE, Evidence};
use falseticker_page::layout::{PAGE_SIZE, Page};
use falseticker_page::time::Span;

use crate::error::{Error, Result};
use crate::process::ProcessId;
use crate::reach;
use crate::schedule::{Heal, Tables};
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

    /// Writes down by which means a first process is to be reached.
    pub(crate) fn note_choice(&self, root: ProcessId, choice: &reach::Choice) -> Result<()> {
        make::change_record(&self.dir, |record| {
            record.choices.retain(|known| known.root.is_alive());
            record.choices.push(Chosen { root, reach: choice.means, why: choice.why.clone() });
        })
    }

    /// Notes who is the parent of one of the node's first processes, and of what that leaves behind; `looks_after` if
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
