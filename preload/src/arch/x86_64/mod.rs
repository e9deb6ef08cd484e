//! x86-64.

pub mod calls;
pub mod gates;
pub mod itself;
mod memory;
mod syscall;
pub mod thread;
