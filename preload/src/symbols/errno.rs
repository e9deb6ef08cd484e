//! The thread's `errno`, by way of the libc that is there.
#![allow(unsafe_code)]
// Sound because `__errno_location` is the same function in glibc and musl, and a weak reference is null without one.

use core::arch::{asm, global_asm};

// Weak, so that this library has no undefined symbol that a libc might lack; rustc has no stable way to say so.
global_asm!(".weak __errno_location");

/// Turns the kernel's result into libc's: -1 and `errno` for an error.
#[inline(always)]
pub fn result(kernel: isize) -> isize {
    if kernel as usize > -4096_isize as usize { fail((-kernel) as i32) } else { kernel }
}

#[cold]
#[inline(never)]
fn fail(errno: i32) -> isize {
    let location: usize;
    // SAFETY: reads the slot of the global offset table, which holds the function's address or null.
    unsafe {
        asm!("mov {}, [rip + __errno_location@GOTPCREL]", out(reg) location, options(nostack, readonly, pure));
        let location: Option<extern "C" fn() -> *mut i32> = core::mem::transmute(location);
        if let Some(location) = location {
            *location() = errno;
        }
    }
    -1
}
