//! Which bytes go where: the trampoline, the jumps, and whether anything stands against them.
//!
//! What must hold: a plan displaces whole instructions; each means in the trampoline what it meant in its place; nothing
//! in the image branches into displaced bytes. A function that is named by a symbol is walked instruction by instruction, to
//! its end; where that fails, the rest of it is searched at every byte. Code without a symbol is searched at every byte for
//! branches of 32 bits. A short branch from there into the start of another function is the case that is not seen: no
//! compiler makes one.

use super::Refusal;
use super::decode::{Kind, decode};
use super::island::{Island, Record, SLOTS, Slot};
use crate::vdso::{Function, Image};
use core::ops::Range;

/// How many bytes are written over a function's start.
pub const PATCH: usize = 5;

/// The functions to detour. clock_gettime must be there, since the others are computed from it.
#[derive(Clone, Copy, Debug)]
pub struct Functions {
    /// `__vdso_clock_gettime`.
    pub clock_gettime: Function,
    /// `__vdso_gettimeofday`.
    pub gettimeofday: Option<Function>,
    /// `__vdso_time`.
    pub time: Option<Function>,
}

impl Functions {
    /// The functions of an image; `None` without clock_gettime.
    pub fn of(image: &Image<'_>) -> Option<Self> {
        Some(Self {
            clock_gettime: image.function(b"__vdso_clock_gettime")?,
            gettimeofday: image.function(b"__vdso_gettimeofday"),
            time: image.function(b"__vdso_time"),
        })
    }

    fn slots(&self) -> [Option<Function>; SLOTS] {
        [Some(self.clock_gettime), self.gettimeofday, self.time]
    }
}

/// The addresses of the functions that take over, with the vDSO's calling convention: errors are returned as -errno.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// For clock_gettime.
    pub clock_gettime: u64,
    /// For gettimeofday.
    pub gettimeofday: u64,
    /// For time.
    pub time: u64,
}

/// Five bytes to write over a function's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Where.
    pub at: u64,
    /// What must be there, and is put back when undone.
    pub old: [u8; PATCH],
    /// What is written: `jmp rel32` to the island.
    pub new: [u8; PATCH],
}

/// A detour, ready to be written: first the island, then the patches.
#[derive(Clone)]
pub struct Plan {
    /// The island.
    pub island: Island,
    /// A patch for each function that the image has.
    pub patches: [Option<Patch>; SLOTS],
    /// The bytes of clock_gettime that are displaced: no thread's instruction pointer may be past their first.
    pub displaced: Range<u64>,
}

impl Plan {
    /// The bytes that no thread may go on at when the patches are written: those of each function's beginning but the first.
    pub fn danger(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let whole = |at: u64| if at == self.displaced.start { self.displaced.end } else { at + PATCH as u64 };
        self.patches.iter().flatten().map(move |patch| patch.at.saturating_add(1)..whole(patch.at))
    }

    /// The address of the true clock_gettime, once the island is written.
    pub fn trampoline(&self) -> u64 {
        Record::trampoline(self.island.address())
    }
}

/// Plans the detour of the image that is mapped at `base`, by an island in the page at `island`.
///
/// # Errors
/// [`Refusal::Replaced`] for falseticker's own image, [`Refusal::NoIsland`] when the page is too far away,
/// [`Refusal::Undecodable`] when a function's start cannot be displaced.
pub fn plan(
    image: &Image<'_>,
    base: u64,
    functions: &Functions,
    island: u64,
    hooks: &Hooks,
) -> Result<Plan, Refusal> {
    if image.is_ours() {
        return Err(Refusal::Replaced);
    }
    let trampoline = Trampoline::new(image, base, functions.clock_gettime, Record::trampoline(island))?;
    let entry = address(base, functions.clock_gettime);
    let displaced = entry..entry.saturating_add(trampoline.displaced as u64);
    refuse_branches_into(image, base, functions, &displaced)?;

    let mut built = Island::new(island, base);
    built.set_trampoline(trampoline.code()).ok_or(Refusal::Undecodable)?;
    let mut patches = [None; SLOTS];
    let hooks = [hooks.clock_gettime, hooks.gettimeofday, hooks.time];
    for (index, ((function, hook), patch)) in
        functions.slots().into_iter().zip(hooks).zip(&mut patches).enumerate()
    {
        let Some(function) = function else { continue };
        let at = address(base, function);
        let old = image.code(function).and_then(|code| code.first_chunk::<PATCH>());
        let old = *old.ok_or(Refusal::Undecodable)?;
        let new = built.landing(index).and_then(|landing| jump(at, landing)).ok_or(Refusal::NoIsland)?;
        built.set_slot(index, Slot { entry: at, original: old }, hook).ok_or(Refusal::NoIsland)?;
        *patch = Some(Patch { at, old, new });
    }
    Ok(Plan { island: built, patches, displaced })
}

/// `jmp rel32` from `from` to `to`; `None` beyond 2 GiB.
fn jump(from: u64, to: u64) -> Option<[u8; PATCH]> {
    let [a, b, c, d] = distance(from.checked_add(5)?, to)?.to_le_bytes();
    Some([0xe9, a, b, c, d])
}

/// How far `to` is from the end of an instruction at `end`.
fn distance(end: u64, to: u64) -> Option<i32> {
    i32::try_from(to.wrapping_sub(end).cast_signed()).ok()
}

fn address(base: u64, function: Function) -> u64 {
    base.saturating_add(function.offset as u64)
}

fn refuse_branches_into(
    image: &Image<'_>,
    base: u64,
    functions: &Functions,
    displaced: &Range<u64>,
) -> Result<(), Refusal> {
    let into = |range: Range<u64>| {
        if range.is_empty() { Ok(()) } else { refuse_branches(image, base, range) }
    };
    // clock_gettime itself still runs, from its trampoline: a loop to its very start would enter the hook a second time.
    let own = image.code(functions.clock_gettime).ok_or(Refusal::Undecodable)?;
    if branches_into(own, displaced.start, displaced) {
        return Err(Refusal::Undecodable);
    }
    into(displaced.start.saturating_add(1)..displaced.end)?;
    for function in [functions.gettimeofday, functions.time].into_iter().flatten() {
        let entry = address(base, function);
        into(entry.saturating_add(1)..entry.saturating_add(PATCH as u64))?;
    }
    Ok(())
}

fn refuse_branches(image: &Image<'_>, base: u64, range: Range<u64>) -> Result<(), Refusal> {
    let walked = image.functions().any(|function| {
        image.code(function).is_none_or(|code| branches_into(code, address(base, function), &range))
    });
    if walked || long_branch_into(image.bytes(), base, &range) { Err(Refusal::Undecodable) } else { Ok(()) }
}

/// Whether an instruction of `code`, which runs at `at`, branches into `range`.
fn branches_into(code: &[u8], at: u64, range: &Range<u64>) -> bool {
    let (mut rest, mut at) = (code, at);
    while !rest.is_empty() {
        let Some(instruction) = decode(rest) else {
            return short_branch_into(rest, at, range) || long_branch_into(rest, at, range);
        };
        at = at.wrapping_add(instruction.length as u64);
        let target = instruction.relative().map(|relative| at.wrapping_add_signed(i64::from(relative)));
        if target.is_some_and(|target| range.contains(&target)) {
            return true;
        }
        let Some(after) = rest.get(instruction.length..) else {
            return true;
        };
        rest = after;
    }
    false
}

/// Whether any two bytes would, as a branch, lead into `range`.
fn short_branch_into(code: &[u8], at: u64, range: &Range<u64>) -> bool {
    code.windows(2).zip(at..).any(|(bytes, at)| match *bytes {
        [0x70..=0x7f | 0xeb | 0xe0..=0xe3, relative] => {
            range.contains(&at.wrapping_add(2).wrapping_add_signed(i64::from(relative.cast_signed())))
        }
        _ => false,
    })
}

/// Whether any five bytes, or six, would as a branch lead into `range`.
fn long_branch_into(code: &[u8], at: u64, range: &Range<u64>) -> bool {
    // `0f 8x` is seen at its second byte: what follows is the same.
    code.windows(5).zip(at..).any(|(bytes, at)| match *bytes {
        [0xe8 | 0xe9 | 0x80..=0x8f, a, b, c, d] => {
            let relative = i64::from(i32::from_le_bytes([a, b, c, d]));
            range.contains(&at.wrapping_add(5).wrapping_add_signed(relative))
        }
        _ => false,
    })
}

const TRAMPOLINE_ROOM: usize = 64;

/// A function's first instructions, moved, and a jump to the rest.
struct Trampoline {
    bytes: [u8; TRAMPOLINE_ROOM],
    length: usize,
    at: u64,
    displaced: usize,
}

impl Trampoline {
    fn new(image: &Image<'_>, base: u64, function: Function, at: u64) -> Result<Self, Refusal> {
        let code = image.code(function).ok_or(Refusal::Undecodable)?;
        let entry = address(base, function);
        let mut built = Self { bytes: [0; TRAMPOLINE_ROOM], length: 0, at, displaced: 0 };
        while built.displaced < PATCH {
            built.displace(code, entry).ok_or(Refusal::Undecodable)?;
        }
        let rest = entry.saturating_add(built.displaced as u64);
        let back = jump(built.here(), rest).ok_or(Refusal::NoIsland)?;
        built.push(&back).ok_or(Refusal::Undecodable)?;
        Ok(built)
    }

    fn code(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    fn here(&self) -> u64 {
        self.at.saturating_add(self.length as u64)
    }

    /// Moves the next instruction.
    fn displace(&mut self, code: &[u8], entry: u64) -> Option<()> {
        let rest = code.get(self.displaced..)?;
        let instruction = decode(rest)?;
        instruction.movable.then_some(())?;
        let bytes = rest.get(..instruction.length)?;
        self.displaced += instruction.length;
        let old_end = entry.checked_add(self.displaced as u64)?;
        match instruction.kind {
            Kind::Plain => self.push(bytes),
            Kind::RipRelative { field } => {
                let old = i32::from_le_bytes(bytes.get(field..field.checked_add(4)?)?.try_into().ok()?);
                let target = old_end.wrapping_add_signed(i64::from(old));
                let new = distance(self.here().checked_add(instruction.length as u64)?, target)?;
                self.push(bytes.get(..field)?)?;
                self.push(&new.to_le_bytes())?;
                self.push(bytes.get(field + 4..)?)
            }
            Kind::Conditional { condition, relative } => {
                let target = old_end.wrapping_add_signed(i64::from(relative));
                let [a, b, c, d] = distance(self.here().checked_add(6)?, target)?.to_le_bytes();
                self.push(&[0x0f, 0x80 | condition, a, b, c, d])
            }
            Kind::Branch { .. } => None,
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length.checked_add(bytes.len())?;
        let place = self.bytes.get_mut(self.length..end)?;
        for (byte, value) in place.iter_mut().zip(bytes) {
            *byte = *value;
        }
        self.length = end;
        Some(())
    }
}
