//! The page: the shared memory that holds a node's schedules, and the arithmetic that both sides use.
//!
//! The shim reads it, the controller writes it. Nothing here allocates, panics or calls out of `core`.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod time;
