//! The island's layout: a record that names the detour, three long jumps, the trampoline.
//!
//! What must hold: the record stands at the start of the page and the first jump at a fixed place in it, so that whoever
//! finds a `jmp` at a vDSO function's entry can tell from the page it leads to whether the detour is falseticker's.

use super::plan::PATCH;

/// How much of the page is used; the page itself is one of 4096 bytes.
pub const ISLAND_SIZE: usize = 512;
/// What the page begins with.
pub const MAGIC: [u8; 16] = *b"falseticker/1\r\n\x1a";
/// How many functions may be detoured.
pub const SLOTS: usize = 3;

const SLOT_SIZE: usize = 16;
const SLOTS_AT: usize = 32;
const JUMPS_AT: usize = 256;
const JUMP_SIZE: usize = 16;
const TRAMPOLINE_AT: usize = 320;
const TRAMPOLINE_MAX: usize = 96;
const INT3: u8 = 0xcc;
/// `jmp *[rip]`: the address follows.
const JUMP: [u8; 6] = [0xff, 0x25, 0, 0, 0, 0];

/// A detoured function, and what its first bytes were: enough to undo it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The function's address; 0 for a slot without one.
    pub entry: u64,
    /// The bytes that the jump overwrote.
    pub original: [u8; PATCH],
}

/// What an island says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The address of the vDSO that is detoured.
    pub vdso: u64,
    /// clock_gettime, gettimeofday, time.
    pub slots: [Slot; SLOTS],
}

/// An island being built, for one address.
#[derive(Clone)]
pub struct Island {
    at: u64,
    bytes: [u8; ISLAND_SIZE],
}

/// Which page an entry's bytes jump to, if they are a jump such as a detour of slot `index` begins with.
///
/// Whether there is an island must then be asked of that page: [`Record::parse`].
pub fn island_of_jump(entry: u64, code: &[u8], index: usize) -> Option<u64> {
    let (opcode, distance) = code.get(..PATCH)?.split_first()?;
    let target =
        entry.wrapping_add(5).wrapping_add_signed(i64::from(i32::from_le_bytes(distance.try_into().ok()?)));
    let island = target.checked_sub(jump_offset(index)? as u64)?;
    (*opcode == 0xe9 && island & 0xfff == 0 && island != 0).then_some(island)
}

/// Where the function of slot `index` is led to by an island of these bytes.
pub fn hook_of(island: &[u8], index: usize) -> Option<u64> {
    let jump = jump_offset(index)?;
    let target = island.get(jump + 6..jump + 14)?;
    island.get(jump..)?.starts_with(&JUMP).then_some(u64::from_le_bytes(target.try_into().ok()?))
}

impl Record {
    /// The record at the start of an island's bytes; `None` if these are no island's.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut slots = [Slot::default(); SLOTS];
        for (index, slot) in slots.iter_mut().enumerate() {
            let at = SLOTS_AT + index * SLOT_SIZE;
            slot.entry = u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
            slot.original = bytes.get(at + 8..at + 8 + PATCH)?.try_into().ok()?;
        }
        let vdso = u64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?);
        bytes.starts_with(&MAGIC).then_some(Self { vdso, slots })
    }

    /// Where the trampoline of the island at `at` is: the true clock_gettime.
    pub const fn trampoline(at: u64) -> u64 {
        at.saturating_add(TRAMPOLINE_AT as u64)
    }
}

impl Island {
    /// An island for the page at `at`, with its record and nothing else.
    pub fn new(at: u64, vdso: u64) -> Self {
        let mut island = Self { at, bytes: [INT3; ISLAND_SIZE] };
        let header = MAGIC.iter().copied().chain(vdso.to_le_bytes()).chain([0; JUMPS_AT - 24]);
        for (byte, value) in island.bytes.iter_mut().zip(header) {
            *byte = value;
        }
        island
    }

    /// The bytes for the start of the page.
    pub fn bytes(&self) -> &[u8; ISLAND_SIZE] {
        &self.bytes
    }

    /// The page's address.
    pub fn address(&self) -> u64 {
        self.at
    }

    /// Where the function of slot `index` jumps to.
    pub fn landing(&self, index: usize) -> Option<u64> {
        self.at.checked_add(jump_offset(index)? as u64)
    }

    /// Records a detoured function and puts the jump to its hook: `jmp *[rip]` and the address.
    pub(super) fn set_slot(&mut self, index: usize, slot: Slot, hook: u64) -> Option<()> {
        let jump = jump_offset(index)?;
        let record = SLOTS_AT + index * SLOT_SIZE;
        put(&mut self.bytes, record, &slot.entry.to_le_bytes())?;
        put(&mut self.bytes, record + 8, &slot.original)?;
        put(&mut self.bytes, jump, &JUMP)?;
        put(&mut self.bytes, jump + 6, &hook.to_le_bytes())
    }

    /// Puts the trampoline.
    pub(super) fn set_trampoline(&mut self, code: &[u8]) -> Option<()> {
        (code.len() <= TRAMPOLINE_MAX).then_some(())?;
        put(&mut self.bytes, TRAMPOLINE_AT, code)
    }
}

/// Where in the page the jump of slot `index` is.
const fn jump_offset(index: usize) -> Option<usize> {
    if index < SLOTS { Some(JUMPS_AT + index * JUMP_SIZE) } else { None }
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) -> Option<()> {
    let place = bytes.get_mut(at..at.checked_add(what.len())?)?;
    for (byte, value) in place.iter_mut().zip(what) {
        *byte = *value;
    }
    Some(())
}

const _: () =
    assert!(SLOTS_AT + SLOTS * SLOT_SIZE <= JUMPS_AT && JUMPS_AT + SLOTS * JUMP_SIZE <= TRAMPOLINE_AT);
const _: () = assert!(TRAMPOLINE_AT + TRAMPOLINE_MAX <= ISLAND_SIZE);
