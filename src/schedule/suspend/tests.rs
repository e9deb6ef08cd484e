//! What a suspend makes of a node's clocks.

use super::*;
use crate::fault::{Clocks, Drift, Fault, Jump, Stall, Strobe};
use crate::schedule::{Heal, add_fault, heal};

const WALL: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

fn at(millis: i64) -> HostInstant {
    HostInstant::from_nanos(millis * 1_000_000)
}

fn secs(secs: i64) -> Span {
    Span::from_secs(secs)
}

fn captured() -> Captured {
    Captured {
        wall: Span::from_nanos(WALL),
        boot: secs(100),
        tai: secs(37),
        raw_at: at(0),
        mono_at: at(0),
        mono_per_raw: Rate::TRUE,
        raw_per_mono: Rate::TRUE,
    }
}

/// A node's clocks.
struct Node(Tables);

impl Node {
    fn new() -> Self {
        Node(Tables::new(captured(), at(0)))
    }

    fn fault(self, when: i64, fault: impl Into<Fault>, clocks: Clocks) -> Self {
        Node(add_fault(&self.0, &captured(), at(when), &fault.into(), clocks, None).unwrap())
    }

    fn suspend(self, when: i64, length: i64, wall: WallAfter) -> Self {
        let asked = Suspend { length: secs(length), wall };
        Node(suspend(&self.0, &captured(), at(when), &asked).unwrap())
    }

    fn wake(self, when: i64) -> Self {
        Node(wake(&self.0, &captured(), at(when)).unwrap().unwrap())
    }

    fn call_off(self, when: i64, id: u32) -> Self {
        Node(call_off(&self.0, &captured(), at(when), id).unwrap().unwrap())
    }

    /// By how many milliseconds its clocks are ahead of true ones.
    fn ahead(&self, when: i64) -> [i64; 3] {
        Clock::ALL.map(|clock| {
            let schedule = self.0.schedule(clock);
            let index = falseticker_page::schedule::find(schedule, at(when)).unwrap();
            let segment = schedule.get(index).unwrap();
            if segment.shape == falseticker_page::segment::Shape::True {
                return 0;
            }
            let truth = at(when).saturating_add(captured().of(clock));
            let off = segment.value(at(when)).as_nanos() - truth.as_nanos();
            assert_eq!(off % 1_000_000, 0, "{clock:?}: {off}");
            off / 1_000_000
        })
    }
}

const BY_STEP: WallAfter = WallAfter::Corrected { after: Span::from_secs(2), slew: None };

fn by_slew(after: i64) -> WallAfter {
    WallAfter::Corrected { after: secs(after), slew: Some(Rate::from_parts(1 << 31)) }
}

#[test]
fn the_wall_clock_and_the_monotonic_one_stand_still_and_boot_time_runs_on() {
    let node = Node::new().suspend(1_000, 5, WallAfter::Stale);
    assert_eq!(node.ahead(999), [0, 0, 0]);
    assert_eq!(node.ahead(3_000), [-2_000, -2_000, 0]);
    assert_eq!(node.ahead(6_000), [-5_000, -5_000, 0]);
    assert_eq!(node.ahead(60_000), [-5_000, -5_000, 0]);
}

#[test]
fn the_wall_clock_is_corrected_by_a_step() {
    let node = Node::new().suspend(1_000, 5, BY_STEP);
    assert_eq!(node.ahead(7_999), [-5_000, -5_000, 0]);
    assert_eq!(node.ahead(8_000), [0, -5_000, 0]);
    let at_once = WallAfter::Corrected { after: Span::ZERO, slew: None };
    let node = Node::new().suspend(1_000, 5, at_once);
    assert_eq!(node.ahead(5_999), [-4_999, -4_999, 0]);
    assert_eq!(node.ahead(6_000), [0, -5_000, 0]);
}

#[test]
fn the_wall_clock_is_corrected_by_a_slew() {
    for after in [0, 2] {
        let node = Node::new().suspend(1_000, 5, by_slew(after));
        let begins = 6_000 + 1_000 * after;
        assert_eq!(node.ahead(begins), [-5_000, -5_000, 0]);
        assert_eq!(node.ahead(begins + 5_000), [-2_500, -5_000, 0]);
        assert_eq!(node.ahead(begins + 10_000), [0, -5_000, 0]);
        assert_eq!(node.ahead(begins + 90_000), [0, -5_000, 0]);
    }
}

#[test]
fn a_drift_and_a_jump_go_on_as_they_would_have() {
    let drifting = || {
        let drift = Drift { rate: Rate::from_parts(1 << 32) };
        Node::new().fault(1_000, drift, Clocks::Wall).fault(2_000, Jump { by: secs(60) }, Clocks::Wall)
    };
    let (node, without) = (drifting().suspend(3_000, 5, BY_STEP), drifting());
    assert_eq!(without.ahead(8_000), [67_000, 0, 0]);
    assert_eq!(node.ahead(8_000), [57_000, -5_000, 0], "it loses what it would have gained");
    assert_eq!(node.ahead(20_000), [without.ahead(20_000)[0], -5_000, 0]);
    let all = || Node::new().fault(1_000, Drift { rate: Rate::from_parts(1 << 31) }, Clocks::All);
    assert_eq!(all().suspend(3_000, 2, WallAfter::Stale).ahead(5_000), [-1_000, -1_000, 2_000]);
}

#[test]
fn a_jump_during_it_is_no_part_of_the_correction() {
    let node = Node::new().suspend(1_000, 5, BY_STEP).fault(2_000, Jump { by: secs(60) }, Clocks::Wall);
    assert_eq!(node.ahead(6_000), [55_000, -5_000, 0]);
    assert_eq!(node.ahead(8_000), [60_000, -5_000, 0]);
}

#[test]
fn a_strobe_ends_and_a_temporary_fault_during_it_is_refused() {
    let strobe = Strobe { amplitude: secs(1), period: Span::from_millis(20) };
    let node = Node::new().fault(1_000, strobe, Clocks::Wall).suspend(2_000, 5, BY_STEP);
    assert_eq!(node.ahead(8_000), [-5_000, -5_000, 0]);
    assert_eq!(node.ahead(9_000), [0, -5_000, 0]);
    let stall = |when| add_fault(&node.0, &captured(), at(when), &Stall.into(), Clocks::Wall, None);
    assert!(stall(3_000).unwrap_err().help().is_some());
    assert!(stall(7_000).is_ok());
    let again = Suspend { length: secs(1), wall: WallAfter::Stale };
    assert!(suspend(&node.0, &captured(), at(3_000), &again).unwrap_err().help().is_some());
}

#[test]
fn a_correction_by_a_slew_that_would_begin_during_the_next_one_is_refused() {
    let node = || Node::new().suspend(1_000, 1, by_slew(2));
    let again = |length| Suspend { length: secs(length), wall: WallAfter::Stale };
    let why = suspend(&node().0, &captured(), at(2_500), &again(5)).unwrap_err();
    assert!(why.help().is_some());
    // One that ends before, and one that comes when it has begun, stand still to their ends.
    assert_eq!(node().suspend(2_500, 1, WallAfter::Stale).ahead(3_500), [-2_000, -2_000, 0]);
    assert_eq!(node().suspend(4_000, 5, WallAfter::Stale).ahead(9_000), [-6_000, -6_000, 0]);
}

#[test]
fn woken_sooner_it_has_lost_less_and_is_corrected_sooner() {
    for wall in [BY_STEP, by_slew(2)] {
        let node = Node::new().suspend(1_000, 5, wall).wake(2_500);
        assert_eq!(node.ahead(2_500), [-1_500, -1_500, 0]);
        assert_eq!(node.ahead(4_499), [-1_500, -1_500, 0]);
        let corrected = if wall == BY_STEP { 4_500 } else { 7_500 };
        assert_eq!(node.ahead(corrected), [0, -1_500, 0]);
        assert_eq!(node.ahead(60_000), [0, -1_500, 0]);
        assert!(wake(&node.0, &captured(), at(3_000)).unwrap().is_none());
    }
}

#[test]
fn called_off_it_leaves_every_clock_on_its_old_course() {
    let drift = || Node::new().fault(500, Drift { rate: Rate::from_parts(1 << 31) }, Clocks::Wall);
    for wall in [WallAfter::Stale, BY_STEP, by_slew(0)] {
        let node = drift().suspend(1_000, 5, wall).call_off(1_200, drift().0.last_change + 1);
        assert_eq!(node.ahead(1_200), [350, 0, 0]);
        assert_eq!(node.ahead(20_000), [9_750, 0, 0]);
        // Its end has passed.
        let at_once = WallAfter::Corrected { after: Span::ZERO, slew: None };
        for (wall, behind) in [(WallAfter::Stale, -5_000), (at_once, 0)] {
            let node = Node::new().suspend(1_000, 5, wall);
            assert_eq!(node.ahead(6_500), [behind, -5_000, 0]);
            assert_eq!(node.call_off(7_000, 1).ahead(9_000), [0, 0, 0]);
        }
    }
}

#[test]
fn called_off_while_another_runs_it_gives_back_what_was_lost() {
    let node =
        Node::new().suspend(1_000, 5, WallAfter::Stale).fault(7_000, Stall, Clocks::Wall).call_off(8_000, 1);
    assert_eq!(node.ahead(7_500), [-5_500, -5_000, 0]);
    assert_eq!(node.ahead(8_000), [-1_000, 0, 0]);
    assert_eq!(node.ahead(9_000), [-2_000, 0, 0]);
}

#[test]
fn woken_as_it_begins_it_stops_no_clock() {
    let node = Node::new().suspend(1_000, 5, BY_STEP).wake(1_000);
    assert_eq!(node.ahead(2_000), [0, 0, 0]);
    assert_eq!(node.ahead(9_000), [0, 0, 0]);
}

#[test]
fn a_heal_during_it_ends_it_for_good() {
    let node = Node::new().suspend(1_000, 5, BY_STEP);
    let healed = Node(heal(&node.0, &captured(), at(3_000), Heal::Step).unwrap().unwrap());
    assert_eq!(healed.ahead(3_000), [0, -2_000, 0]);
    assert_eq!(healed.ahead(60_000), [0, -2_000, 0]);
}

#[test]
fn its_record_says_what_it_lost_and_by_what_that_is_put_right() {
    let node = Node::new().suspend(1_000, 5, BY_STEP);
    let suspend = *in_force(&node.0, at(1_000)).unwrap();
    assert_eq!((suspend.amount, suspend.second, suspend.clocks), (5 * SECOND, 5 * SECOND, 3));
    let correction = correction(&node.0, &suspend).unwrap();
    assert_eq!((correction.kind, correction.amount, correction.at), (Kind::Jump, 5 * SECOND, at(8_000)));
    assert!(in_force(&node.0, at(6_000)).is_none());
}
