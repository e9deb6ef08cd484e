//! The page: the shared memory that holds a node's schedules, and the arithmetic that both sides use.
//!
//! A node's false clocks are piecewise-linear functions of the host's CLOCK_MONOTONIC, laid out ahead of time. The
//! controller writes them, the shim inside each process reads them and marks in a second file that it has.
//!
//! What must hold: nothing here allocates, panics, waits or calls out of `core`; whatever the memory says, a reader
//! ends with an instant or with nothing.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod latch;
pub mod seat;
pub mod sync;

#[cfg(not(loom))]
pub mod change;
#[cfg(not(loom))]
pub mod choice;
#[cfg(not(loom))]
pub mod detour;
#[cfg(not(loom))]
pub mod evidence;
#[cfg(not(loom))]
pub mod image;
#[cfg(not(loom))]
pub mod layout;
#[cfg(not(loom))]
pub mod schedule;
#[cfg(not(loom))]
pub mod segment;
#[cfg(not(loom))]
pub mod time;
#[cfg(not(loom))]
pub mod trap;
#[cfg(not(loom))]
pub mod vdso;
