//! Relocates this library's own few slots, should it be called before the dynamic linker has.
//!
//! An IFUNC resolver of a library that the linker relocates first may read the clock, and so come here. The way of a
//! read needs no relocation, but the compiler calls the memory functions through the global offset table.
//!
//! What must hold: nothing here calls anything; a slot is written once, with what the linker will write again.
#![allow(unsafe_code)]
// Sound because only relative relocations of this library's own table are applied, to slots that are still zero and
// so not yet protected.

use core::arch::asm;

const DT_RELA: usize = 7;
const DT_RELASZ: usize = 8;
const R_X86_64_RELATIVE: usize = 8;
const ENTRY: usize = 24;

/// Applies the relative relocations that are not applied yet.
#[inline(never)]
pub fn if_needed() {
    let (base, mut dynamic): (usize, *const [usize; 2]);
    // SAFETY: addresses relative to the instruction; then this library's own tables, as its linker wrote them. The
    // dynamic section holds addresses as offsets before relocation, and either way after it.
    unsafe {
        asm!("lea {}, [rip + __ehdr_start]", out(reg) base, options(nomem, nostack, pure));
        asm!("lea {}, [rip + _DYNAMIC]", out(reg) dynamic, options(nomem, nostack, pure));
        let (mut table, mut size) = (0, 0);
        while (*dynamic)[0] != 0 {
            match (*dynamic)[0] {
                DT_RELA => table = (*dynamic)[1],
                DT_RELASZ => size = (*dynamic)[1],
                _ => {}
            }
            dynamic = dynamic.add(1);
        }
        let table = if table < base { base.wrapping_add(table) } else { table };
        let mut at = 0;
        while at < size {
            let [offset, info, addend] = *(table.wrapping_add(at) as *const [usize; 3]);
            let slot = base.wrapping_add(offset) as *mut usize;
            if info == R_X86_64_RELATIVE && slot.read_volatile() == 0 {
                slot.write_volatile(base.wrapping_add(addend));
            }
            at += ENTRY;
        }
    }
}
