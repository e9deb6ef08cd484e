//! `--report FILE`: what `run` did and what it found, as one JSON object.
//!
//! What must hold: a file that cannot be written is refused before the program runs; a reader sees the old file or the
//! whole new one, since it is written beside and renamed (a device or a pipe, which cannot be replaced, is written
//! to); names are stable, `_ns` instants are the host's CLOCK_MONOTONIC.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::outcome::Outcome;
use crate::error::{Error, Result};

/// The version of the format.
pub const VERSION: u32 = 1;

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// The command, word by word.
    pub command: Vec<String>,
    /// The node's name.
    pub node: String,
    /// The program's pid.
    pub pid: i32,
    /// When it was started, by the host's wall clock.
    pub started: String,
    /// The same on the host's monotonic clock.
    pub started_ns: i64,
    /// When it had ended.
    pub ended: String,
    /// The same on the host's monotonic clock.
    pub ended_ns: i64,
    /// How it ended.
    pub exit: Outcome,
    /// By which means it was reached, `preload` or `vdso`; `left out` by `--only` or `--skip`, unless it became another
    /// program that was reached (`by exec`); `unknown` when nobody can say.
    pub reach: &'static str,
    /// Why by these.
    pub reach_why: String,
    /// The node's changes, as far as its page still has them.
    pub changes: Vec<Change>,
    /// Each process of the program's that was reached, ended ones too.
    pub processes: Vec<Process>,
    /// Processes of the node for which there was no room in the evidence file.
    pub without_row: u64,
    /// Calls that set the clock and were refused, in all processes that the node has or had.
    pub refused_settings: u64,
}

/// A change.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Its id.
    pub id: u32,
    /// As it is written on the command line.
    pub fault: String,
    /// The clocks that it touches.
    pub clocks: Vec<&'static str>,
    /// When it takes effect.
    pub at_ns: i64,
    /// When it ends by itself.
    pub until_ns: Option<i64>,
    /// By how much it was published too late.
    pub late_by_ns: i64,
}

/// A process.
#[derive(Clone, Debug, Serialize)]
pub struct Process {
    /// Its pid; of a process that was not seen while it lived, the one that it had in its own pid namespace.
    pub pid: i32,
    /// Its command line; none if it had ended before anybody looked.
    pub command: Option<String>,
    /// When it loaded the shim, or first read its clock as a forked child.
    pub since_ns: i64,
    /// The changes that it has read its clock under.
    pub evidence: Vec<Mark>,
    /// Its calls that set the clock and were refused.
    pub refused_settings: u64,
    /// How its waits for instants of the clock followed it: `none` (there was none), `kicked`, `sliced`.
    pub waits: &'static str,
}

/// A process's first read under a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// The change.
    pub change: u32,
    /// How long after it took effect.
    pub latency_ns: i64,
}

/// The file that a report goes to.
#[derive(Debug)]
pub struct ReportFile {
    path: PathBuf,
    file: File,
    /// Where it is written until it is whole; removed if it never is.
    temporary: Option<PathBuf>,
}

impl ReportFile {
    /// Opens it, or refuses what cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let refused = |why: std::io::Error| {
            Error::bad_input(format!("write the report {}", path.display()), why)
                .remedy("name a file in a directory that you can write in")
        };
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                Err(refused(std::io::Error::from(std::io::ErrorKind::IsADirectory)))
            }
            Ok(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(path).map_err(refused)?;
                Ok(ReportFile { path: path.to_path_buf(), file, temporary: None })
            }
            // Through a link, so that it stays one.
            Ok(_) => beside(&path.canonicalize().map_err(refused)?).map_err(refused),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => beside(path).map_err(refused),
            Err(why) => Err(refused(why)),
        }
    }

    /// Writes the report.
    pub fn write(mut self, report: &Report) -> Result<()> {
        let done = (|| {
            let mut to = BufWriter::new(&self.file);
            serde_json::to_writer_pretty(&mut to, report)?;
            to.write_all(b"\n")?;
            to.flush()?;
            drop(to);
            if let Some(temporary) = self.temporary.take() {
                fs::rename(&temporary, &self.path).inspect_err(|_| self.temporary = Some(temporary))?;
            }
            Ok::<(), std::io::Error>(())
        })();
        done.map_err(|why| Error::not_applied(format!("write the report {}", self.path.display()), why))
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

fn beside(path: &Path) -> std::io::Result<ReportFile> {
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?;
    let mut hidden = OsStr::new(".").to_owned();
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(hidden);
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    Ok(ReportFile { path: path.to_path_buf(), file, temporary: Some(temporary) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            version: VERSION,
            command: vec!["date".to_owned()],
            node: "a".to_owned(),
            pid: 1,
            started: "2026-01-01T00:00:00Z".to_owned(),
            started_ns: 1,
            ended: "2026-01-01T00:00:00Z".to_owned(),
            ended_ns: 2,
            exit: Outcome::Code(0),
            reach: "preload",
            reach_why: "a program that can be preloaded".to_owned(),
            changes: Vec::new(),
            processes: Vec::new(),
            without_row: 0,
            refused_settings: 0,
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        fs::write(&path, "old").unwrap();
        drop(ReportFile::open(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(dir.path()), ["report.json"]);
        let file = ReportFile::open(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        file.write(&report()).unwrap();
        assert_eq!(names(dir.path()), ["report.json"]);
        let value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(value["exit"]["code"], 0);
        assert_eq!(value["version"], 1);
    }

    #[test]
    fn what_cannot_be_written_is_refused_and_what_cannot_be_replaced_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for bad in [dir.path().to_path_buf(), dir.path().join("none/report.json"), PathBuf::new()] {
            let err = ReportFile::open(&bad).unwrap_err();
            assert_eq!(err.kind(), crate::ErrorKind::BadInput, "{}", bad.display());
        }
        ReportFile::open(Path::new("/dev/null")).unwrap().write(&report()).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        ReportFile::open(&link).unwrap().write(&report()).unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert!(fs::metadata(&file).unwrap().len() > 0);
    }
}
