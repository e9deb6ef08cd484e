//! A free page within a relative jump of the vDSO.
//!
//! What must hold: nothing that exists is mapped over, and the main stack keeps room to grow: to its limit, or to 1 GiB
//! where the program may raise that itself, and in any case to the 128 MiB that the kernel keeps free for it.
//! What breaks it: a program that has mapped 2 GiB without a gap on both sides of the vDSO; then there is no island.
//!
//! Sources: `mmap_base()` in the kernel's `arch/x86/mm/mmap.c`, `stack_guard_gap` in its `mm/mmap.c`.

use core::ops::Range;

use crate::sys::{self, PAGE, mm};

/// How far a page may be: 2 GiB, less the image itself and the data that its code reads beside it.
const REACH: usize = (1 << 31) - (16 << 20);
/// Where ordinary addresses end.
const CEILING: usize = 0x7fff_ffff_f000;
/// Below this no page is asked for.
const FLOOR: usize = 1 << 20;
const LEAST_STACK: u64 = 128 << 20;
const RAISED_STACK: u64 = 1 << 30;
const MOST_STACK: u64 = 64 << 30;
/// Twice what any guard gap is set to, with what randomization adds.
const GUARD_GAP: u64 = 16 << 20;

/// Maps one page, readable and executable, near the vDSO that lies in `vdso`; `stack` is an address at the main stack's top.
pub fn map_near(vdso: Range<usize>, stack: Option<usize>) -> Option<usize> {
    let reserved = stack.map_or(0..0, stack_room);
    above(vdso.end, &reserved).or_else(|| below(vdso.start, &reserved))
}

/// Where the main stack may come to be.
fn stack_room(top: usize) -> Range<usize> {
    let (soft, hard) = sys::stack_limits().unwrap_or((u64::MAX, u64::MAX));
    let room = soft.max(hard.min(RAISED_STACK)).clamp(LEAST_STACK, MOST_STACK).saturating_add(GUARD_GAP);
    top.saturating_sub(usize::try_from(room).unwrap_or(usize::MAX))..top
}

fn above(end: usize, reserved: &Range<usize>) -> Option<usize> {
    let last = end.saturating_add(REACH).min(CEILING).saturating_sub(PAGE);
    let mut distance = 0_usize;
    loop {
        let mut at = end.saturating_add(distance);
        if reserved.contains(&at) || reserved.contains(&at.saturating_add(PAGE)) {
            at = reserved.end.next_multiple_of(PAGE);
        }
        if at > last {
            return None;
        }
        if map(at) {
            return Some(at);
        }
        distance = further(at.saturating_sub(end));
    }
}

fn below(start: usize, reserved: &Range<usize>) -> Option<usize> {
    let last = start.saturating_sub(REACH).max(FLOOR);
    let mut distance = 0_usize;
    loop {
        let mut at = start.saturating_sub(distance).saturating_sub(PAGE);
        if reserved.contains(&at) || reserved.contains(&at.saturating_add(PAGE)) {
            at = (reserved.start & !(PAGE - 1)).saturating_sub(PAGE);
        }
        if at < last {
            return None;
        }
        if map(at) {
            return Some(at);
        }
        distance = further(start.saturating_sub(at).saturating_sub(PAGE));
    }
}

/// The next distance to try: by pages near by, by a sixteenth further off, which makes some 250 attempts in all.
fn further(distance: usize) -> usize {
    distance.saturating_add(PAGE).saturating_add((distance / 16) & !(PAGE - 1))
}

fn map(at: usize) -> bool {
    sys::mmap_anonymous_at(at, PAGE, mm::PROT_READ | mm::PROT_EXEC).is_ok()
}
