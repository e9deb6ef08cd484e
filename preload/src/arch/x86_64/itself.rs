//! What this library knows of itself by addresses relative to its own instructions, and the one symbol that it takes of libc.
#![allow(unsafe_code)]
// Sound because addresses are taken and one slot of this library's own table is read, nothing else.

use core::arch::{asm, global_asm};

// Weak, so that this library has no undefined symbol that a libc might lack; rustc has no stable way to say so.
global_asm!(".weak __errno_location");

/// Libc's function that gives the place of the thread's `errno`; `None` without one, or before relocation.
pub fn errno_location() -> Option<extern "C" fn() -> *mut i32> {
    let location: usize;
    // SAFETY: reads the slot of the global offset table, which holds the function's address or null.
    unsafe {
        asm!("mov {}, [rip + __errno_location@GOTPCREL]", out(reg) location, options(nostack, readonly, pure));
        core::mem::transmute(location)
    }
}

/// Where this library's dynamic section is, by which the linker's list knows it.
pub fn dynamic_section() -> usize {
    let own: usize;
    // SAFETY: takes an address; nothing is read.
    unsafe {
        asm!("lea {}, [rip + _DYNAMIC]", out(reg) own, options(nomem, nostack, pure));
    }
    own
}
