//! All processes of the machine at about one moment, and who descends from whom.
//!
//! What must hold: one pass over /proc, in which processes appear and vanish; so a table is a snapshot that may
//! lack the youngest, and whoever needs all of them scans again until nothing new appears.

use std::collections::{BTreeMap, BTreeSet};

use super::{ProcessId, State, stat};
use crate::{Error, HostInstant, Result, host_clock};

/// One process as a table has it.
#[derive(Clone, Debug)]
pub struct Process {
    /// Which it is.
    pub id: ProcessId,
    /// Its parent's pid at that moment; an orphan's is that of its reaper.
    pub ppid: i32,
    /// The session that it is in.
    pub session: i32,
    /// The state of its first thread.
    pub state: State,
    /// How many threads it has.
    pub threads: u32,
    /// Its name, of at most 15 bytes.
    pub comm: String,
}

/// The processes of the machine at about one moment, ended ones that await their parents included.
#[derive(Clone, Debug)]
pub struct Table {
    /// When it was begun to be read: whoever has lived since then is in it.
    pub since: HostInstant,
    by_pid: BTreeMap<i32, Process>,
}

/// Of nobody.
impl Default for Table {
    fn default() -> Self {
        Table { since: HostInstant::MIN, by_pid: BTreeMap::new() }
    }
}

impl Table {
    /// Read /proc once.
    pub fn scan() -> Result<Table> {
        let since = host_clock::monotonic();
        let listing = std::fs::read_dir("/proc")
            .map_err(|why| Error::not_applied("list the processes in /proc", why).remedy("mount /proc"))?;
        let pids = listing.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let processes = pids.filter_map(|pid: i32| {
            let mut buffer = stat::Buffer::new();
            let stat = stat::read(pid, &mut buffer)?;
            let process = Process {
                id: stat.id(),
                ppid: stat.ppid,
                session: stat.session,
                state: stat.state,
                threads: stat.threads,
                comm: String::from_utf8_lossy(stat.comm).into_owned(),
            };
            Some((pid, process))
        });
        Ok(Table { since, by_pid: processes.collect() })
    }

    /// The process that had this pid.
    pub fn get(&self, pid: i32) -> Option<&Process> {
        self.by_pid.get(&pid)
    }

    /// All processes, by pid.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        self.by_pid.values()
    }

    /// Those of `roots` that were there, and all that descend from them; each once, parents before children.
    /// A root whose pid somebody else has by now has no descendants: they are its reaper's.
    pub fn family(&self, roots: &[ProcessId]) -> Vec<&Process> {
        let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
        for process in self.iter() {
            children.entry(process.ppid).or_default().push(process);
        }
        let roots = roots.iter().filter_map(|root| self.get(root.pid).filter(|found| found.id == *root));
        let mut family: Vec<&Process> = Vec::new();
        let mut seen = BTreeSet::new();
        family.extend(roots.filter(|root| seen.insert(root.id.pid)));
        let mut next = 0;
        while let Some(parent) = family.get(next) {
            let below = children.get(&parent.id.pid).into_iter().flatten();
            family.extend(below.filter(|child| seen.insert(child.id.pid)));
            next += 1;
        }
        family
    }
}

/// The command line of a process; empty for one that has none (it has ended, or is the kernel's), `None` when it
/// is gone. Read on demand: most scans need none, and reading all doubles their cost.
pub fn cmdline(id: ProcessId) -> Option<Vec<String>> {
    let bytes = std::fs::read(format!("/proc/{}/cmdline", id.pid)).ok()?;
    // Read first, verified after: between the two the pid can only have been given away, not come back.
    ProcessId::of(id.pid).filter(|now| *now == id)?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    Some(bytes.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn finds_children_and_grandchildren_under_a_root() {
        let mut shell = Command::new("sh")
            .args(["-c", "(sleep 60 & echo up; wait) & wait"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let root = ProcessId::of(i32::try_from(shell.id()).unwrap()).unwrap();
        let family = loop {
            let table = Table::scan().unwrap();
            let family: Vec<Process> = table.family(&[root, root]).into_iter().cloned().collect();
            if family.iter().any(|process| process.comm == "sleep") {
                break family;
            }
        };
        assert_eq!(family.len(), 3, "{family:?}");
        assert_eq!(family[0].id, root);
        assert_eq!(cmdline(family[2].id).unwrap(), ["sleep", "60"]);
        let recycled = ProcessId { start_ticks: root.start_ticks + 1, ..root };
        assert!(Table::scan().unwrap().family(&[recycled]).is_empty());
        assert_eq!(cmdline(recycled), None);
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(root.pid), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        shell.wait().unwrap();
    }
}
