//! Pauses: a node's processes are stopped, are known to be stopped, and are sure to go on again.
//!
//! What must hold:
//! - A freeze is reported only when every process of the node is confirmed to stand still, those included that
//!   were born while it was under way; if that fails, whatever was stopped runs again.
//! - Every pause ends: by its plan, by [`thaw`], or by its `guard` when the controller dies, at whatever
//!   instant and by whatever signal. If guards and controller are all killed at once, [`sweep`] ends it, which
//!   every command calls.
//! - What somebody else had stopped before is left as it was.
//!
//! How the parts share the work. [`begin`] takes the node's `lock`, starts a pair of guards, and lets a
//! [`Freezer`] stop the processes; each is entered into a `ledger` that the guards share and into the
//! `record` on disk *before* its stop is sent. The controller, or a guard, ends the pause from the
//! ledger; any other command, once the kernel has released the lock of the dead, ends it from the record.

mod begin;
mod freezer;
mod guard;
mod ledger;
mod lock;
mod record;
pub mod series;
pub mod shape;
mod signal;
mod thaw;

#[cfg(test)]
mod tests;

pub use begin::{End, Ended, Frozen, Plan, Thawed, begin};
pub use freezer::{FreezeReport, Freezer, FrozenProcess, Journal, Members};
pub use record::{Record, record};
pub use signal::SignalFreezer;
pub use thaw::{Swept, sweep, thaw};

use std::path::Path;

/// What errors call the node in `dir`.
fn node_in(dir: &Path) -> String {
    format!("node {}", dir.file_name().unwrap_or(dir.as_os_str()).display())
}
