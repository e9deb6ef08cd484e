//! What these tests share: pages and evidence in plain memory, and bytes to fill them with.
#![allow(
    unsafe_code,
    dead_code,
    reason = "each test binary uses a part of it; what makes the unsafe blocks sound stands at each"
)]

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

use falseticker_page::evidence::{self, Evidence};
use falseticker_page::latch::Word;
use falseticker_page::layout::{self, PAGE_SIZE, Page};
use falseticker_page::segment::SegmentCell;
use falseticker_page::sync::Ordering;

/// What lies in a shared file: types for which every pattern of bits is a value.
///
/// # Safety
/// Only integers and atomics within, and a size that is a multiple of eight.
pub unsafe trait Shared: Sized {}
// SAFETY: words, atomic words and padding; its size is asserted to be a multiple of 4,096.
unsafe impl Shared for Page {}
// SAFETY: the same.
unsafe impl Shared for Evidence {}

/// One of them, all zero, on the heap: too large for a stack.
pub fn zeroed<T: Shared>() -> Box<T> {
    let layout = Layout::new::<T>();
    // SAFETY: the size is not zero; zero bytes are a value of a `Shared`; a box of it is freed by the same layout.
    unsafe {
        let memory = alloc_zeroed(layout).cast::<T>();
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        Box::from_raw(memory)
    }
}

/// Its memory as words.
pub fn words<T: Shared>(of: &mut Box<T>) -> &mut [u64] {
    let memory: *mut T = &raw mut **of;
    // SAFETY: borrowed exclusively; came zeroed and is never moved, so that its padding is initialised too; aligned to
    // more than eight; whatever is written is a value of a `Shared`.
    unsafe { std::slice::from_raw_parts_mut(memory.cast::<u64>(), size_of::<T>() / 8) }
}

/// A page that a reader takes: nothing published in it yet but its first word.
pub fn page() -> Box<Page> {
    let page: Box<Page> = zeroed();
    sign_page(&page);
    page.header.word.store(Word::FIRST.raw(), Ordering::Relaxed);
    page
}

/// Writes what [`Page::check`] looks at.
pub fn sign_page(page: &Page) {
    page.header.magic.store(layout::MAGIC, Ordering::Relaxed);
    page.header.version.store(layout::VERSION, Ordering::Relaxed);
    page.header.size.store(PAGE_SIZE as u64, Ordering::Relaxed);
}

/// An evidence file in which nobody has a row.
pub fn evidence() -> Box<Evidence> {
    let file: Box<Evidence> = zeroed();
    file.header.magic.store(evidence::MAGIC, Ordering::Relaxed);
    file.header.version.store(evidence::VERSION, Ordering::Relaxed);
    file.header.size.store(evidence::EVIDENCE_SIZE as u64, Ordering::Relaxed);
    file
}

/// A segment's cell of these words.
pub fn cell(words: [u64; 8]) -> SegmentCell {
    // SAFETY: a cell is eight atomic words, each as large as a plain one; its size is asserted by the crate.
    unsafe { std::mem::transmute_copy(&words) }
}

/// A stream of words from a seed (splitmix64), fast enough for a page of them in a debug build.
pub struct Noise(pub u64);

impl Noise {
    /// Any word.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A word as arithmetic likes it least: an end of a range, a power of two and its neighbours, small, or any.
    pub fn nasty_word(&mut self) -> u64 {
        let word = self.word();
        match word % 8 {
            0 => 0,
            1 => u64::MAX,
            2 => i64::MAX.unsigned_abs(),
            3 => i64::MIN.unsigned_abs(),
            4 => 1 << ((word >> 8) % 64),
            5 => (1_u64 << ((word >> 8) % 64)).wrapping_sub(1),
            6 => (word >> 8) % 1024,
            _ => self.word(),
        }
    }
}
