//! What is refused before anything is touched.

use std::sync::atomic::{AtomicU32, Ordering};

use falseticker_page::layout::{FLAG_MONO_TRAP, FLAG_MONOTONIC};
use falseticker_page::trap::{TrapCell, TrapLog};

use super::arm::{in_force, name_controller};
use super::armed::flag_mono;
use super::*;
use crate::HostInstant;

#[test]
fn what_cannot_be_meant_is_refused_with_a_remedy() {
    let good = Plan::next_wall_read(Span::from_secs(1));
    good.check().unwrap();
    let chance = |probability| Plan { pick: Pick::Probability { probability, seed: 1 }, ..good };
    chance(1.0).check().unwrap();
    chance(1e-9).check().unwrap();
    let held = |hold| Plan { hold, ..good };
    held(Hold::Node(Span::from_secs(7200))).check().unwrap();
    held(Hold::Briefly).check().unwrap();
    for bad in [
        Plan { pick: Pick::Nth(0), ..good },
        chance(0.0),
        chance(-0.5),
        chance(1.000_001),
        chance(f64::NAN),
        Plan { count: 0, ..good },
        held(Hold::Thread(Span::ZERO)),
        held(Hold::Node(Span::from_secs(-1))),
        held(Hold::Thread(Span::from_secs(3601))),
        Plan { on: On::Connect(0), ..good },
    ] {
        let why = bad.check().expect_err(&format!("{bad:?}"));
        assert!(why.help().is_some(), "{bad:?}");
    }
}

#[test]
fn a_probability_is_its_share_of_all_hashes() {
    let threshold = |probability| {
        let plan = Plan {
            pick: Pick::Probability { probability, seed: 7 },
            ..Plan::next_wall_read(Span::from_secs(1))
        };
        match plan.pick_in_page() {
            falseticker_page::trap::Pick::Chance { threshold, seed: 7 } => threshold,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(threshold(1.0), u64::MAX);
    assert_eq!(threshold(0.5), (1 << 63) - 1);
    assert_eq!(threshold(1e-30), 0);
}

#[test]
fn who_renews_a_trap_that_was_just_ended_leaves_no_flag_behind() {
    let (flags, trap) = (AtomicU32::new(FLAG_MONOTONIC), TrapCell::default());
    flag_mono(&flags, &trap, 1);
    assert_eq!(flags.load(Ordering::Relaxed), FLAG_MONOTONIC);
    // An id is what it is armed by, and 0 is that of nothing.
    flag_mono(&flags, &trap, 0);
    assert_eq!(flags.load(Ordering::Relaxed), FLAG_MONOTONIC | FLAG_MONO_TRAP);
}

#[test]
fn a_trap_is_told_once_readers_are_sent_by_it() {
    let (cell, log, now) = (TrapCell::default(), Box::<TrapLog>::default(), HostInstant::from_nanos(1));
    let trap = falseticker_page::trap::Trap {
        id: 0,
        on: On::Wall,
        pick: falseticker_page::trap::Pick::Nth(1),
        count: 1,
        hold: Span::from_secs(1),
        whole_node: false,
        asked: Span::from_secs(1),
        release: 0,
    };
    cell.arm(&trap, &log, HostInstant::from_nanos(2));
    assert!(cell.armed(now).is_some() && in_force(&cell, now).is_none());
    // As the last thing that arming does.
    name_controller(&cell);
    assert!(in_force(&cell, now).is_some());
}
