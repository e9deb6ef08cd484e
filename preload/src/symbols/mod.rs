//! The names that this library takes the place of: one file a family of calls.
//!
//! What must hold: results, return codes and `errno` are those of the real functions; `errno` is written on error
//! returns and nowhere else.
#![allow(unsafe_code)]
// Sound because each function keeps the contract of the C function whose name it bears.

mod alarms;
mod conditions;
mod connects;
mod descriptors;
mod epolls;
pub mod errno;
mod futexes;
mod joins;
mod locks;
mod pends;
mod polls;
mod queues;
mod reads;
mod selects;
mod semaphores;
mod settings;
mod sleeps;
pub mod syscall;
mod timerfds;
mod timers;
