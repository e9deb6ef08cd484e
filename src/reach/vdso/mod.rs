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
use falseticker_page::vdso::{HEADER_PAGE, Image, image_size};

pub(crate) use start::Start;

use super::implant::{Implant, Kernels};
use super::trace::{Memory, Stopped, find_instruction};
use crate::node::Node;
use crate::process::ProcessId;
use crate::{Error, Result};

/// Reaches a program that stands before its first instruction.
pub(crate) fn reach(stopped: &mut Stopped, memory: &Memory, start: &Start, process: ProcessId, node: &Node) -> Result<()> {
    let refused = |why: &str| Error::not_applied(format_args!("reach process {process} at its exec"), why);
    let slot = start.vdso.ok_or_else(|| refused("the kernel gives it no vDSO").remedy("boot without vdso=0"))?;
    let code = read_vdso(memory, slot.value)?;
    let image = Image::parse(&code).ok_or_else(|| refused("its vDSO is not what a kernel makes"))?;
    let kernels = Kernels::of(&image, slot.value).ok_or_else(|| refused("its vDSO has no clock"))?;
    let instruction = find_instruction(&code).ok_or_else(|| refused("its vDSO makes no system call"))?;
    let mut calls = stopped.calls(slot.value + instruction as u64)?;
    let planted = Implant::plant(&mut calls, memory, process, node, &kernels, REACHED_BY_VDSO);
    calls.end()?;
    memory.write(slot.at, &planted?.base().to_ne_bytes())
}

/// The vDSO of a stopped process.
pub(crate) fn read_vdso(memory: &Memory, base: u64) -> Result<Vec<u8>> {
    let mut header = [0; HEADER_PAGE];
    memory.read(base, &mut header)?;
    let size = image_size(&header).ok_or_else(|| {
        Error::not_applied("read the vDSO of a process", "it is not what a kernel makes")
    })?;
    let mut code = vec![0; size];
    memory.read(base, &mut code)?;
    Ok(code)
}
