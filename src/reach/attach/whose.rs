//! Whose a process is already: so that none is skewed twice, and none is taken from its node.
//!
//! What must hold: it is told by what is in the process, its mappings and its vDSO, and not by what was written down about it.

use std::path::Path;

use falseticker_page::evidence::{REACHED_BY_ATTACH, REACHED_BY_VDSO};

use super::super::implant::Implant;
use super::super::trace::{Vdso, View};
use super::detour::Standing;
use crate::Result;
use crate::node::{BaseDir, Node, NodeDir};
use crate::process::ProcessId;

/// How the shim's file is called, whatever node's it is.
const SHIM: &str = "falseticker.so";

/// Who has a process.
#[derive(Debug)]
pub(super) enum Whose {
    /// Nobody: its clock reads are the kernel's.
    Nobodys,
    /// This node has attached to it.
    Attached(NodeDir),
    /// It was started in this node: the shim is in it, or an image that was put into it at its exec.
    Started(NodeDir),
    /// A node that is not among those here.
    Somebodys,
}

impl Whose {
    /// Looks at a process, which may run.
    pub(super) fn look(process: ProcessId) -> Result<Whose> {
        let memory = View::of(process)?;
        let standing = Vdso::of(process.pid, &memory).ok().and_then(|vdso| Standing::of(&vdso, &memory));
        for dir in NodeDir::list(&BaseDir::find()?)? {
            // One that cannot be opened has nobody whose clock could be skewed.
            let Ok(node) = Node::of_dir(dir.clone()) else { continue };
            if !node.is_mapped_in(process) {
                continue;
            }
            let Some(implant) = Implant::find(process, &node)? else { return Ok(Whose::Started(dir)) };
            match implant.reached(&memory) {
                Some(REACHED_BY_ATTACH)
                    if standing.is_some_and(|standing| implant.is_hook(standing.hook)) =>
                {
                    return Ok(Whose::Attached(dir));
                }
                Some(REACHED_BY_VDSO) => return Ok(Whose::Started(dir)),
                // It has left.
                _ => {}
            }
        }
        let is_somebodys = standing.is_some() || has_shim(process);
        Ok(if is_somebodys { Whose::Somebodys } else { Whose::Nobodys })
    }
}

fn has_shim(process: ProcessId) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    let path = |line: &str| line.split_ascii_whitespace().nth(5).map(|path| Path::new(path).ends_with(SHIM));
    maps.lines().any(|line| path(line) == Some(true))
}
