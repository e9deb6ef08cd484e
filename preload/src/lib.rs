//! The shim: a freestanding library that answers a program's clock reads from its node's page, and keeps it from setting
//! the machine's clocks.
//!
//! It is preloaded into other people's programs, so it depends on nothing: no libc, no allocation, no thread-local.
//! `read/` is the way of a clock read, `wait/` that of a wait with a deadline, `load/` what happens once at load; `detour/` sends the vDSO's own entries here.
//!
//! What must hold:
//! 1. A read waits for nobody, makes no system call of its own, and works before constructors, before relocation,
//!    in signal handlers, after fork and vfork, and in sandboxes. The one exception is an armed trap (`trap`).
//! 2. With no fault in force a program sees what it would see without the shim: values, errors, `errno`.
//! 3. No read is skewed twice: the clock underneath is always the true vDSO or the kernel.
//! 4. What cannot be set up is said: in the process's row of evidence, or by refusing the node's first process.
#![no_std]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "system calls and C structures carry signed and unsigned numbers in the same words"
)]

mod abi;
mod arch;
mod detour;
mod load;
mod read;
mod runtime;
mod setting;
mod state;
mod symbols;
mod sys;
mod timer;
mod trap;
mod vdso;
mod wait;
