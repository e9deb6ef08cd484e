//! Processes under a debugger, which no freeze touches.
//!
//! Why: a stop that is sent to a traced process is its tracer's to take, who may let it run on; and a process has one
//! tracer. Source: ptrace(2).

use std::path::Path;

use super::guard;
use super::node_in;
use crate::process::{ProcessId, tracer};
use crate::{Error, Result};

/// Refuses to go on if one of these is traced by anybody but a holder of threads.
pub(super) fn refuse(dir: &Path, processes: &[ProcessId]) -> Result<()> {
    for id in processes {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", id.pid)) else { continue };
        let traced =
            tasks.flatten().find_map(|task| tracer(&task.path()).filter(|(_, name)| name != guard::NAME));
        if let Some((tracer, name)) = traced {
            let why = format!("process {id} is under a debugger: process {tracer} ({name}) traces it");
            return Err(Error::not_applied(format_args!("freeze {}", node_in(dir)), why)
                .remedy("nothing was frozen; let the debugger detach first"));
        }
    }
    Ok(())
}
