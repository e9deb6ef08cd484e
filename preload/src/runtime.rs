//! What the compiler expects of a C library, here for this library alone.
//!
//! The functions that copy and fill are the processor's (`arch`).
//!
//! What must hold: none of these names is exported (the version script keeps them local), or the library would
//! interpose on the program's own.
//! Unwind tables stay and the personality lets an unwinding pass on: a thread that is cancelled inside a hook must
//! still run the program's cleanup handlers.
#![allow(unsafe_code)]
// Sound because these are the C standard's functions, under C's contracts.

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
