//! Which programs of a node get its false clock: chosen when the node is made, and kept in a file that the shim reads.
//!
//! What must hold: shim and controller decide alike, by the same code (`falseticker_page::choice`) on the same names: the path
//! by which a program was executed, and that of the file which runs in the end.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use falseticker_page::choice::{self, CHOICE_SIZE, Rule, encode};

use super::dir::NodeDir;
use super::files::{Access, open_file, write_file};
use crate::error::{Error, Result};
use crate::process::ProcessId;

/// A choice among the programs of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// As it stands in the node's file, which parses.
    bytes: Vec<u8>,
}

impl Choice {
    /// These programs alone, or all but those; with neither, every one. A command is the last part of a path, or a path.
    pub fn of(only: &[OsString], skip: &[OsString]) -> Result<Choice> {
        let (rule, flag, commands) = match (only, skip) {
            ([], []) => return Ok(Choice::default()),
            (only, []) => (Rule::Only, "--only", only),
            ([], skip) => (Rule::Skip, "--skip", skip),
            _ => {
                return Err(Error::bad_input("choose programs", "--only and --skip exclude each other")
                    .remedy("say with one of them which programs get the false clock"));
            }
        };
        let names = commands.iter().map(|command| name(flag, command)).collect::<Result<Vec<_>>>()?;
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let bytes = encode(rule, &names).map(Iterator::collect).ok_or_else(|| {
            let why = format!("the names are longer than {CHOICE_SIZE} bytes together");
            Error::bad_input(format!("choose programs by {flag}"), why).remedy("name fewer")
        })?;
        Ok(Choice { bytes })
    }

    /// That of a node.
    pub fn read(dir: &NodeDir) -> Result<Choice> {
        // Nodes of which nothing is left out have no such file.
        if !dir.choice().exists() {
            return Ok(Choice::default());
        }
        let attempted = format!("read the choice of node {}", dir.name());
        let remedy = format!("falseticker remove {}, and make it anew", dir.name());
        let mut bytes = Vec::new();
        open_file(&dir.choice(), 0, dir.owner(), false)?
            .take(CHOICE_SIZE as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|why| Error::not_applied(&attempted, why).remedy(&remedy))?;
        match choice::Choice::parse(&bytes) {
            Some(_) => Ok(Choice { bytes }),
            None => Err(Error::bad_input(attempted, "it is corrupt, or of another version").remedy(remedy)),
        }
    }

    /// Keeps it in a node that is being made.
    pub(super) fn write(&self, dir: &NodeDir, access: Access) -> Result<()> {
        if self.is_everything() {
            return Ok(());
        }
        write_file(&dir.choice(), &self.bytes, access.page_mode()).map(drop)
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The programs that alone get the false clock; none where others are told.
    pub fn only(&self) -> Vec<OsString> {
        self.names(Rule::Only)
    }

    /// The programs that do not get it.
    pub fn skip(&self) -> Vec<OsString> {
        self.names(Rule::Skip)
    }

    fn names(&self, rule: Rule) -> Vec<OsString> {
        let parsed = self.parsed();
        let names = parsed.names().filter(|_| parsed.rule() == rule);
        names.map(|name| OsString::from_vec(name.to_vec())).collect()
    }

    /// Whether a program of this path gets the false clock.
    pub fn selects(&self, path: &Path) -> bool {
        self.selects_any(&[path])
    }

    /// The same of a program that has several paths: named by any of them, it is named.
    pub fn selects_any(&self, paths: &[&Path]) -> bool {
        let paths: Vec<&[u8]> = paths.iter().map(|path| path.as_os_str().as_bytes()).collect();
        self.parsed().selects_any(&paths)
    }

    /// The same of a running process. One that may not be looked at is never said to be left out.
    pub fn selects_process(&self, process: ProcessId) -> bool {
        if self.is_everything() {
            return true;
        }
        let paths = [executed_as(process.pid), file_of(process.pid)];
        let paths: Vec<&Path> = paths.iter().flatten().map(PathBuf::as_path).collect();
        paths.is_empty() || self.selects_any(&paths)
    }

    fn parsed(&self) -> choice::Choice<'_> {
        choice::Choice::parse(&self.bytes).unwrap_or(choice::Choice::ALL)
    }
}

/// As it is written on the command line.
impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let flag = match self.parsed().rule() {
            Rule::Only => "--only",
            Rule::Skip => "--skip",
        };
        let words: Vec<String> = self
            .parsed()
            .names()
            .map(|name| format!("{flag} {}", OsStr::from_bytes(name).display()))
            .collect();
        f.write_str(&words.join(" "))
    }
}

/// A command as a name in a choice: a path from the root on, if it is one.
fn name(flag: &str, command: &OsStr) -> Result<OsString> {
    let attempted = || format!("choose programs by {flag} {}", command.display());
    let is_path = command.as_bytes().contains(&b'/');
    let name = if is_path {
        let path = std::path::absolute(command).map_err(|why| Error::bad_input(attempted(), why))?;
        path.into_os_string()
    } else {
        command.to_owned()
    };
    if choice::is_name(name.as_bytes()) {
        return Ok(name);
    }
    Err(Error::bad_input(attempted(), "that names no file")
        .remedy("give the name of the program's file, as in --only etcd, or its path"))
}

/// The path by which a process executed its program, as it was given then; `None` where its memory may not be read.
fn executed_as(pid: i32) -> Option<PathBuf> {
    const AT_EXECFN: u64 = 31;
    let vector = std::fs::read(format!("/proc/{pid}/auxv")).ok()?;
    let word = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_ne_bytes);
    let entry = vector.chunks_exact(16).find(|entry| word(&entry[..8]) == Some(AT_EXECFN))?;
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut bytes = vec![0; libc::PATH_MAX.unsigned_abs() as usize];
    // It ends near the end of the stack, so that less than asked for may be there.
    let read = std::os::unix::fs::FileExt::read_at(&memory, &mut bytes, word(&entry[8..])?).ok()?;
    let end = bytes.iter().take(read).position(|byte| *byte == 0)?;
    bytes.truncate(end);
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

/// The file that a process runs, though it may be removed by now.
fn file_of(pid: i32) -> Option<PathBuf> {
    let path = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?.into_os_string().into_vec();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(&path);
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests;
