//! The true clock: the kernel's vDSO, found without libc, and whether something already stands between it and the program.
//!
//! The kernel's own copy of the auxiliary vector says where its vDSO is. The copy on the stack is the one that the program's
//! libc reads: at exec the controller may have pointed that at falseticker's replacement image, which skews already. And the
//! vDSO itself may begin with a detour of another instance: then the true clock is that detour's trampoline.
//!
//! What must hold: any surprise is a `None`; no address is followed before the kernel has said that it is mapped.
//! What breaks it: a sandbox that refuses process_vm_readv from the start; the kernel's own addresses are then believed.
#![allow(unsafe_code)]
// Sound because memory is read at addresses from the kernel's auxiliary vector alone, after asking the kernel whether they
// are mapped; the vDSO is never unmapped by the kernel, and its bytes change only by a detour, written while one thread runs.

use falseticker_page::detour::{Functions, ISLAND_SIZE, Record, SLOTS, island_of_jump};
use falseticker_page::vdso::{HEADER_PAGE, Image, image_size};

use crate::sys::{self, PAGE, errno};

const AT_RANDOM: u64 = 25;
const AT_SYSINFO_EHDR: u64 = 33;
/// The most entries of an auxiliary vector; kernels have about 22.
const MAX_AUXILIARY: usize = 64;
const ENTRY_SIZE: usize = 16;

/// The process's vDSO.
pub struct Vdso {
    base: usize,
    size: usize,
    clock_gettime: usize,
    replacement: bool,
    detoured: bool,
}

/// A value of the auxiliary vector, as the kernel gave it at exec.
pub fn auxiliary(kind: u64) -> Option<u64> {
    let mut buffer = [0_u8; MAX_AUXILIARY * ENTRY_SIZE];
    let filled = match sys::auxiliary_vector(&mut buffer) {
        // A return of 0, or of more than fits, is a sandbox's.
        Ok(size) if size >= ENTRY_SIZE => size.min(buffer.len()),
        _ => {
            let file = sys::open_read(c"/proc/self/auxv").ok()?;
            sys::read(&file, &mut buffer).ok()?
        }
    };
    for entry in buffer.get(..filled)?.chunks_exact(ENTRY_SIZE) {
        let (key, value) = entry.split_at_checked(8)?;
        match u64::from_ne_bytes(key.try_into().ok()?) {
            0 => return None,
            found if found == kind => return Some(u64::from_ne_bytes(value.try_into().ok()?)),
            _ => {}
        }
    }
    None
}

impl Vdso {
    /// Finds the vDSO; `None` when there is none, or it is not what a kernel makes.
    pub fn find() -> Option<Self> {
        let base = usize::try_from(auxiliary(AT_SYSINFO_EHDR)?).ok()?;
        let image = image_at(base)?;
        let functions = Functions::of(&image)?;
        let entry = base.checked_add(functions.clock_gettime.offset)?;
        let code = image.code(functions.clock_gettime)?;
        let island = island_of_jump(entry as u64, code, 0).filter(|at| is_island(*at, base));
        let seen = on_the_stack(AT_SYSINFO_EHDR).filter(|seen| *seen != base);
        let replacement = image.is_ours() || seen.and_then(image_at).is_some_and(|seen| seen.is_ours());
        let clock_gettime = match island {
            // The image's function skews: only the kernel tells the true time.
            _ if image.is_ours() => 0,
            Some(island) => usize::try_from(Record::trampoline(island)).ok()?,
            None => entry,
        };
        Some(Self { base, size: image.bytes().len(), clock_gettime, replacement, detoured: island.is_some() })
    }

    /// Where it is mapped.
    pub fn base(&self) -> usize {
        self.base
    }

    /// Where its last page ends.
    pub fn end(&self) -> usize {
        self.base.saturating_add(self.size.next_multiple_of(PAGE))
    }

    /// The address of the true clock_gettime; 0 when only a system call is true.
    pub fn clock_gettime(&self) -> usize {
        self.clock_gettime
    }

    /// Whether the program's reads go to falseticker's replacement image.
    pub fn is_replacement(&self) -> bool {
        self.replacement
    }

    /// Whether another instance has detoured it.
    pub fn is_detoured(&self) -> bool {
        self.detoured
    }

    /// The image.
    pub fn image(&self) -> Option<Image<'static>> {
        image_at(self.base)
    }
}

/// The image that is mapped at `base`.
fn image_at(base: usize) -> Option<Image<'static>> {
    if !base.is_multiple_of(PAGE) || !is_mapped(base, HEADER_PAGE) {
        return None;
    }
    // SAFETY: the page is mapped, and as part of a vDSO stays so.
    let header = unsafe { core::slice::from_raw_parts(base as *const u8, HEADER_PAGE) };
    let size = image_size(header)?;
    if !is_mapped(base, size) {
        return None;
    }
    // SAFETY: all its pages are mapped, and as a vDSO stay so.
    Image::parse(unsafe { core::slice::from_raw_parts(base as *const u8, size) })
}

/// Whether the page at `at` is an island of falseticker's that belongs to the vDSO at `base`.
fn is_island(at: u64, base: usize) -> bool {
    let mut bytes = [0_u8; ISLAND_SIZE];
    let read = usize::try_from(at).ok().map(|at| sys::peek(at, &mut bytes));
    let record = if read == Some(Ok(())) { Record::parse(&bytes) } else { None };
    record.is_some_and(|record| record.vdso == base as u64 && record.slots.len() == SLOTS)
}

/// A value of the auxiliary vector on the stack, the one that libc reads.
///
/// The kernel puts the vector just below the 16 random bytes to which AT_RANDOM points, so it is found by its own entry for them.
fn on_the_stack(kind: u64) -> Option<usize> {
    const WORDS: usize = 4 * MAX_AUXILIARY;
    let random = auxiliary(AT_RANDOM)?;
    let top = usize::try_from(random).ok()? & !7;
    let bottom = top.checked_sub(WORDS * 8)?;
    if !is_mapped(bottom, top - bottom) {
        return None;
    }
    // SAFETY: `index` is below WORDS, and that much is mapped: the stack, which only grows.
    let word = |index: usize| unsafe { (bottom as *const u64).add(index).read_volatile() };
    let anchor = (0..WORDS - 1).rev().find(|index| word(*index) == AT_RANDOM && word(index + 1) == random)?;
    let is_key = |index: &usize| (1..0x1000).contains(&word(*index));
    let after = (anchor..WORDS - 1).step_by(2).take_while(is_key);
    let before = (0..=anchor).rev().step_by(2).take_while(is_key);
    let found = after.chain(before).find(|index| word(*index) == kind)?;
    usize::try_from(word(found + 1)).ok()
}

/// Whether every page of a range can be read, or the kernel will not say.
fn is_mapped(from: usize, length: usize) -> bool {
    let Some(last) = from.checked_add(length.max(1) - 1) else {
        return false;
    };
    let pages = (from & !(PAGE - 1)..=last).step_by(PAGE);
    pages.map(|page| sys::peek(page, &mut [0])).all(|peeked| peeked != Err(errno::EFAULT))
}
