//! CLOCK_MONOTONIC_RAW, which runs at another rate than the clock that schedules are laid over.
//!
//! A host read of RAW is carried to CLOCK_MONOTONIC by an affine map that the page holds, through the schedule, and
//! back by the inverse map: one host read, and monotone as the schedule is.
#![allow(unsafe_code)]
// Sound because the caller's pointer is the caller's.

use core::sync::atomic::Ordering;

use falseticker_page::latch::{READ_ATTEMPTS, read_once};
use falseticker_page::layout::{Clock, Page};
use falseticker_page::segment::Shape;
use falseticker_page::time::{HostInstant, NodeInstant, Rate, saturate};

use super::cold::{host_instant, look_up, remember, still_true, store};
use super::host;
use crate::abi::{Timespec, clock};
use crate::load;
use crate::state::STATE;
use crate::trap;

/// The affine map between RAW and MONOTONIC, as of a publication.
struct Map {
    raw_at: i64,
    mono_at: i64,
    mono_per_raw: Rate,
    raw_per_mono: Rate,
}

impl Map {
    #[expect(clippy::cast_possible_wrap, reason = "words hold signed numbers bit by bit")]
    fn load(page: &Page) -> Option<Self> {
        read_once(&page.header.word, |word| {
            let head = &page.slot(word).head;
            Map {
                raw_at: head.raw_at.load(Ordering::Relaxed) as i64,
                mono_at: head.mono_at.load(Ordering::Relaxed) as i64,
                mono_per_raw: Rate::from_parts(head.mono_per_raw.load(Ordering::Relaxed) as i64),
                raw_per_mono: Rate::from_parts(head.raw_per_mono.load(Ordering::Relaxed) as i64),
            }
        })
        .map(|(_, map)| map)
    }

    fn to_mono(&self, raw: HostInstant) -> HostInstant {
        HostInstant::from_nanos(carry(raw.as_nanos(), self.raw_at, self.mono_at, self.mono_per_raw))
    }

    /// Both ways round down, so two nanoseconds are given back: RAW must not step back when the schedule begins.
    fn to_raw(&self, mono: NodeInstant) -> NodeInstant {
        let carried = carry(mono.as_nanos(), self.mono_at, self.raw_at, self.raw_per_mono);
        NodeInstant::from_nanos(carried.saturating_add(2))
    }
}

/// `to` plus the time since `from`, as a clock of that rate counts it.
fn carry(at: i64, from: i64, to: i64, rate: Rate) -> i64 {
    let elapsed = i128::from(at) - i128::from(from);
    saturate(i128::from(to) + elapsed + rate.gained(elapsed))
}

/// Reads CLOCK_MONOTONIC_RAW.
///
/// # Safety
/// `to` is the caller's pointer, as for `clock_gettime`.
pub unsafe fn read(to: *mut Timespec) -> i32 {
    load::ensure();
    if let Some(page) = STATE.page().filter(|page| page.monotonic()) {
        for _ in 0..READ_ATTEMPTS {
            let Some(raw) = host_instant(clock::MONOTONIC_RAW) else { break };
            let Some(map) = Map::load(page) else { continue };
            let now = map.to_mono(raw);
            let Some(found) = look_up(page, Clock::Mono, now) else { continue };
            remember(Clock::Mono, &found, now);
            if found.segment.shape == Shape::True {
                if still_true(page, &found, clock::MONOTONIC) {
                    // SAFETY: the caller's contract.
                    unsafe { store(NodeInstant::from_nanos(raw.as_nanos()), to) };
                    trap::after_read(Clock::Mono, now);
                    return 0;
                }
                continue;
            }
            // SAFETY: the caller's contract.
            unsafe { store(map.to_raw(found.segment.value(now)), to) };
            trap::after_read(Clock::Mono, now);
            return 0;
        }
    }
    // SAFETY: the caller's contract.
    let result = unsafe { host(clock::MONOTONIC_RAW, to) };
    if result == 0
        && STATE.page().is_some_and(|page| page.header.trap.id() != 0)
        && let Some(now) = host_instant(clock::MONOTONIC)
    {
        trap::after_read(Clock::Mono, now);
    }
    result
}
