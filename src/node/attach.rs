//! Running processes that join a node, and leave it.
//!
//! What must hold: a process that was attached is on the node's record, so that it and its children are members; a node does not
//! go while a process is left in it that was attached, or is a child of one that was and has no row of evidence yet.

use super::make::{change_record, read_record};
use super::{Node, NodeDir};
use crate::error::{Error, Result};
use crate::process::{ProcessId, Table};
use crate::reach::attach::{self, Attached, Detached};
use crate::reach::implant;

impl Node {
    /// Has a running process join the node, all its threads at one instant. It stays after this program has ended, until
    /// [`Node::detach`].
    pub fn attach(&self, pid: i32) -> Result<Attached> {
        // First, so that whatever is done is known, even if this program is killed meanwhile.
        change_record(self.dir(), |record| record.has_attached = true)?;
        let attached = attach::attach(self, pid)?;
        if attached.already {
            return Ok(attached);
        }
        change_record(self.dir(), |record| {
            record.roots.retain(|known| known.is_alive() && *known != attached.process);
            record.roots.push(attached.process);
        })?;
        Ok(attached)
    }

    /// Follows what these processes execute, which are attached, and what their children do: by a process that stays with them. Who
    /// that is. For programs that have one thread.
    pub fn follow(&self, processes: &[ProcessId]) -> Result<ProcessId> {
        attach::follow::start(self, processes)
    }

    /// Gives a process that was attached its own clock back.
    pub fn detach(&self, pid: i32) -> Result<Detached> {
        let attempted = format!("detach process {pid} from node {}", self.name());
        let process =
            ProcessId::of(pid).ok_or_else(|| Error::bad_input(&attempted, "there is no such process"))?;
        let Some(detached) = attach::detach(self, process)? else {
            let why = if self.members()?.contains(&process) {
                "it was started in that node, and stays until it ends"
            } else {
                "it is not attached to that node"
            };
            let remedy = format!("falseticker status {} lists its processes", self.name());
            return Err(Error::bad_input(&attempted, why).remedy(remedy));
        };
        self.forget(&[process])?;
        Ok(detached)
    }

    /// Gives all processes that were attached their own clocks back, children that they have forked included.
    pub fn detach_all(&self) -> Result<Vec<Result<Detached>>> {
        if !read_record(self.dir())?.has_attached {
            return Ok(Vec::new());
        }
        let detach = |process: ProcessId| {
            // What it has executed is followed no more, either.
            let detached = attach::follow::end_of(process).and_then(|()| attach::detach(self, process));
            match detached {
                // One that has ended meanwhile needs nothing any more.
                Err(_) if !process.is_alive() => None,
                detached => detached.transpose(),
            }
        };
        let detached: Vec<Result<Detached>> = self.mapped_in()?.into_iter().filter_map(detach).collect();
        let gone: Vec<ProcessId> = detached.iter().flatten().map(|detached| detached.process).collect();
        self.forget(&gone)?;
        Ok(detached)
    }

    /// Gives children of attached processes rows of their own; whether anybody at all was found who may be in the node.
    pub(super) fn seat_forked(&self) -> Result<bool> {
        if !read_record(self.dir())?.has_attached {
            return Ok(false);
        }
        let mut is_anybody = false;
        for process in self.mapped_in()? {
            let seated = match attach::node_of(process) {
                Ok(Some(dir)) if dir == *self.dir() => implant::seat(self, process).map(drop),
                Ok(_) => continue,
                Err(why) => Err(why),
            };
            if let Err(why) = seated {
                tracing::debug!(%process, %why, "whether it is in the node is not known");
            }
            is_anybody |= process.is_alive();
        }
        Ok(is_anybody)
    }

    /// Every process of the machine that has the node's page mapped.
    fn mapped_in(&self) -> Result<Vec<ProcessId>> {
        let own = ProcessId::own();
        let table = Table::scan()?;
        let all = table.iter().map(|process| process.id).filter(|id| Some(*id) != own);
        Ok(all.filter(|id| self.is_mapped_in(*id)).collect())
    }

    fn forget(&self, gone: &[ProcessId]) -> Result<()> {
        change_record(self.dir(), |record| record.roots.retain(|known| !gone.contains(known)))
    }
}

/// The node that a running process is attached to.
pub fn attached_to(pid: i32) -> Result<NodeDir> {
    let attempted = format!("detach process {pid}");
    let process =
        ProcessId::of(pid).ok_or_else(|| Error::bad_input(&attempted, "there is no such process"))?;
    attach::node_of(process)?.ok_or_else(|| {
        Error::bad_input(attempted, "it is not attached to any node")
            .remedy("falseticker status lists nodes and processes")
    })
}
