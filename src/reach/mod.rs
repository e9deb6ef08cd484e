//! How a process is made to see the page: what a command really runs, and whether the shim can get into it.
//!
//! What must hold: whatever cannot be reached is refused before it runs, with the reason and the remedy.

pub mod classify;
pub mod command;
pub mod elf;
pub mod file_caps;
pub mod privilege;
pub mod script;

pub use classify::{Program, classify, preloadable};
pub use command::resolve;
