//! Skew the clock of unmodified programs, freeze them at the worst moment, and prove that each fault arrived.
//!
//! Begin with [`Node`], or with the [`guide`].

/// The documents' own examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod campaign;
pub mod check;
pub mod doctor;
pub mod error;
pub mod fault;
pub mod freeze;
pub mod guide;
pub mod history;
pub mod host_clock;
pub mod nemesis;
pub mod node;
pub mod player;
pub mod process;
mod raw;
pub mod reach;
pub mod report;
pub mod run;
pub mod scenario;
pub mod schedule;
pub mod shrink;
pub mod suspend;
pub mod sweep;
pub mod trap;
pub mod trigger;
pub mod units;

pub use error::{Error, ErrorKind, Result};
pub use falseticker_page::layout::Clock;
pub use falseticker_page::time::{HostInstant, NodeInstant, Rate, Span};
pub use node::Node;
pub use schedule::Heal;
