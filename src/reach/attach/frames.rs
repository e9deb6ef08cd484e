//! Where the threads of a stopped process will go on: at their instruction pointers, and at those that wait in signal frames.
//!
//! A thread in a signal handler goes on later where the signal has interrupted it, and that is written in a frame on its stack or on the
//! stack that it has for handlers. Nobody has a list of these frames; so the stacks are searched, from each thread's stack
//! pointer upward, for what a frame looks like: an instruction pointer, flags, the code segment.
//!
//! What must hold: what is looked for is found wherever the kernel may have put it. What looks like a frame and is none costs another
//! attempt, no more.
//! What breaks it: a handler that leaves its frame for another stack and comes back to it (swapcontext in a handler), or one
//! that was interrupted more than [`FARTHEST`] below.
//!
//! Source: `struct sigcontext` in the kernel's `arch/x86/include/uapi/asm/sigcontext.h`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::trace::StoppedProcess;
use super::maps::Maps;
use crate::Result;

/// How far above a stack pointer frames are looked for. Stacks are as large as this by default, and mostly end much sooner.
const FARTHEST: u64 = 8 << 20;
/// Below the stack pointer a function may have put things without moving it.
const RED_ZONE: u64 = 128;
/// How much is read at a time.
const PIECE: usize = 64 << 10;

/// The code segment of 64-bit mode, in the low half of the word that follows the flags.
const CODE_64: u64 = 0x33;
/// Of the flags: the bit that is always set, and those that never are.
const FLAGS_SET: u64 = 1 << 1;
const FLAGS_CLEAR: u64 = !0x3f_7fd7;

/// A thread that will go on inside of `danger`, if there is one; of a signal frame it is not known whose it is, but where.
pub(super) fn inside(process: &StoppedProcess, maps: &Maps, danger: &[Range<u64>]) -> Result<Option<Inside>> {
    let is_danger = |rip: u64| danger.iter().any(|range| range.contains(&rip));
    let mut stacks: BTreeMap<u64, u64> = BTreeMap::new();
    for thread in process.threads() {
        let registers = thread.registers()?;
        if is_danger(registers.rip) {
            return Ok(Some(Inside::Thread(thread.tid())));
        }
        let low = registers.rsp.saturating_sub(RED_ZONE) & !7;
        // A stack pointer that leads nowhere has no frames; a program may use that register for something else.
        let Some(end) = maps.end_of(registers.rsp) else { continue };
        let high = end.min(low.saturating_add(FARTHEST));
        stacks.entry(low).and_modify(|end| *end = high.max(*end)).or_insert(high);
    }
    for stack in disjoint(stacks) {
        if let Some(at) = search(process, stack, &is_danger) {
            return Ok(Some(Inside::Frame(at)));
        }
    }
    Ok(None)
}

/// What stands against writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    /// A thread is there.
    Thread(i32),
    /// One will return there from a signal handler.
    Frame(u64),
}

impl std::fmt::Display for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Inside::Thread(tid) => {
                write!(f, "thread {tid} is inside the instructions that would be overwritten")
            }
            Inside::Frame(at) => {
                write!(
                    f,
                    "a signal handler (frame at {at:#x}) will return into the instructions that would be overwritten"
                )
            }
        }
    }
}

/// Ranges that overlap as one: threads of one heap have their stacks in one mapping.
fn disjoint(ranges: BTreeMap<u64, u64>) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match all.last_mut().filter(|last| low <= last.end) {
            Some(last) => last.end = last.end.max(high),
            None => all.push(low..high),
        }
    }
    all
}

/// Where in this stack the first frame is that leads into danger.
fn search(process: &StoppedProcess, stack: Range<u64>, is_danger: &impl Fn(u64) -> bool) -> Option<u64> {
    let mut buffer = vec![0; PIECE];
    let mut at = stack.start;
    while at < stack.end {
        let wanted = usize::try_from(stack.end - at).unwrap_or(PIECE).min(PIECE);
        let there = process.memory().read_some(at, buffer.get_mut(..wanted)?);
        if let Some(offset) = find(buffer.get(..there)?, is_danger) {
            return Some(at + offset as u64);
        }
        // Whatever was cut at the end of this piece is looked at again; what cannot be read ends the stack.
        let step = there.saturating_sub(2 * size_of::<u64>());
        if step == 0 || there < wanted {
            return None;
        }
        at += step as u64;
    }
    None
}

fn find(bytes: &[u8], is_danger: &impl Fn(u64) -> bool) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let is_frame = |three: &[[u8; 8]]| {
        let [rip, flags, segments] = three else { return false };
        is_danger(u64::from_ne_bytes(*rip))
            && is_flags(u64::from_ne_bytes(*flags))
            && u64::from_ne_bytes(*segments) & 0xffff == CODE_64
    };
    words.windows(3).position(is_frame).map(|index| index * 8)
}

fn is_flags(word: u64) -> bool {
    word & FLAGS_SET != 0 && word & FLAGS_CLEAR == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_frame_is_an_instruction_pointer_flags_and_the_segments() {
        let is_danger = |rip: u64| (0x1001..0x1005).contains(&rip);
        let segments = 0x002b_0000_0000_0033;
        let frame = [7, 0x1004, 0x246, segments, 0];
        assert_eq!(find(&bytes(&frame), &is_danger), Some(8));
        for other in [
            [7, 0x1000, 0x246, segments, 0],
            [7, 0x1005, 0x246, segments, 0],
            [7, 0x1004, 0x244, segments, 0],
            [7, 0x1004, 0x7fff_0000_0246, segments, 0],
            [7, 0x1004, 0x246, 0x23, 0],
        ] {
            assert_eq!(find(&bytes(&other), &is_danger), None, "{other:x?}");
        }
        assert_eq!(find(&bytes(&frame[..3]), &is_danger), None, "cut off");
    }

    #[test]
    fn stacks_that_overlap_are_searched_once() {
        let ranges = [(10, 20), (15, 30), (30, 31), (40, 50)].into();
        assert_eq!(disjoint(ranges), [10..31, 40..50]);
    }
}
