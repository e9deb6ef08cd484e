//! The gates from the fast way to everything else: vector registers are put aside on the way in, and back on the way out.
//!
//! Who calls the vDSO itself may count on the kernel's: it touches no vector register (Go keeps a zero in X15 over such
//! a call). The fast way is checked by disassembly to touch none either; behind the gates the compiler is free.
#![allow(unsafe_code)]
// Sound because a gate keeps the C convention of the function behind it: arguments stay in their registers, the stack
// is aligned as at its own call, and the result passes through.

use core::arch::naked_asm;

use falseticker_page::layout::Clock;

use crate::abi::Timespec;
use crate::read::{cold, other};

macro_rules! gates {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) => $behind:path;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// As for the function behind it.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name($($argument: $kind),*) -> i32 {
            naked_asm!(
                ".cfi_startproc",
                "sub rsp, 264",
                ".cfi_adjust_cfa_offset 264",
                "movups [rsp], xmm0", "movups [rsp + 16], xmm1", "movups [rsp + 32], xmm2", "movups [rsp + 48], xmm3",
                "movups [rsp + 64], xmm4", "movups [rsp + 80], xmm5", "movups [rsp + 96], xmm6",
                "movups [rsp + 112], xmm7", "movups [rsp + 128], xmm8", "movups [rsp + 144], xmm9",
                "movups [rsp + 160], xmm10", "movups [rsp + 176], xmm11", "movups [rsp + 192], xmm12",
                "movups [rsp + 208], xmm13", "movups [rsp + 224], xmm14", "movups [rsp + 240], xmm15",
                "call {behind}",
                "movups xmm0, [rsp]", "movups xmm1, [rsp + 16]", "movups xmm2, [rsp + 32]", "movups xmm3, [rsp + 48]",
                "movups xmm4, [rsp + 64]", "movups xmm5, [rsp + 80]", "movups xmm6, [rsp + 96]",
                "movups xmm7, [rsp + 112]", "movups xmm8, [rsp + 128]", "movups xmm9, [rsp + 144]",
                "movups xmm10, [rsp + 160]", "movups xmm11, [rsp + 176]", "movups xmm12, [rsp + 192]",
                "movups xmm13, [rsp + 208]", "movups xmm14, [rsp + 224]", "movups xmm15, [rsp + 240]",
                "add rsp, 264",
                ".cfi_adjust_cfa_offset -264",
                "ret",
                ".cfi_endproc",
                behind = sym $behind,
            )
        }
    )*};
}

gates! {
    /// To a read that looks its segment up.
    cold(clock: Clock, true_id: i32, mono_id: i32, to: *mut Timespec) => cold::read;
    /// To the clocks that are seldom read.
    seldom(id: i32, to: *mut Timespec) => other::read;
}
