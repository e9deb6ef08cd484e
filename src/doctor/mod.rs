//! What this machine allows, how a program will be reached or a process is, and what of it: asked beforehand.
//!
//! What must hold:
//! 1. Nothing is changed: what the kernel allows is found out by doing it, in a child that ends right afterwards; of a
//!    process that is asked about only /proc is read.
//! 2. The answer is that of the parts which do it: the same directory, the same choice, the same traced stop.
//! 3. What is amiss says what follows from it, and what the user can do.
//!
//! What breaks it: a policy that judges by the program (an SELinux domain, an AppArmor profile), since the child is this one.

mod machine;
mod probe;
mod process;
mod program;

use serde::Serialize;

use crate::reach::Means;
use crate::reach::means::Gap;

pub use machine::machine;
pub use process::{ProcessReport, process};
pub use program::{ProgramReport, program};

/// How good what was found is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All that falseticker does is possible, as far as this goes.
    Good,
    /// Something is not possible, or not as well.
    Limited,
    /// What needs it is refused.
    Missing,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: a name that stays the same.
    pub check: &'static str,
    /// How good it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What follows from it, if it is not good.
    pub consequence: Option<String>,
    /// What the user can do about it.
    pub remedy: Option<String>,
    /// The means by which nothing can be reached, because of it.
    pub stops: Vec<Means>,
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        let found = found.into();
        Finding { check, state: State::Good, found, consequence: None, remedy: None, stops: Vec::new() }
    }

    fn limited(check: &'static str, found: impl Into<String>, consequence: &str, remedy: &str) -> Self {
        Finding {
            state: State::Limited,
            consequence: Some(consequence.to_owned()),
            remedy: Some(remedy.to_owned()),
            ..Finding::good(check, found)
        }
    }

    fn missing(
        check: &'static str,
        found: impl Into<String>,
        consequence: &str,
        remedy: &str,
        stops: &[Means],
    ) -> Self {
        Finding {
            state: State::Missing,
            stops: stops.to_vec(),
            ..Finding::limited(check, found, consequence, remedy)
        }
    }
}

/// All means.
const ALL: [Means; 3] = [Means::Preload, Means::Vdso, Means::Attach];
/// Those that trace.
const TRACING: [Means; 2] = [Means::Vdso, Means::Attach];

/// What stops these means.
fn stopping(machine: &[Finding], means: Means) -> Vec<&'static str> {
    machine.iter().filter(|finding| finding.stops.contains(&means)).map(|finding| finding.check).collect()
}

/// Whether anything at all can be reached.
#[must_use]
pub fn reaches_anything(machine: &[Finding]) -> bool {
    ALL.into_iter().any(|means| stopping(machine, means).is_empty())
}

/// What is not covered by these means, for whoever has not chosen the node yet: its monotonic clock may be faulted.
fn gaps(means: Means, kind: crate::reach::elf::Kind) -> Vec<Gap> {
    means.reach().covers(kind).gaps(true)
}

#[cfg(test)]
mod tests;
