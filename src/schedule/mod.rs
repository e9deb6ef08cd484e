//! Schedules on the controller's side: how faults compose, and how the result is laid out as segments.

mod course;
pub mod edit;
pub mod plan;
pub mod suspend;
pub mod tables;

pub use course::Standing;
pub use edit::{Heal, Planned, What, add_fault, heal, plan as plan_changes};
pub use plan::{Compiled, compile};
pub use tables::{Captured, Tables};

#[cfg(test)]
mod tests;
