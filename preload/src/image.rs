//! The replacement image: a vDSO of falseticker's own, for programs that cannot load the shim.
//!
//! The controller maps it, with its memory, the page and the evidence file, into a process that is stopped (at its exec, or
//! while it runs: see `falseticker_page::image`), and sends the process's clock reads here: at exec by pointing
//! AT_SYSINFO_EHDR at it, in a running process by a detour of the kernel's vDSO. The way of a read is the shim's own, file by file.
//!
//! What must hold, besides what the shim promises of a read:
//! 1. No relocation, no table of addresses, no symbol of another object: the image runs where it was mapped, as it is.
//! 2. What is written is in the image's memory behind its last page, never in the image.
//! 3. Nothing happens at load, since nothing loads it: whatever a read needs stands in the memory before the first one.
#![no_std]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "system calls and C structures carry signed and unsigned numbers in the same words"
)]
#![allow(dead_code, reason = "the shim needs more of the same files")]

mod abi;
mod arch;
#[path = "image/entries.rs"]
mod entries;
#[path = "image/load.rs"]
mod load;
mod read;
mod runtime;
mod state;
mod sys;
mod trap;

/// Waits are the kernel's here: there is no registry.
mod wait {
    pub mod registry {
        pub const CHUNKS: usize = 0;
        pub type Chunks = [core::sync::atomic::AtomicPtr<u8>; CHUNKS];
    }
}
