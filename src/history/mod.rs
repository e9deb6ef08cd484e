//! Histories: what happened in a scenario, as lines of JSON, in the order in which it became known.
//!
//! The first line is a [`Header`], each further one a [`Line`]: an instant of the host's CLOCK_MONOTONIC and of its
//! CLOCK_REALTIME, both in nanoseconds, and an [`Event`]. Instants of the host are the truth throughout; what a node's clocks
//! showed is told by samples and by the planned changes.
//!
//! What must hold:
//! - A line is written by one write, when it is known: a player that is killed loses its last line at most.
//! - A reader accepts a last line that is cut off, and says so; it refuses what is newer than it is, and any other line that
//!   it cannot read, by its number.
//! - An existing file is never overwritten unless that is asked for.

mod event;
#[doc(hidden)]
pub mod fuzz;
pub mod operation;
mod reader;
mod text;
mod writer;

#[cfg(test)]
mod tests;

pub use event::{Check, Event, Header, HeldProcess, Line, Node, Seen, Verdict};
pub use operation::{Operation, Phase};
pub use reader::Reader;
pub use text::{describe, verdict};
pub use writer::{Observer, Writer};

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// What the first line says that it is.
pub const FORMAT: &str = "falseticker-history";
