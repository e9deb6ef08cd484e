//! By which means a program is reached, which of them it can be, and what each of them covers.
//!
//! What must hold: a choice says why it was made; what is asked for and impossible is refused, with the reason and the
//! remedy, and never replaced by other means in silence.

mod attach;
mod coverage;
mod preload;
mod vdso;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::classify::Program;
use super::elf::Kind;
use crate::error::{Error, ErrorKind, Result};

pub use attach::Attach;
pub use coverage::{Cover, Coverage, Gap, Part};
pub use preload::Preload;
pub use vdso::Vdso;

/// By which means a process is made to see the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Means {
    /// The shim, loaded before all other libraries.
    Preload,
    /// A vDSO of ours, put in the place of the kernel's when the program is executed.
    Vdso,
    /// A detour of the vDSO of a process that runs already.
    Attach,
}

impl Means {
    /// What stands behind it.
    pub fn reach(self) -> &'static dyn Reach {
        match self {
            Means::Preload => &Preload,
            Means::Vdso => &Vdso,
            Means::Attach => &Attach,
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reach().name())
    }
}

/// By which means a program is to be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// [`Means::Preload`] where the shim gets into the program, else [`Means::Vdso`].
    #[default]
    Auto,
    /// [`Means::Preload`].
    Preload,
    /// [`Means::Vdso`].
    Vdso,
}

/// One way of making a process see the page. Its duties:
///
/// 1. Its name is a word of the command line and of `status`, and does not change.
/// 2. [`Reach::can_reach`] answers from the classified program alone, and changes nothing. A program that it takes is one
///    whose every clock read through libc or the vDSO is the node's; all others are refused with the reason and the remedy.
///    (What the machine forbids, whatever the program is, `doctor` finds out.)
/// 3. [`Reach::covers`] has a row for every [`Part`], and says of each that is not covered what happens instead. It
///    promises nothing that no test shows.
/// 4. Whoever is reached leaves evidence, in a row whose head says by which means.
/// 5. A process that is reached already is not skewed twice.
pub trait Reach {
    /// `preload`, `vdso` or `attach`.
    fn name(&self) -> &'static str;

    /// Refuses a program that cannot be reached by these means.
    fn can_reach(&self, program: &Program) -> Result<()>;

    /// What of a program of this kind is then its node's.
    fn covers(&self, kind: Kind) -> Coverage;
}

/// The means that were chosen for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// By which it is reached.
    pub means: Means,
    /// Why by these.
    pub why: String,
}

/// Chooses by which means a program will be reached when it is executed.
pub fn choose(program: &Program, wanted: Wanted) -> Result<Choice> {
    let by = |means: Means, why: String| Choice { means, why };
    match wanted {
        Wanted::Preload => {
            Preload.can_reach(program)?;
            Ok(by(Means::Preload, format!("asked for; {}", loaded(program))))
        }
        Wanted::Vdso => {
            Vdso.can_reach(program)?;
            Ok(by(Means::Vdso, "asked for; its vDSO is replaced when it is executed".to_owned()))
        }
        Wanted::Auto => {
            let Err(no_preload) = Preload.can_reach(program) else {
                return Ok(by(Means::Preload, loaded(program)));
            };
            match Vdso.can_reach(program) {
                Ok(()) => {
                    let why = format!("{}; its vDSO is replaced when it is executed", no_preload.why());
                    Ok(by(Means::Vdso, why))
                }
                Err(no_vdso) => Err(neither(no_preload, &no_vdso)),
            }
        }
    }
}

/// What happens to a program that the shim gets into.
fn loaded(program: &Program) -> String {
    match program.interpreters.last() {
        None => format!("a program that can be preloaded ({})", program.kind),
        Some(_) => format!("{program}, which can be preloaded ({})", program.kind),
    }
}

/// Why no means will do. What is in the way of all of them is said once.
fn neither(no_preload: Error, no_vdso: &Error) -> Error {
    if no_preload.why() == no_vdso.why() || no_preload.kind() == ErrorKind::CannotExecute {
        return no_preload;
    }
    let why = format!("{}; and {}", no_preload.why(), no_vdso.why());
    Error::new(no_preload.kind(), no_preload.attempted(), why)
        .remedy(no_preload.help().or(no_vdso.help()).unwrap_or("run another build of it"))
}

/// What is attempted, for errors.
fn attempted(program: &Program) -> String {
    format!("run {} with a false clock", program.command.display())
}

/// What errors call the program: itself, or the interpreter whose clock counts.
fn subject(program: &Program) -> String {
    if program.interpreters.is_empty() {
        "it".to_owned()
    } else {
        format!("its interpreter {}", program.file.display())
    }
}

/// Refuses what no means reach: programs of another machine, and those that could not run at all.
fn native(program: &Program) -> Result<()> {
    let refuse = |why: String, remedy: String| {
        let why = format!("{} {why}", subject(program));
        Err(Error::not_applied(attempted(program), why).remedy(remedy))
    };
    match program.kind {
        Kind::Foreign { bits: 32, .. } => {
            let why = format!("is a 32-bit program ({}), and falseticker is 64-bit", program.kind);
            return refuse(why, "build or install the 64-bit one".to_owned());
        }
        Kind::Foreign { .. } => {
            let why = format!("is built for another processor ({})", program.kind);
            return refuse(why, format!("build or install the one for {}", std::env::consts::ARCH));
        }
        _ => {}
    }
    if let Some(loader) = program.loader.as_deref().filter(|loader| !loader.exists()) {
        let why = format!(
            "{} needs the dynamic loader {}, which does not exist",
            subject(program),
            loader.display()
        );
        return Err(Error::new(ErrorKind::CannotExecute, attempted(program), why)
            .remedy("install the C library that it was built for"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
