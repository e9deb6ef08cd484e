//! What the compiler expects of a C library, here for this library alone.
//!
//! What must hold: none of these names is exported (the version script keeps them local), or the library would
//! interpose on the program's own; none touches a vector register, since clock reads may copy through them.
//! Unwind tables stay and the personality lets an unwinding pass on: a thread that is cancelled inside a hook must
//! still run the program's cleanup handlers.
#![allow(unsafe_code)]
// Sound because these are the C standard's functions, by the processor's string instructions, under C's contracts.

use core::arch::asm;

/// `memcpy`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: C's contract: both ranges are valid and do not overlap; the direction flag is clear by the ABI.
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack));
    }
    to
}

/// `memmove`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= count {
        // SAFETY: copied forward, no byte is overwritten before it is read.
        return unsafe { memcpy(to, from, count) };
    }
    // SAFETY: both ranges are valid, and copied from the end; the direction flag is cleared again.
    unsafe {
        asm!(
            "std", "rep movsb", "cld",
            inout("rcx") count => _,
            inout("rdi") to.wrapping_add(count).wrapping_sub(1) => _,
            inout("rsi") from.wrapping_add(count).wrapping_sub(1) => _,
            options(nostack)
        );
    }
    to
}

/// `memset`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: C's contract: the range is valid.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8, options(nostack));
    }
    to
}

/// `memcmp`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    let mut at = 0;
    while at < count {
        // SAFETY: C's contract: both ranges hold `count` bytes. Volatile, or the compiler calls memcmp here.
        let (a, b) = unsafe { (one.add(at).read_volatile(), other.add(at).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
        at += 1;
    }
    0
}

/// `bcmp`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(one, other, count) }
}

/// `_URC_CONTINUE_UNWIND`.
const CONTINUE_UNWIND: i32 = 8;

/// Lets whatever unwinds through this library pass on.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> i32 {
    CONTINUE_UNWIND
}

/// Nothing here panics; if something does, the program must not go on with half a clock.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    crate::sys::exit_group(125)
}
