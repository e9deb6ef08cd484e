//! Reach at exec: a program begins with falseticker's image in the place of the kernel's vDSO.
//!
//! Whoever follows execs has the new program stopped before its first instruction. The implant is planted, and the auxiliary
//! vector on its stack says that the vDSO is there: libc, Go's runtime and whoever else looks finds the image.
//!
//! What must hold: the vector is written last; what fails leaves the program as the kernel has made it; of the kernel's own
//! vDSO nothing is changed.
//! What breaks it: a program that finds its vDSO by other means than the vector on its stack (/proc/self/auxv, PR_GET_AUXV).

mod start;

use falseticker_page::evidence::REACHED_BY_VDSO;

pub(crate) use start::Start;

use super::implant::{Implant, Kernels};
use super::trace::{self, Memory, Stopped};
use crate::node::Node;
use crate::process::ProcessId;
use crate::{Error, Result};

/// Reaches a program that stands before its first instruction.
pub(crate) fn reach(
    stopped: &mut Stopped,
    memory: &Memory,
    start: &Start,
    process: ProcessId,
    node: &Node,
) -> Result<()> {
    let refused = |why: &str| Error::not_applied(format_args!("reach process {process} at its exec"), why);
    let vdso = trace::Vdso::of(process.pid, memory)?;
    let slot = start.vdso.filter(|slot| slot.value == vdso.base());
    let slot = slot.ok_or_else(|| refused("its auxiliary vector does not say where its vDSO is"))?;
    let kernels = vdso.image().and_then(|image| Kernels::of(&image, vdso.base()));
    let kernels = kernels.ok_or_else(|| refused("its vDSO is not what a kernel makes"))?;
    let instruction = vdso.syscall_instruction().ok_or_else(|| refused("its vDSO makes no system call"))?;
    let mut calls = stopped.calls(instruction)?;
    let planted = Implant::plant(&mut calls, memory, process, node, &kernels, REACHED_BY_VDSO);
    calls.end()?;
    memory.write(slot.at, &planted?.base().to_ne_bytes())
}
