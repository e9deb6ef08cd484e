//! What a process knows after loading: the page, the evidence file, the true clock; and what only this process may
//! know, which a forked child must not inherit.
//!
//! What must hold: everything is an atomic word, set once at load (the private part: by any reader, any time); a
//! zero means "not yet", so that a read before loading and one in a fresh child both take the cold way.
#![allow(unsafe_code)]
// Sound because the pointers are either null or to mappings that are never unmapped.

use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use falseticker_page::evidence::Evidence;
use falseticker_page::layout::{Clock, PAGE_SIZE, Page, SCHEDULES};
use falseticker_page::segment::SegmentCell;

use crate::abi::Timespec;
use crate::sys;
use crate::wait::registry::{CHUNKS, Chunks};

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
    /// The true clock: the vDSO's, or one that calls the kernel; 0 before loading.
    pub clock_gettime: AtomicUsize,
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
    /// How far the helper of waits has come, see [`crate::wait::helper`].
    pub helper: AtomicU32,
    /// The registry of waits, see [`crate::wait::registry`].
    pub chunks: Chunks,
    _rest: [u64; 507 - CHUNKS],
}

/// There is no row for this process: do not ask again.
pub const NO_ROW: usize = usize::MAX;

// In the image it is the controller that writes here: exported, or the compiler would take it for zero for ever.
#[cfg_attr(feature = "image", unsafe(link_section = ".bss.implant_wiring"), unsafe(no_mangle))]
pub static STATE: State = State {
    page: AtomicPtr::new(core::ptr::null_mut()),
    clock_gettime: AtomicUsize::new(0),
    phase: AtomicU32::new(UNLOADED),
    evidence: AtomicPtr::new(core::ptr::null_mut()),
};

#[cfg_attr(feature = "image", unsafe(link_section = ".bss.implant_own"), unsafe(no_mangle))]
pub static PRIVATE: Private = Private {
    hints: [const { AtomicU64::new(0) }; SCHEDULES],
    row: AtomicUsize::new(0),
    pid: AtomicU32::new(0),
    helper: AtomicU32::new(0),
    chunks: [const { AtomicPtr::new(core::ptr::null_mut()) }; CHUNKS],
    _rest: [0; 507 - CHUNKS],
};

/// A word that says where the current segment was found: 40 bits of the latch's word, a bit for a true segment, and
/// the cell's place in the page in units of 64 bytes. One word, so that threads and signal handlers may change it at
/// will; no more arithmetic than an address needs.
#[derive(Clone, Copy)]
pub struct Hint(u64);

const PLACE_BITS: u32 = 23;
const TRUE_BIT: u64 = 1 << PLACE_BITS;
const WORD_SHIFT: u32 = PLACE_BITS + 1;

impl Hint {
    /// A segment that was found in `cell` of the page under this word; one that lies outside makes no hint.
    pub fn new(word: u64, page: &Page, cell: &SegmentCell, is_true: bool) -> Option<Self> {
        let offset = (core::ptr::from_ref(cell) as usize).checked_sub(core::ptr::from_ref(page) as usize)?;
        let place = (offset / size_of::<SegmentCell>()) as u64;
        (offset < PAGE_SIZE).then(|| Hint(word << WORD_SHIFT | u64::from(is_true) << PLACE_BITS | place))
    }

    /// What is remembered for a schedule.
    #[inline(always)]
    pub fn load(clock: Clock) -> Self {
        Hint(PRIVATE.hints[clock as usize].load(Ordering::Relaxed))
    }

    /// Remembers it.
    pub fn store(self, clock: Clock) {
        PRIVATE.hints[clock as usize].store(self.0, Ordering::Relaxed);
    }

    /// Forgets it.
    pub fn forget(clock: Clock) {
        PRIVATE.hints[clock as usize].store(0, Ordering::Relaxed);
    }

    /// Whether it was made under this word. A zero hint is of no word: generations begin at 1.
    #[inline(always)]
    pub const fn is_of(self, word: u64) -> bool {
        (self.0 ^ word << WORD_SHIFT) >> WORD_SHIFT == 0
    }

    /// Whether the segment is a true one, after which nothing is planned.
    #[inline(always)]
    pub const fn is_true(self) -> bool {
        self.0 & TRUE_BIT != 0
    }

    /// The segment's cell.
    #[inline(always)]
    pub fn cell(self, page: &'static Page) -> &'static SegmentCell {
        let place = (self.0 & (TRUE_BIT - 1)) as usize;
        // SAFETY: every hint that says it is of a word was made by `new`, from a cell of this one page.
        unsafe { &*core::ptr::from_ref(page).cast::<SegmentCell>().add(place) }
    }
}

const _: () = assert!(PAGE_SIZE / size_of::<SegmentCell>() <= 1 << PLACE_BITS);
const _: () = assert!(size_of::<Private>() == 4096);

impl State {
    /// The page, once loaded.
    #[inline(always)]
    pub fn page(&self) -> Option<&'static Page> {
        // SAFETY: null, or a mapping of `PAGE_SIZE` bytes that is checked at load and never unmapped; all of it is
        // atomic words.
        unsafe { self.page.load(Ordering::Acquire).as_ref() }
    }

    /// The evidence file, if it is there.
    pub fn evidence(&self) -> Option<&'static Evidence> {
        // SAFETY: as for the page.
        unsafe { self.evidence.load(Ordering::Relaxed).as_ref() }
    }

    /// The host's `clock_gettime`: 0 or a negative errno. The true one of the vDSO where it is known, else the kernel's.
    #[inline(always)]
    pub fn host_clock(&self) -> unsafe extern "C" fn(i32, *mut Timespec) -> i32 {
        let known = self.clock_gettime.load(Ordering::Relaxed);
        if known == 0 {
            return by_system_call;
        }
        // SAFETY: the address of a function of this type that is never unmapped.
        unsafe { core::mem::transmute(known) }
    }

    /// The same on the fast way, where the page is known and so this is.
    ///
    /// # Safety
    /// The page must have been seen.
    #[inline(always)]
    pub unsafe fn host_clock_behind_page(&self) -> unsafe extern "C" fn(i32, *mut Timespec) -> i32 {
        // SAFETY: not 0, since it is stored before the page; then as above.
        unsafe { core::mem::transmute(self.clock_gettime.load(Ordering::Relaxed)) }
    }
}

/// Reads a host clock where there is no vDSO.
///
/// # Safety
/// As for `clock_gettime`, but a bad pointer is refused.
pub unsafe extern "C" fn by_system_call(id: i32, to: *mut Timespec) -> i32 {
    // SAFETY: the kernel checks the pointer.
    (unsafe { sys::syscall2(sys::nr::CLOCK_GETTIME, id as usize, to as usize) }) as i32
}
