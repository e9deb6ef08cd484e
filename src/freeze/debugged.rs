//! Processes under a debugger, which no freeze touches.
//!
//! Why: a stop that is sent to a traced process is its tracer's to take, who may let it run on; and a process has one
//! tracer. Who traces for a moment alone (to reach a program at its exec, to attach) is waited for. Source: ptrace(2).

use std::path::Path;

use super::guard;
use super::node_in;
use crate::process::{ProcessId, tracer};
use crate::{Error, Result, Span, host_clock};

/// Who follows what attached processes execute: it leaves a process stopped that is.
const FOLLOWS: &str = crate::reach::attach::follow::NAME;
/// How long a tracer that may trace for a moment is waited for.
const MOMENT: Span = Span::from_millis(300);
const LOOK_EVERY: Span = Span::from_millis(1);

/// Refuses to go on if one of these is traced by anybody but a holder of threads.
pub(super) fn refuse(dir: &Path, processes: &[ProcessId]) -> Result<()> {
    let until = host_clock::monotonic().saturating_add(MOMENT);
    for id in processes {
        while let Some((tracer, name)) = tracer_of(*id) {
            if host_clock::monotonic() >= until {
                let why = format!("process {id} is under a debugger: process {tracer} ({name}) traces it");
                return Err(Error::not_applied(format_args!("freeze {}", node_in(dir)), why)
                    .remedy("nothing was frozen; let the debugger detach first"));
            }
            host_clock::sleep(LOOK_EVERY);
        }
    }
    Ok(())
}

/// Who traces a thread of a process, but for a holder of threads.
fn tracer_of(id: ProcessId) -> Option<(i32, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", id.pid)).ok()?;
    tasks
        .flatten()
        .find_map(|task| tracer(&task.path()).filter(|(_, name)| name != guard::NAME && name != FOLLOWS))
}
