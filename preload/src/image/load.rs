//! What the controller has written for a read, in place of what the shim does at load.
//!
//! What must hold: a child of fork, whose own part is wiped, has no pid here until the controller says it; so it takes no row,
//! and its evidence is unknown rather than its parent's.
#![allow(unsafe_code)]
// Sound because the only unsafe thing is the name of a section that the linker's script keeps apart.

use core::sync::atomic::{AtomicU64, Ordering};

use falseticker_page::evidence::Evidence;
use falseticker_page::image::{MORE_AT, More, Own};
use falseticker_page::time::HostInstant;

use crate::state::{NO_ROW, PRIVATE, Private, State};

/// What the image's memory holds behind the state: see [`More`].
#[repr(C, align(64))]
pub struct Written {
    pub getcpu: AtomicU64,
    pub clock_getres: AtomicU64,
    pub getrandom: AtomicU64,
    pub namespace: AtomicU64,
    pub reached: AtomicU64,
}

// Exported, as the state is, since it is written from outside.
#[unsafe(link_section = ".bss.implant_more")]
#[unsafe(no_mangle)]
pub static MORE: Written = Written {
    getcpu: AtomicU64::new(0),
    clock_getres: AtomicU64::new(0),
    getrandom: AtomicU64::new(0),
    namespace: AtomicU64::new(0),
    reached: AtomicU64::new(0),
};

/// Nothing is loaded.
pub fn ensure() {}

/// The pid namespace of the process, by its inode.
pub fn namespace() -> u64 {
    MORE.namespace.load(Ordering::Relaxed)
}

/// The process's row.
pub fn row(_: &Evidence, _: HostInstant) -> Option<usize> {
    match PRIVATE.row.load(Ordering::Acquire) {
        0 | NO_ROW => None,
        row => Some(row - 1),
    }
}

const _: () = {
    use core::mem::offset_of;
    use falseticker_page::image::Wiring;
    assert!(size_of::<State>() == MORE_AT && size_of::<Written>() == size_of::<More>());
    assert!(offset_of!(State, page) == offset_of!(Wiring, page));
    assert!(offset_of!(State, clock_gettime) == offset_of!(Wiring, clock_gettime));
    assert!(offset_of!(State, phase) == offset_of!(Wiring, phase));
    assert!(offset_of!(State, evidence) == offset_of!(Wiring, evidence));
    assert!(offset_of!(Written, getcpu) == offset_of!(More, getcpu));
    assert!(offset_of!(Written, clock_getres) == offset_of!(More, clock_getres));
    assert!(offset_of!(Written, getrandom) == offset_of!(More, getrandom));
    assert!(offset_of!(Written, namespace) == offset_of!(More, namespace));
    assert!(offset_of!(Written, reached) == offset_of!(More, reached));
    assert!(offset_of!(Private, hints) == offset_of!(Own, hints));
    assert!(
        offset_of!(Private, row) == offset_of!(Own, row) && offset_of!(Private, pid) == offset_of!(Own, pid)
    );
    assert!(falseticker_page::image::LOADED == crate::state::LOADED);
};
