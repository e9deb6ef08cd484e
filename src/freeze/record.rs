//! `frozen.json` in a node's directory: what is frozen, for `status` and for whoever finds the guards dead.
//!
//! What must hold: it is written before any process in it is stopped and removed only after all of them have been
//! resumed, both by someone who holds the node's lock; it is replaced by renaming, so a reader sees one version
//! or another; a version newer than this program's is refused.

use std::ffi::CStr;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::node_in;
use crate::process::ProcessId;
use crate::{Error, Result};

const FILE: &str = "frozen.json";
const NEW: &str = "frozen.json.new";
const VERSION: u32 = 1;

/// Its names, for guards that may not allocate.
pub(super) const FILES: [&CStr; 2] = [c"frozen.json", c"frozen.json.new"];

/// What a frozen node's directory says of its freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this format.
    pub version: u32,
    /// Who was stopped, or is about to be, and is resumed at the end.
    pub processes: Vec<ProcessId>,
    /// Members whom somebody else had stopped before; they stay stopped.
    pub found_stopped: Vec<ProcessId>,
    /// Since when all are stopped, in nanoseconds of the host's CLOCK_MONOTONIC; absent while they are being so.
    pub since: Option<i64>,
    /// The same on the host's CLOCK_REALTIME.
    pub since_wall: Option<i64>,
    /// The planned end, in nanoseconds of the host's CLOCK_MONOTONIC; absent if it ends by a command.
    pub until: Option<i64>,
    /// Who froze it, if he lives. Not in the file: the lock names the living.
    #[serde(skip)]
    pub controller: Option<ProcessId>,
    /// Who guards it now.
    #[serde(skip)]
    pub guards: Vec<ProcessId>,
}

impl Record {
    pub(super) fn new() -> Record {
        Record {
            version: VERSION,
            processes: Vec::new(),
            found_stopped: Vec::new(),
            since: None,
            since_wall: None,
            until: None,
            controller: None,
            guards: Vec::new(),
        }
    }

    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let refused =
            |why: std::io::Error| Error::not_applied(format_args!("write {}", dir.join(FILE).display()), why);
        let text = serde_json::to_vec(self).map_err(|why| refused(why.into()))?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let written = options.open(dir.join(NEW)).and_then(|mut file| file.write_all(&text));
        written.and_then(|()| std::fs::rename(dir.join(NEW), dir.join(FILE))).map_err(refused)
    }

    pub(super) fn read(dir: &Path) -> Result<Option<Record>> {
        let path = dir.join(FILE);
        let attempted = format!("read {}", path.display());
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(Error::not_applied(attempted, why)),
        };
        let remedy = "resume the node's processes with kill -CONT, and remove the file";
        // Only the version is common to all formats.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let bad = |why: serde_json::Error| Error::not_applied(&attempted, why).remedy(remedy);
        let version = serde_json::from_slice::<Version>(&text).map_err(bad)?.version;
        if version != VERSION {
            let why = format!("it is of version {version}, and this program knows version {VERSION}");
            return Err(Error::not_applied(attempted, why).remedy("thaw with the falseticker that froze"));
        }
        serde_json::from_slice(&text).map(Some).map_err(bad)
    }

    pub(super) fn remove(dir: &Path) -> Result<()> {
        for name in [NEW, FILE] {
            match std::fs::remove_file(dir.join(name)) {
                Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::not_applied(format_args!("remove {}", dir.join(name).display()), why));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What the node in `dir` is frozen by; `None` if it is not frozen. After [`sweep`](super::sweep) this is what
/// is in force.
pub fn record(dir: &Path) -> Result<Option<Record>> {
    let Some(mut record) = Record::read(dir)? else { return Ok(None) };
    if let Some(lock) = Lock::open(dir)? {
        let holders = lock.holders();
        (record.controller, record.guards) = (holders.controller, holders.guards);
    }
    Ok(Some(record))
}

/// The error for a node that is frozen already.
pub(super) fn already_frozen(dir: &Path, record: &Record) -> Error {
    let by = record.controller.map_or(String::new(), |id| format!(" by process {id}"));
    let count = record.processes.len();
    let node = node_in(dir);
    Error::not_applied(
        format_args!("freeze {node}"),
        format_args!("it is frozen already{by} ({count} processes)"),
    )
    .remedy(format_args!("thaw it first: falseticker thaw {}", node.trim_start_matches("node ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_read_as_it_was_written_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(record(dir.path()).unwrap(), None);
        let written = Record { processes: vec![ProcessId::own().unwrap()], until: Some(7), ..Record::new() };
        written.write(dir.path()).unwrap();
        assert_eq!(record(dir.path()).unwrap(), Some(written));
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Record::remove(dir.path()).unwrap();
        Record::remove(dir.path()).unwrap();
        assert_eq!(record(dir.path()).unwrap(), None);
    }

    #[test]
    fn what_it_cannot_read_it_refuses_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "{}", "[1]", r#"{"version":2}"#, r#"{"version":1}"#] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert!(record(dir.path()).unwrap_err().help().is_some(), "{text}");
        }
    }

    #[test]
    fn the_names_for_the_guards_are_the_same() {
        assert_eq!(FILES.map(|name| name.to_str().unwrap()), [FILE, NEW]);
    }
}
