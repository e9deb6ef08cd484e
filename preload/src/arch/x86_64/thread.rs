//! A thread of the shim's own, without libc: the kernel's clone, and where the stack is.
#![allow(unsafe_code)]
// Sound because the new thread runs on a stack of its own and never returns into this one's frames.

use core::arch::{asm, naked_asm};

use super::calls::nr;

/// `clone(2)`, as libc makes its threads; `run` is called on the new stack. The new thread's id, or a negative errno.
///
/// # Safety
/// The flags must be those of a thread that shares memory; `stack` the top of memory that nobody else uses, a multiple of 16;
/// the ids' places and the thread's local storage must outlive it.
#[unsafe(naked)]
pub unsafe extern "C" fn spawn(
    flags: usize,
    stack: usize,
    parent_id: *mut u32,
    child_id: *mut u32,
    local: usize,
    run: extern "C" fn() -> !,
) -> isize {
    naked_asm!(
        ".cfi_startproc",
        "mov r10, rcx",
        "mov eax, {clone}",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        ".cfi_undefined rip",
        "xor ebp, ebp",
        "call r9",
        "ud2",
        ".cfi_endproc",
        clone = const nr::CLONE,
    )
}

/// Where the stack of the function that asks ends: the frames of what it calls lie below.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let at;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, rsp", out(reg) at, options(nomem, nostack, preserves_flags)) };
    at
}

/// What libc calls the thread by: the word that its storage begins with, which is the storage's own address.
#[inline(always)]
pub fn thread_pointer() -> usize {
    let at;
    // SAFETY: reads the first word of the storage that libc gives each of its threads.
    unsafe { asm!("mov {}, fs:0", out(reg) at, options(nostack, preserves_flags, readonly)) };
    at
}
