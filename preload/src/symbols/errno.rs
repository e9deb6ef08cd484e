//! The thread's `errno`, by way of the libc that is there.
#![allow(unsafe_code)]
// Sound because `__errno_location` is the same function in glibc and musl, and a weak reference is null without one.

use crate::arch::itself::errno_location;

/// Turns the kernel's result into libc's: -1 and `errno` for an error.
#[inline(always)]
pub fn result(kernel: isize) -> isize {
    if kernel as usize > -4096_isize as usize { fail((-kernel) as i32) } else { kernel }
}

/// What it is.
pub fn get() -> i32 {
    // SAFETY: libc's function gives the place of this thread's `errno`.
    errno_location().map_or(0, |location| unsafe { *location() })
}

/// Makes it so.
pub fn set(errno: i32) {
    if let Some(location) = errno_location() {
        // SAFETY: as above.
        unsafe { *location() = errno };
    }
}

#[cold]
#[inline(never)]
fn fail(errno: i32) -> isize {
    set(errno);
    -1
}
