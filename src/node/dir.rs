//! The directory of one node: made whole or not at all, removed whole, found by its name.
//!
//! What must hold: whoever sees a node under its name sees all its files, since a node is filled under a temporary
//! name and renamed; it loses its name before it loses its files, so that removing it can never hit a new node of
//! the same name; what a killed process left half made or half removed bears that process's pid and start, and
//! the next command sweeps it. (A creator in another PID namespace looks dead: containers that share the
//! directory share the PID namespace too, or risk a creation that has to be repeated.)
//!
//! Source: rename(2): a directory replaces an empty one only, and a node's is never empty.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind as IoErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::base_dir::{BaseDir, VARIABLE};
use super::files::Access;
use super::name::NodeName;
use super::preload_env::SHIM_FILE;
use crate::error::{Error, Result};
use crate::process::ProcessId;

/// What begins the name of a node that is being filled.
const MAKING: &str = ".tmp-";
/// What begins the name of a node that is being removed.
const REMOVING: &str = ".old-";

/// The directory of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDir {
    base: BaseDir,
    name: NodeName,
    path: PathBuf,
}

impl NodeDir {
    /// Makes a node: `fill` makes its files in the directory that it is given, which has a temporary name, and
    /// must make at least one. `None` if there is a node of that name. When `fill` fails nothing is left.
    pub fn create<T>(
        base: &BaseDir,
        name: &NodeName,
        access: Access,
        fill: impl FnOnce(&NodeDir) -> Result<T>,
    ) -> Result<Option<(NodeDir, T)>> {
        let attempted = format!("make node {name}");
        let node = NodeDir::at(base, name);
        if node.path.symlink_metadata().is_ok() {
            return Ok(None);
        }
        let temporary = NodeDir { path: base.path().join(own_temporary(MAKING, name)?), ..node.clone() };
        let unfinished = Unfinished(&temporary);
        temporary.make(access)?;
        let filled = fill(&temporary)?;
        match fs::rename(&temporary.path, &node.path) {
            Ok(()) => {
                std::mem::forget(unfinished);
                Ok(Some((node, filled)))
            }
            Err(err)
                if [IoErrorKind::DirectoryNotEmpty, IoErrorKind::AlreadyExists].contains(&err.kind()) =>
            {
                Ok(None)
            }
            Err(err) => Err(Error::not_applied(attempted, err)),
        }
    }

    /// Makes the directory itself, and above it what may be missing.
    fn make(&self, access: Access) -> Result<()> {
        let mut attempts = 100;
        let made = loop {
            self.base.make(access)?;
            match DirBuilder::new().mode(0o700).create(&self.path) {
                // The last node here was just removed, and the base with it.
                Err(err) if err.kind() == IoErrorKind::NotFound && attempts > 1 => attempts -= 1,
                made => break made,
            }
        };
        made.and_then(|()| fs::set_permissions(&self.path, Permissions::from_mode(access.dir_mode())))
            .map_err(|err| Error::not_applied(format!("make node {}", self.name), err))
    }

    /// The node of that name.
    pub fn open(base: &BaseDir, name: &NodeName) -> Result<Self> {
        let node = NodeDir::at(base, name);
        if node.is_there() {
            return Ok(node);
        }
        let why = format!("there is no such node in {}", base.path().display());
        Err(Error::bad_input(format!("use node {name}"), why).remedy(format!(
            "falseticker status lists the nodes; if {VARIABLE} or XDG_RUNTIME_DIR was set when the node was made, \
             set it to the same now"
        )))
    }

    /// All nodes, by name.
    pub fn list(base: &BaseDir) -> Result<Vec<Self>> {
        let mut nodes: Vec<NodeDir> = entries(base)?
            .iter()
            .filter_map(|entry| entry.to_str()?.parse().ok())
            .map(|name| NodeDir::at(base, &name))
            .filter(NodeDir::is_there)
            .collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(nodes)
    }

    /// Removes the node with all its files; whether it was this call that did.
    pub fn remove(self) -> Result<bool> {
        let attempted = format!("remove node {}", self.name);
        let gone = self.base.path().join(own_temporary(REMOVING, &self.name)?);
        match fs::rename(&self.path, &gone) {
            Ok(()) => {}
            Err(err) if err.kind() == IoErrorKind::NotFound => return Ok(false),
            Err(err) => return Err(Error::not_applied(attempted, err)),
        }
        clear(&gone).map_err(|err| Error::not_applied(attempted, err))?;
        self.base.remove_if_empty();
        Ok(true)
    }

    fn at(base: &BaseDir, name: &NodeName) -> Self {
        NodeDir { base: base.clone(), name: name.clone(), path: base.path().join(name.as_str()) }
    }

    fn is_there(&self) -> bool {
        self.path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == self.base.owner())
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The user whose node it is.
    #[must_use]
    pub fn owner(&self) -> u32 {
        self.base.owner()
    }

    /// The schedules, which targets map read-only.
    #[must_use]
    pub fn page(&self) -> PathBuf {
        self.path.join("page")
    }

    /// The marks that processes leave of what they have read.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.path.join("evidence")
    }

    /// Which programs get the false clock, where not all do.
    #[must_use]
    pub fn choice(&self) -> PathBuf {
        self.path.join("choice")
    }

    /// The node's copy of the shim.
    #[must_use]
    pub fn shim(&self) -> PathBuf {
        self.path.join(SHIM_FILE)
    }

    /// What the node is and how it came to be, for whoever opens it by name.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.path.join("node.json")
    }
}

/// Removes what was made so far when a creation fails or panics.
struct Unfinished<'a>(&'a NodeDir);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let _ = clear(&self.0.path);
        self.0.base.remove_if_empty();
    }
}

/// Removes what processes that have ended left half made or half removed; how many of them.
pub fn sweep_half_made(base: &BaseDir) -> Result<usize> {
    let mut swept = 0;
    for entry in entries(base)? {
        let Some(process) = entry.to_str().and_then(creator) else {
            continue;
        };
        if process.is_alive() {
            continue;
        }
        let path = base.path().join(&entry);
        clear(&path).map_err(|err| Error::not_applied(format!("sweep {}", path.display()), err))?;
        tracing::info!(path = %path.display(), "swept what an ended process left behind");
        swept += 1;
    }
    if swept > 0 {
        base.remove_if_empty();
    }
    Ok(swept)
}

fn entries(base: &BaseDir) -> Result<Vec<OsString>> {
    let listed = fs::read_dir(base.path())
        .and_then(|dir| dir.map(|entry| entry.map(|entry| entry.file_name())).collect());
    match listed {
        Err(err) if err.kind() == IoErrorKind::NotFound => Ok(Vec::new()),
        Err(err) => Err(Error::not_applied(format!("list the nodes in {}", base.path().display()), err)),
        Ok(names) => Ok(names),
    }
}

/// Removes a directory with all that is in it; somebody else may be doing the same, or have done it.
fn clear(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(err) if err.kind() == IoErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// A temporary name that only this call has: threads of one process may be at the same node.
fn own_temporary(prefix: &str, name: &NodeName) -> Result<String> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let own = ProcessId::own().ok_or_else(|| {
        Error::not_applied(format!("make or remove node {name}"), "/proc/self/stat cannot be read")
            .remedy("mount /proc")
    })?;
    Ok(format!("{prefix}{}-{}-{count}-{name}", own.pid, own.start_ticks))
}

/// The process that gave a directory its temporary name; `None` for any other name.
fn creator(entry: &str) -> Option<ProcessId> {
    let rest = entry.strip_prefix(MAKING).or_else(|| entry.strip_prefix(REMOVING))?;
    let mut parts = rest.splitn(3, '-');
    let pid = parts.next()?.parse().ok()?;
    let start_ticks = parts.next()?.parse().ok()?;
    parts.next()?;
    Some(ProcessId { pid, start_ticks })
}

#[cfg(test)]
mod tests;
