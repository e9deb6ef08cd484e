//! PID namespaces: the same process has a pid in each that it can be seen from, and rows of evidence bear the innermost one.
//!
//! What must hold: a pid is found for a process of the table and no other, whatever was given away since the table was made; a
//! namespace that cannot be looked into has nobody in it.
//!
//! Source: pid_namespaces(7), `NSpid` in proc_pid_status(5).

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;

use super::{ProcessId, Table};

/// The namespace that this process has its pid in, by its inode.
pub fn own_namespace() -> Option<u64> {
    inode("self")
}

/// The same of any process, so far as it may be looked at.
pub fn namespace_of(pid: i32) -> Option<u64> {
    inode(&pid.to_string())
}

fn inode(process: &str) -> Option<u64> {
    std::fs::metadata(format!("/proc/{process}/ns/pid")).ok().map(|namespace| namespace.ino())
}

/// The namespace that all others are in, whose inode the kernel has fixed.
const FIRST: u64 = 0xEFFF_FFFC;

/// Whether this process sees every other one, whatever namespaces that is in.
pub fn sees_everybody() -> bool {
    own_namespace() == Some(FIRST) && nix::unistd::geteuid().is_root()
}

/// Who has which pid in other namespaces than this process's.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    pids: BTreeMap<(u64, i32), i32>,
}

impl Elsewhere {
    /// Looks at each process of the table, so far as it is in one of these namespaces. It takes as long as the table took, so
    /// it is not for tables of which nobody is asked for.
    pub fn look(table: &Table, wanted: &BTreeSet<u64>) -> Elsewhere {
        if wanted.is_empty() {
            return Elsewhere::default();
        }
        let seen = table.iter().filter_map(|process| {
            let pid = process.id.pid;
            let namespace = namespace_of(pid).filter(|namespace| wanted.contains(namespace))?;
            let inner = innermost(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)?;
            // Read first, verified after: between the two the pid can only have been given away, not come back.
            ProcessId::of(pid).filter(|now| *now == process.id)?;
            Some(((namespace, inner), pid))
        });
        Elsewhere { pids: seen.collect() }
    }

    /// Whether nobody of a namespace was seen.
    pub fn is_empty(&self, namespace: u64) -> bool {
        self.pids.range((namespace, i32::MIN)..=(namespace, i32::MAX)).next().is_none()
    }

    /// The pid, here, of the process that has this one there.
    pub fn pid(&self, namespace: u64, inner: i32) -> Option<i32> {
        self.pids.get(&(namespace, inner)).copied()
    }
}

/// The process and the thread, here, of a thread that has these numbers in another namespace.
pub fn thread_here(namespace: u64, pid: i32, tid: i32) -> Option<(i32, i32)> {
    let pid = Elsewhere::look(&Table::scan().ok()?, &BTreeSet::from([namespace])).pid(namespace, pid)?;
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let mut threads = threads.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let there =
        |thread: &i32| innermost(&std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).ok()?);
    threads.find(|thread| there(thread) == Some(tid)).map(|thread| (pid, thread))
}

/// The pid in the innermost namespace, from the text of /proc/PID/status.
fn innermost(status: &str) -> Option<i32> {
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    pids.split_ascii_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_pid_is_the_last() {
        assert_eq!(innermost("Name:\tsh\nNSpid:\t4711\t12\t1\nNSpgid:\t7\n"), Some(1));
        assert_eq!(innermost("Name:\tsh\nNSpid:\t4711\n"), Some(4711));
        for text in ["", "Name:\tNSpid: 4\n", "NSpid:\n", "NSpid:\tx\n"] {
            assert_eq!(innermost(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_thread_is_found_by_its_numbers_in_its_own_namespace() {
        let own = ProcessId::own().unwrap().pid;
        let here = own_namespace().unwrap();
        let tid = nix::unistd::gettid().as_raw();
        assert_ne!(tid, own, "tests run in threads of their own");
        assert_eq!(thread_here(here, own, tid), Some((own, tid)));
        assert_eq!(thread_here(here, own, 1), None);
        assert_eq!(namespace_of(own), Some(here));
    }

    #[test]
    fn a_process_of_this_namespace_is_found_like_any_other() {
        let own = ProcessId::own().unwrap();
        let here = own_namespace().unwrap();
        let table = Table::scan().unwrap();
        let found = Elsewhere::look(&table, &BTreeSet::from([here]));
        assert_eq!(found.pid(here, own.pid), Some(own.pid));
        assert_eq!(found.pid(here + 1, own.pid), None);
        assert!(!found.is_empty(here) && found.is_empty(here + 1) && found.is_empty(here - 1));
        assert_eq!(Elsewhere::look(&table, &BTreeSet::new()).pid(here, own.pid), None);
    }
}
