//! What a process knows after loading: the page, the evidence file, the true clock; and what only this process may
//! know, which a forked child must not inherit.
//!
//! What must hold: everything is an atomic word, set once at load (the private part: by any reader, any time); a
//! zero means "not yet", so that a read before loading and one in a fresh child both take the cold way.
#![allow(unsafe_code)]
// Sound because the pointers are either null or to mappings that are never unmapped.

use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use falseticker_page::evidence::Evidence;
use falseticker_page::layout::{Page, SCHEDULES};

use crate::abi::Timespec;

/// How far loading has come.
pub const UNLOADED: u32 = 0;
/// Somebody is at it; meanwhile reads give true time.
pub const LOADING: u32 = 1;
/// Done, with or without a page.
pub const LOADED: u32 = 2;

/// The shared part.
#[repr(C, align(64))]
pub struct State {
    /// The page, or null.
    pub page: AtomicPtr<Page>,
    /// The true `__vdso_clock_gettime`, or 0.
    pub clock_gettime: AtomicUsize,
    /// Not 0 when the node's monotonic clocks may be faulted.
    pub monotonic: AtomicU32,
    /// [`UNLOADED`], [`LOADING`] or [`LOADED`].
    pub phase: AtomicU32,
    /// The evidence file, or null.
    pub evidence: AtomicPtr<Evidence>,
}

/// The private part: a page of its own, which the kernel wipes in a forked child (MADV_WIPEONFORK).
#[repr(C, align(4096))]
pub struct Private {
    /// For each schedule: the generation under which, and the index at which, the current segment was last found,
    /// its change marked already. See [`Hint`].
    pub hints: [AtomicU64; SCHEDULES],
    /// The process's row of evidence plus one; 0 before it has one, [`NO_ROW`] when none is to be had.
    pub row: AtomicUsize,
    /// The process's pid, as its fork hook or its loading took it; 0 when neither ran.
    pub pid: AtomicU32,
    _rest: [u64; 507],
}

/// There is no row for this process: do not ask again.
pub const NO_ROW: usize = usize::MAX;

pub static STATE: State = State {
    page: AtomicPtr::new(core::ptr::null_mut()),
    clock_gettime: AtomicUsize::new(0),
    monotonic: AtomicU32::new(0),
    phase: AtomicU32::new(UNLOADED),
    evidence: AtomicPtr::new(core::ptr::null_mut()),
};

pub static PRIVATE: Private = Private {
    hints: [const { AtomicU64::new(0) }; SCHEDULES],
    row: AtomicUsize::new(0),
    pid: AtomicU32::new(0),
    _rest: [0; 507],
};

/// A word that says where the current segment was found: 50 bits of the latch's word, 14 of the index. One word, so
/// that threads and signal handlers may change it at will.
#[derive(Clone, Copy)]
pub struct Hint(pub u64);

const INDEX_BITS: u32 = 14;
const WORD_MASK: u64 = u64::MAX >> INDEX_BITS;

impl Hint {
    pub const fn new(word: u64, index: usize) -> Self {
        Hint(word << INDEX_BITS | (index as u64 & ((1 << INDEX_BITS) - 1)))
    }

    /// Whether it was made under this word. A zero hint is of no word: generations begin at 1.
    #[inline(always)]
    pub const fn is_of(self, word: u64) -> bool {
        self.0 >> INDEX_BITS == word & WORD_MASK
    }

    #[inline(always)]
    pub const fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

const _: () = assert!(falseticker_page::layout::SEGMENTS <= 1 << INDEX_BITS);
const _: () = assert!(core::mem::size_of::<Private>() == 4096);

impl State {
    /// The page, once loaded.
    #[inline(always)]
    pub fn page(&self) -> Option<&'static Page> {
        // SAFETY: null, or a mapping of `PAGE_SIZE` bytes that is checked at load and never unmapped; all of it is
        // atomic words.
        unsafe { self.page.load(Ordering::Relaxed).as_ref() }
    }

    /// The evidence file, if it is there.
    pub fn evidence(&self) -> Option<&'static Evidence> {
        // SAFETY: as for the page.
        unsafe { self.evidence.load(Ordering::Relaxed).as_ref() }
    }

    /// The true `clock_gettime` of the vDSO, as the kernel gives it: 0 or a negative errno.
    #[inline(always)]
    pub fn host_clock(&self) -> Option<unsafe extern "C" fn(i32, *mut Timespec) -> i32> {
        // SAFETY: 0 (which is `None`), or the address of a function of this type that is never unmapped.
        unsafe { core::mem::transmute(self.clock_gettime.load(Ordering::Relaxed)) }
    }
}
