//! A vDSO of ours in the place of the kernel's, from the program's first instruction on.
//!
//! Whoever executes the program traces it for the moment of its exec. So a program whose rights its tracer does not have
//! is out of reach: the kernel would take them from it, or refuse the tracer.

use super::{Cover, Coverage, Part, Reach, attempted, native};
use crate::error::{Error, Result};
use crate::reach::classify::Program;
use crate::reach::elf::Kind;

/// [`Means::Vdso`](super::Means::Vdso).
#[derive(Clone, Copy, Debug)]
pub struct Vdso;

impl Reach for Vdso {
    fn name(&self) -> &'static str {
        "vdso"
    }

    fn can_reach(&self, program: &Program) -> Result<()> {
        native(program)?;
        match program.raised {
            Some(raised) if !program.may_be_traced => {
                let why = format!("only root may trace what is {raised}, when it is executed");
                Err(Error::not_applied(attempted(program), why)
                    .remedy("run a copy without the bit or the capabilities, or run falseticker as root"))
            }
            _ => Ok(()),
        }
    }

    fn covers(&self, _: Kind) -> Coverage {
        Coverage::of(|part| match part {
            Part::Execs => Cover::Whole,
            other => without_shim(other),
        })
    }
}

/// What is covered of a process whose vDSO alone is the node's.
pub(super) fn without_shim(part: Part) -> Cover {
    const MACHINE: &str = "they show the machine's clock";
    match part {
        Part::SyscallReads | Part::RawReads => Cover::Not(MACHINE),
        Part::Deadlines => Cover::Not("those that the kernel has end by the machine's clock"),
        Part::Timers => Cover::Not("they expire by the machine's clock"),
        Part::Lengths => Cover::Not("they last as long as the machine says"),
        Part::Settings => Cover::Not("they are not refused"),
        Part::ConnectTraps => Cover::Not("no connection is seen"),
        Part::Reads | Part::VdsoReads | Part::ReadTraps | Part::Evidence | Part::Forks | Part::Execs => {
            Cover::Whole
        }
    }
}
