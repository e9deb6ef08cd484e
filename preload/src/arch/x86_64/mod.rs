//! x86-64.

pub mod calls;
#[cfg(feature = "image")]
mod entries;
pub mod gates;
#[cfg(not(feature = "image"))]
pub mod itself;
mod memory;
#[cfg(not(feature = "image"))]
mod syscall;
pub mod thread;

#[cfg(feature = "image")]
pub(crate) use entries::{GETCPU, passed_on};
