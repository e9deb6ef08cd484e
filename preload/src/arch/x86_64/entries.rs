//! Entries of the replacement image that only pass on, and how a vDSO's names are written down.
#![allow(unsafe_code)]
// Sound because arguments stay in their registers, and a jump leaves the frame as it was.

/// Number of `getcpu`.
pub const GETCPU: usize = 309;

/// Functions that go on to an address in memory, or, where that is 0, to a system call with the same arguments.
macro_rules! passed_on {
    ($($(#[$doc:meta])* $name:ident => $cell:ident.$field:ident, or $number:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// As for the kernel's function of this name.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                "mov rax, [rip + {cell} + {field}]",
                "test rax, rax",
                "jz 2f",
                "jmp rax",
                "2: mov r10, rcx",
                "mov rax, {number}",
                "syscall",
                "ret",
                cell = sym $cell,
                field = const core::mem::offset_of!(crate::load::Written, $field),
                number = const $number as isize,
            )
        }
    )*};
}
pub(crate) use passed_on;

// The names without a prefix, as the kernel's own image has them; and the note by which the image is known.
core::arch::global_asm!(
    ".macro also name",
    ".weak \\name",
    ".set \\name, __vdso_\\name",
    ".endm",
    "also clock_gettime",
    "also gettimeofday",
    "also time",
    "also getcpu",
    "also clock_getres",
    "also getrandom",
    ".pushsection .note.falseticker, \"a\", @note",
    ".balign 4",
    ".long 12, 0, {kind}",
    ".asciz \"falseticker\"",
    ".popsection",
    kind = const falseticker_page::vdso::NOTE_TYPE,
);
