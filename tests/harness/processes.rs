//! Processes, as /proc shows them.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process at the moment at which it was looked at.
#[derive(Debug)]
pub struct Process {
    pub pid: i32,
    pub command: String,
    pub state: char,
}

/// All of them that can be looked at; zombies are nobody's.
pub fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        Some(Process { pid, command, state: state_of(pid)? })
    })
    .filter(|process| process.state != 'Z' && process.state != 'X')
    .collect()
}

impl Process {
    /// Whether it was started with this directory of nodes, or has something of it in its memory.
    pub fn knows(&self, nodes: &Path) -> bool {
        let path = nodes.to_string_lossy().into_owned();
        let holds = |file: &str| {
            let text = std::fs::read(format!("/proc/{}/{file}", self.pid)).unwrap_or_default();
            String::from_utf8_lossy(&text).contains(&path)
        };
        self.pid != std::process::id().cast_signed() && (holds("environ") || holds("maps"))
    }

    pub fn kill(&self) {
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
    }
}

/// The letter of a process's state in /proc; `None` when it is gone.
pub fn state_of(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a process is there and is no zombie.
pub fn alive(pid: i32) -> bool {
    state_of(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// Who traces a process or a thread, if anybody does.
pub fn tracer_of(pid: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    line.trim().parse().ok().filter(|tracer| *tracer != 0)
}
