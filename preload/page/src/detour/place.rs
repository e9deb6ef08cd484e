//! Where an island may lie: a free page within a relative jump of the vDSO.
//!
//! What must hold: the main stack keeps room to grow: to its limit, or to 1 GiB where the program may raise that itself, and
//! in any case to the 128 MiB that the kernel keeps free for it. Which page is free is the caller's to know; it is asked of some
//! 250 pages at most.
//! What breaks it: a program that has mapped 2 GiB without a gap on both sides of the vDSO; then there is no island.
//!
//! Sources: `mmap_base()` in the kernel's `arch/x86/mm/mmap.c`, `stack_guard_gap` in its `mm/mmap.c`.

use core::ops::Range;

const PAGE: u64 = 4096;
/// How far a page may be: 2 GiB, less the image itself and the data that its code reads beside it.
const REACH: u64 = (1 << 31) - (16 << 20);
/// Where ordinary addresses end.
const CEILING: u64 = 0x7fff_ffff_f000;
/// Below this no page is asked for.
const FLOOR: u64 = 1 << 20;
const LEAST_STACK: u64 = 128 << 20;
const RAISED_STACK: u64 = 1 << 30;
const MOST_STACK: u64 = 64 << 30;
/// Twice what any guard gap is set to, with what randomization adds.
const GUARD_GAP: u64 = 16 << 20;

/// Where a main stack may come to be: an address at its top, and its soft and hard limits.
pub fn stack_room(top: u64, soft: u64, hard: u64) -> Range<u64> {
    let room = soft.max(hard.min(RAISED_STACK)).clamp(LEAST_STACK, MOST_STACK).saturating_add(GUARD_GAP);
    top.saturating_sub(room)..top
}

/// The first page that `take` takes, of those near the vDSO that lies in `vdso`, outside of `reserved`.
pub fn near(vdso: &Range<u64>, reserved: &Range<u64>, mut take: impl FnMut(u64) -> bool) -> Option<u64> {
    above(vdso.end, reserved, &mut take).or_else(|| below(vdso.start, reserved, &mut take))
}

fn above(end: u64, reserved: &Range<u64>, take: &mut impl FnMut(u64) -> bool) -> Option<u64> {
    let last = end.saturating_add(REACH).min(CEILING).saturating_sub(PAGE);
    let mut distance = 0_u64;
    loop {
        let mut at = end.saturating_add(distance);
        if reserved.contains(&at) || reserved.contains(&at.saturating_add(PAGE)) {
            at = reserved.end.checked_next_multiple_of(PAGE)?;
        }
        if at > last {
            return None;
        }
        if take(at) {
            return Some(at);
        }
        distance = further(at.saturating_sub(end));
    }
}

fn below(start: u64, reserved: &Range<u64>, take: &mut impl FnMut(u64) -> bool) -> Option<u64> {
    let last = start.saturating_sub(REACH).max(FLOOR);
    let mut distance = 0_u64;
    loop {
        let mut at = start.saturating_sub(distance).saturating_sub(PAGE);
        if reserved.contains(&at) || reserved.contains(&at.saturating_add(PAGE)) {
            at = (reserved.start & !(PAGE - 1)).saturating_sub(PAGE);
        }
        if at < last {
            return None;
        }
        if take(at) {
            return Some(at);
        }
        distance = further(start.saturating_sub(at).saturating_sub(PAGE));
    }
}

/// The next distance to try: by pages near by, by a sixteenth further off, which makes some 250 attempts in all.
fn further(distance: u64) -> u64 {
    distance.saturating_add(PAGE).saturating_add((distance / 16) & !(PAGE - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VDSO: Range<u64> = 0x7ffd_0000_0000..0x7ffd_0000_2000;

    #[test]
    fn the_nearest_page_that_is_taken_is_taken_and_never_the_stack_s_room() {
        assert_eq!(near(&VDSO, &(0..0), |_| true), Some(VDSO.end));
        let stack = stack_room(VDSO.start - 0x10_0000, 8 << 20, u64::MAX);
        assert_eq!(stack.end - stack.start, RAISED_STACK + GUARD_GAP);
        let mut asked = 0;
        let found = near(&VDSO, &stack, |at| {
            asked += 1;
            assert!(
                at.is_multiple_of(PAGE) && !stack.contains(&at) && !stack.contains(&(at + PAGE - 1)),
                "{at:#x}"
            );
            assert!(at.abs_diff(VDSO.start) < REACH + PAGE);
            at < stack.start
        });
        assert!(found.is_some_and(|at| at < stack.start));
        assert!(asked < 400, "{asked}");
    }

    #[test]
    fn where_nothing_is_free_there_is_no_page() {
        assert_eq!(near(&VDSO, &(0..0), |_| false), None);
        assert_eq!(near(&(u64::MAX - 1..u64::MAX), &(0..u64::MAX), |_| false), None);
        assert_eq!(near(&(0..8192), &(0..0), |_| false), None);
    }
}
