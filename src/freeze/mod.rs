//! Pauses: a node's processes are stopped, are known to be stopped, and are sure to go on again.
//!
//! What must hold:
//! - A freeze is reported only when everyone who is meant is confirmed to stand still, those included that
//!   were born while it was under way; if that fails, whatever was stopped runs again.
//! - Every pause ends: by its plan, by [`thaw`], or by its `guard` when the controller dies, at whatever
//!   instant and by whatever signal. If guards and controller are all killed at once, [`sweep`] ends it, which
//!   every command calls.
//! - What somebody else had stopped before is left as it was.
//! - Freezes of one node may overlap: whoever is held by several runs again when the last of them ends.
//!
//! How the parts share the work. [`begin`] takes a `slot` of the node by its `lock`, starts `guard`s, and lets a
//! `freezer` stop the processes (`signal`, `cgroup`, `thread`); each is entered into a `ledger`, a file that the guards
//! share in memory, *before* its stop is sent. The controller, or a guard, ends the pause from the ledger (`undo`),
//! leaving alone whom `others` hold; any other command does the same once the kernel has released the lock of the dead.

mod begin;
mod cgroup;
mod debugged;
mod freezer;
mod guard;
mod hold;
mod ledger;
mod lock;
mod means;
mod others;
mod record;
pub mod series;
pub mod shape;
mod signal;
mod slot;
mod thaw;
mod thread;
mod undo;

#[cfg(test)]
mod tests;

pub use begin::{End, Ended, Frozen, Plan, Thawed, begin, begin_when, check};
pub(crate) use cgroup::group_for_this;
pub use freezer::{FreezeReport, FrozenProcess, Members};
pub use means::{How, Means};
pub use record::{Record, last, records};
pub use thaw::{Swept, sweep, thaw};
pub use thread::ThreadPattern;

use std::path::Path;

/// What errors call the node in `dir`.
fn node_in(dir: &Path) -> String {
    format!("node {}", dir.file_name().unwrap_or(dir.as_os_str()).display())
}
