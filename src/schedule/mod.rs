//! Schedules on the controller's side: how faults compose, and how the result is laid out as segments.

pub mod plan;
pub mod tables;

pub use plan::{Compiled, compile};
pub use tables::{Captured, Tables};
