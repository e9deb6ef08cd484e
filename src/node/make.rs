//! How a node comes into being: its page, its evidence file, its shim and its record, all at once.

use std::fs;
use std::sync::atomic::Ordering;

use falseticker_page::evidence::{self, EVIDENCE_SIZE, Evidence};
use falseticker_page::latch::Word;
use falseticker_page::layout::{self, FLAG_ALLOW_SETTIME, FLAG_MONOTONIC, PAGE_SIZE, Page};
use serde::{Deserialize, Serialize};

use super::capture::capture;
use super::choice::Choice;
use super::dir::NodeDir;
use super::files::{Access, allocate_file, write_file};
use super::memory::Mapped;
use super::slots;
use crate::error::{Error, Result};
use crate::host_clock;
use crate::process::{ProcessId, own_namespace};
use crate::reach::Means;
use crate::schedule::Tables;

/// The shim, which this binary carries.
static SHIM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/falseticker.so"));

/// What a node is, fixed when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// By what it was made; it decides how long it stays.
    pub made_by: MadeBy,
    /// Whether its monotonic clocks may be faulted.
    pub monotonic: bool,
    /// Whether programs of other users may be in it.
    pub share: bool,
    /// Whether its programs may set the host's clocks, as far as the kernel lets them.
    #[serde(default)]
    pub allow_settime: bool,
}

/// By what a node was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MadeBy {
    /// `run`: it goes with its last process.
    Run,
    /// `create`: it stays until `remove`.
    Create,
    /// A program that uses the library: it goes when that program drops it, or with that program.
    Library,
}

/// What the node's record says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The version of this format.
    pub version: u32,
    /// What the node is.
    #[serde(flatten)]
    pub kind: Kind,
    /// The pid namespace that its maker was in, by its inode: whoever is in another one cannot see who looks after it.
    #[serde(default)]
    pub namespace: Option<u64>,
    /// Who made it, and looks after it while it lives.
    pub keeper: Option<ProcessId>,
    /// The first processes of the node, one for each `run`.
    pub roots: Vec<ProcessId>,
    /// By which means these were to be reached, and why by those.
    #[serde(default)]
    pub choices: Vec<Chosen>,
    /// The parents of those: what the node's processes leave behind is reparented to them. No members themselves.
    #[serde(default)]
    pub keepers: Vec<ProcessId>,
    /// Whether running processes were ever attached to it.
    #[serde(default)]
    pub has_attached: bool,
}

/// By which means a first process was to be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The process.
    pub root: ProcessId,
    /// By which means.
    pub reach: Means,
    /// Why by these.
    pub why: String,
}

const VERSION: u32 = 1;

impl Kind {
    fn access(self) -> Access {
        if self.share { Access::Shared } else { Access::Private }
    }

    /// The page's flags that say it.
    fn flags(self) -> u32 {
        let flag = |is: bool, flag: u32| if is { flag } else { 0 };
        flag(self.monotonic, FLAG_MONOTONIC) | flag(self.allow_settime, FLAG_ALLOW_SETTIME)
    }
}

/// Makes a node; `None` if there is one of that name.
pub fn make(
    base: &super::BaseDir,
    name: &super::NodeName,
    kind: Kind,
    choice: &Choice,
) -> Result<Option<NodeDir>> {
    let made = NodeDir::create(base, name, kind.access(), |dir| {
        let access = kind.access();
        make_page(dir, kind)?;
        make_evidence(dir, access)?;
        choice.write(dir, access)?;
        write_file(&dir.shim(), SHIM, access.shim_mode())?;
        let record = Record {
            version: VERSION,
            kind,
            namespace: own_namespace(),
            keeper: ProcessId::own(),
            roots: Vec::new(),
            choices: Vec::new(),
            keepers: Vec::new(),
            has_attached: false,
        };
        write_file(&dir.record(), &to_json(&record)?, 0o600)?;
        Ok(())
    })?;
    Ok(made.map(|(dir, ())| dir))
}

fn make_page(dir: &NodeDir, kind: Kind) -> Result<()> {
    let file = allocate_file(&dir.page(), PAGE_SIZE as u64, kind.access().page_mode())?;
    let page: Mapped<Page> = Mapped::new(&file).map_err(|why| Error::not_applied("map a new page", why))?;
    let now = host_clock::monotonic();
    slots::encode(&Tables::new(capture(), now), &page.slots[0]);
    let header = &page.header;
    header.version.store(layout::VERSION, Ordering::Relaxed);
    header.flags.store(kind.flags(), Ordering::Relaxed);
    header.size.store(PAGE_SIZE as u64, Ordering::Relaxed);
    header.created.store(now.as_nanos().unsigned_abs(), Ordering::Relaxed);
    header.word.store(Word::FIRST.raw(), Ordering::Relaxed);
    header.magic.store(layout::MAGIC, Ordering::Release);
    Ok(())
}

fn make_evidence(dir: &NodeDir, access: Access) -> Result<()> {
    let file = allocate_file(&dir.evidence(), EVIDENCE_SIZE as u64, access.evidence_mode())?;
    let mapped: Mapped<Evidence> =
        Mapped::new(&file).map_err(|why| Error::not_applied("map a new evidence file", why))?;
    let header = &mapped.header;
    header.version.store(evidence::VERSION, Ordering::Relaxed);
    header.size.store(EVIDENCE_SIZE as u64, Ordering::Relaxed);
    header.created.store(host_clock::monotonic().as_nanos().unsigned_abs(), Ordering::Relaxed);
    header.magic.store(evidence::MAGIC, Ordering::Release);
    Ok(())
}

fn to_json(record: &Record) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(record).map_err(|why| Error::not_applied("write a node's record", why))
}

/// The record of a node.
pub fn read_record(dir: &NodeDir) -> Result<Record> {
    let attempted = format!("read the record of node {}", dir.name());
    let remedy = format!("falseticker remove {}, and make it anew", dir.name());
    let text = fs::read(dir.record()).map_err(|why| Error::not_applied(&attempted, why).remedy(&remedy))?;
    let record: Record =
        serde_json::from_slice(&text).map_err(|why| Error::bad_input(&attempted, why).remedy(&remedy))?;
    if record.version == VERSION {
        Ok(record)
    } else {
        let why =
            format!("it is of version {}, and this falseticker knows version {VERSION}", record.version);
        Err(Error::bad_input(attempted, why).remedy(remedy))
    }
}

/// Changes the record of a node, one writer at a time; whole or not at all.
pub fn change_record(dir: &NodeDir, change: impl FnOnce(&mut Record)) -> Result<()> {
    let attempted = format!("change the record of node {}", dir.name());
    let refused = |why: std::io::Error| Error::not_applied(&attempted, why);
    // The lock is on a file of its own, since the record itself is replaced.
    let lock = dir.path().join("node.lock");
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(lock).map_err(refused)?;
    lock.lock().map_err(refused)?;
    let mut record = read_record(dir)?;
    change(&mut record);
    let new = dir.path().join("node.json.new");
    fs::write(&new, to_json(&record)?).and_then(|()| fs::rename(&new, dir.record())).map_err(refused)
}
