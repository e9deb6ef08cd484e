//! A detour of the vDSO of a process that runs already.

use super::vdso::without_shim;
use super::{Cover, Coverage, Part, Reach, native};
use crate::error::Result;
use crate::reach::classify::Program;
use crate::reach::elf::Kind;

/// [`Means::Attach`](super::Means::Attach).
#[derive(Clone, Copy, Debug)]
pub struct Attach;

impl Reach for Attach {
    fn name(&self) -> &'static str {
        "attach"
    }

    /// Whether this very process may be traced is the kernel's to say, when it runs: not the program's.
    fn can_reach(&self, program: &Program) -> Result<()> {
        native(program)
    }

    fn covers(&self, _: Kind) -> Coverage {
        Coverage::of(|part| match part {
            Part::Execs => Cover::But("only with --follow"),
            other => without_shim(other),
        })
    }
}
