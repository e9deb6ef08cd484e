//! How a process is made to see the page: what a command really runs, by which means it can be reached, and what of it.
//!
//! What must hold: whatever cannot be reached is refused before it runs, with the reason and the remedy; what the means
//! that are chosen do not cover is said.

pub(crate) mod attach;
pub mod classify;
pub mod command;
pub mod elf;
pub mod file_caps;
pub(crate) mod follow;
pub(crate) mod implant;
pub mod means;
pub mod privilege;
pub mod script;
pub(crate) mod trace;
pub(crate) mod vdso;

pub use attach::{Attached, Detached};
pub use classify::{Program, classify, kind};
pub use command::resolve;
pub use means::{Choice, Means, Reach, Wanted, choose};
