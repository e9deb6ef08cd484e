//! Who traces a process: a process has one tracer, and its stops are that one's to take.
//!
//! Source: ptrace(2), `TracerPid` in proc_pid_status(5).

use std::path::Path;

/// Who traces a task, of which this is the directory in /proc: the number and the name.
pub(crate) fn tracer(task: &Path) -> Option<(i32, String)> {
    let status = std::fs::read_to_string(task.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    let tracer: i32 = line.trim().parse().ok().filter(|tracer| *tracer != 0)?;
    let name = std::fs::read_to_string(format!("/proc/{tracer}/comm")).unwrap_or_default();
    Some((tracer, name.trim().to_owned()))
}

/// Who traces a thread of a process.
pub(crate) fn tracer_of(pid: i32) -> Option<(i32, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    tasks.flatten().find_map(|task| tracer(&task.path()))
}
