//! Scenarios: nodes with their programs, and a timeline of faults, as a file or in Rust; played by [`crate::player`].
//!
//! What must hold: file and builder make one and the same model, refused by the same checks; a fault is one type
//! ([`action::Action`]) in the file, the builder and the history, and becomes what the command line makes of it.

pub mod action;
pub mod ahead;
mod builder;
mod check;
pub mod dry_run;
pub mod file;
#[doc(hidden)]
pub mod fuzz;
mod model;
pub mod ports;
pub mod problem;
mod raw;
pub mod text;
mod timeline;

#[cfg(test)]
mod tests;

pub use action::Action;
pub use builder::Builder;
pub use dry_run::{DryRun, dry_run};
pub use model::{
    After, Choice, Entry, Head, PATIENCE, Program, RECOVERY, Reach, Ready, Restart, Scenario, Stop, When, Who,
};
pub use ports::Port;
pub use timeline::{Due, Planned, Target, timeline};

use std::path::Path;
use std::str::FromStr;

use nix::sys::signal::Signal;

use crate::error::{Error, Result};

impl Scenario {
    /// Reads and checks a file.
    pub fn read(path: impl AsRef<Path>) -> Result<Scenario> {
        file::read(path.as_ref())
    }

    /// Refuses what cannot be meant, as a file or a builder does.
    pub fn check(&self) -> Result<()> {
        check::check(self).map_err(|problem| problem.into_error(&self.head.name))
    }

    /// The same as the text of a file.
    pub fn to_toml(&self) -> Result<String> {
        file::write(self)
    }
}

/// A signal by its name, with or without SIG.
pub(crate) fn signal(name: &str) -> Result<Signal> {
    let upper = name.to_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    Signal::from_str(&full).map_err(|_| {
        Error::bad_input(format_args!("use the signal '{name}'"), "there is none of that name")
            .remedy("write TERM, INT, QUIT, HUP, USR1, ...")
    })
}
