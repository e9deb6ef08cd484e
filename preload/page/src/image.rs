//! What the controller writes into a process that cannot load the shim, and where: the *implant*.
//!
//! An implant is one range of addresses: the replacement image (a vDSO of falseticker's own, which runs the shim's way of a
//! read), its memory, the node's page, the evidence file. The image's code finds its memory by its distance alone, so it
//! needs no relocation; the controller fills the memory before any thread runs there.
//!
//! What must hold: all offsets are whole pages; whatever stands in [`Wiring`] is written before the first read and not
//! changed while a thread may read it, but for [`Wiring::page`], where 0 means true time; [`Own`] is wiped in a forked child
//! (MADV_WIPEONFORK), which then leaves no marks until the controller has given it a row.
//! What breaks it: whoever unmaps memory that is not his.

use core::mem::{offset_of, size_of};

use crate::evidence::EVIDENCE_SIZE;
use crate::layout::{PAGE_SIZE, SCHEDULES};

/// The memory of an image: what all threads and forked children share the value of.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wiring {
    /// Where the page is mapped; 0 for true time.
    pub page: u64,
    /// The true clock_gettime: the kernel's own vDSO's, or the trampoline of a detour; 0 where only a system call is true.
    pub clock_gettime: u64,
    /// [`LOADED`], from the beginning.
    pub phase: u32,
    /// Nothing.
    pub unused: u32,
    /// Where the evidence file is mapped, or 0.
    pub evidence: u64,
}

/// What stands behind [`Wiring`], at [`MORE_AT`].
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct More {
    /// The kernel's own `__vdso_getcpu`, or 0.
    pub getcpu: u64,
    /// The kernel's own `__vdso_clock_getres`, or 0.
    pub clock_getres: u64,
    /// The kernel's own `__vdso_getrandom`, or 0.
    pub getrandom: u64,
    /// The pid namespace of the pid in [`Own`], by its inode: what the process's row of evidence bears.
    pub namespace: u64,
    /// How the process is reached: the word for its row of evidence.
    pub reached: u64,
}

/// What belongs to one process alone.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Where each schedule's current segment was last found: 0 makes the next read look, and leave its mark.
    pub hints: [u64; SCHEDULES],
    /// The process's row of evidence plus one; 0 for none yet.
    pub row: u64,
    /// The process's pid as the row has it; 0 when nobody has said.
    pub pid: u32,
}

/// The value of [`Wiring::phase`].
pub const LOADED: u32 = 2;
/// Where [`More`] stands, from the beginning of the image's memory.
pub const MORE_AT: usize = size_of::<Wiring>();
/// Where [`Own`] stands: a page of its own.
pub const OWN_AT: usize = 4096;
/// How much memory an image has.
pub const MEMORY: usize = 2 * 4096;

/// Where everything is, from the first byte of an image of `size` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The image's memory.
    pub memory: usize,
    /// The node's page.
    pub page: usize,
    /// The evidence file.
    pub evidence: usize,
    /// The whole of it.
    pub length: usize,
}

impl Layout {
    /// The layout for an image of so many bytes; `None` for one that no parser would believe.
    pub const fn of(size: usize) -> Option<Self> {
        if size == 0 || size > crate::vdso::MAX_IMAGE {
            return None;
        }
        let memory = size.next_multiple_of(4096);
        let page = memory + MEMORY;
        let evidence = page + PAGE_SIZE;
        Some(Layout { memory, page, evidence, length: evidence + EVIDENCE_SIZE })
    }
}

const _: () = {
    assert!(size_of::<Wiring>() == 64 && size_of::<More>() == 64 && size_of::<Own>() <= 4096);
    assert!(offset_of!(Wiring, evidence) == 24 && offset_of!(More, reached) == 32);
    assert!(offset_of!(Own, row) == 8 * SCHEDULES && offset_of!(Own, pid) == 8 * SCHEDULES + 8);
    assert!(PAGE_SIZE.is_multiple_of(4096) && EVIDENCE_SIZE.is_multiple_of(4096));
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_whole_pages_of_its_own() {
        for size in [1, 4095, 4096, 4097, 20_000] {
            let layout = Layout::of(size).unwrap();
            assert!(layout.memory >= size && layout.memory < size + 4096);
            assert_eq!(layout.page, layout.memory + MEMORY);
            assert_eq!(layout.evidence, layout.page + PAGE_SIZE);
            assert_eq!(layout.length, layout.evidence + EVIDENCE_SIZE);
        }
        assert_eq!(Layout::of(0), None);
        assert_eq!(Layout::of(usize::MAX), None);
    }
}
