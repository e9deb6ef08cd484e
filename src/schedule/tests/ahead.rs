//! Changes that are planned ahead mean what they would mean given one by one at their instants.

use super::*;
use crate::schedule::{Planned, What, plan_changes};

/// What is given at an instant: a fault, perhaps for a time, or a heal.
#[derive(Clone, Debug)]
enum Given {
    Fault(Fault, Option<Span>),
    Heal,
}

fn given() -> impl Strategy<Value = Given> {
    let nanos = -5_000_000_000_i64..5_000_000_000;
    // Half of them end at the very instants at which others begin.
    let millis = || prop_oneof![1_i64..9_000, (1_i64..36).prop_map(|quarters| 250 * quarters)];
    let fault = prop_oneof![
        nanos
            .clone()
            .prop_filter("a jump leads somewhere", |by| *by != 0)
            .prop_map(|by| Fault::from(Jump { by: Span::from_nanos(by) })),
        nanos.prop_map(|by| Fault::from(Set { to: NodeInstant::from_nanos(WALL + by) })),
        (-200_i64..200).prop_map(|ppt| Fault::from(Drift { rate: Rate::from_parts(ppt * (1 << 22)) })),
        millis()
            .prop_map(|ms| Fault::from(Slew::new(Span::from_millis(ms), Rate::from_parts(1 << 30)).unwrap())),
        Just(Fault::from(Stall)),
        (1_i64..500).prop_map(|ms| Fault::from(Strobe {
            amplitude: Span::from_millis(ms),
            period: Span::from_millis(2 * ms)
        })),
    ];
    let lasts = prop::option::of(millis().prop_map(Span::from_millis));
    prop_oneof![6 => (fault, lasts).prop_map(|(fault, lasts)| Given::Fault(fault, lasts)), 1 => Just(Given::Heal)]
}

fn all_at_once(when: &[f64], given: &[Given]) -> Node {
    let planned: Vec<Planned> = when
        .iter()
        .zip(given)
        .map(|(when, given)| Planned {
            at: at(*when),
            what: match given {
                Given::Fault(fault, lasts) => What::Fault(*fault, Clocks::Wall, *lasts),
                Given::Heal => What::Heal,
            },
        })
        .collect();
    let node = Node::new();
    let (tables, ids) = plan_changes(&node.tables, &node.host, at(0.5), &planned).unwrap();
    assert_eq!(ids.len(), planned.len());
    Node { tables, ..node }
}

fn one_by_one(when: &[f64], given: &[Given]) -> Node {
    let mut node = Node::new();
    for (when, given) in when.iter().zip(given) {
        node = match given {
            Given::Fault(fault, lasts) => {
                Node { tables: node.apply(*when, *fault, Clocks::Wall, *lasts).unwrap(), ..node }
            }
            Given::Heal => match heal(&node.tables, &node.host, at(*when), Heal::Step).unwrap() {
                Some(tables) => Node { tables, ..node },
                None => node,
            },
        };
    }
    node
}

proptest! {
    #[test]
    fn all_at_once_is_as_one_by_one(given in prop::collection::vec(given(), 1..8)) {
        let when: Vec<f64> = (1..=given.len()).map(|second| second as f64).collect();
        let (ahead, then) = (all_at_once(&when, &given), one_by_one(&when, &given));
        // In the second after each of them, where the others cannot have begun: what the clock shows there is final.
        for moment in 8..(8 * given.len() + 96) {
            let (quarter, after) = (moment / 2, if moment % 2 == 0 { 0.0 } else { 0.0621 });
            let moment = f64::from(u32::try_from(quarter).unwrap()) / 4.0 + after;
            let last = when.iter().filter(|when| **when <= moment).count();
            let then = one_by_one(&when[..last], &given[..last]);
            prop_assert_eq!(ahead.wall(moment), then.wall(moment), "at {} of {:?}", moment, &given);
        }
        prop_assert_eq!(ahead.tables.changes.len() >= given.len(), true);
        drop(then);
    }
}

#[test]
fn a_fault_that_begins_as_another_ends_does_not_end_it_twice() {
    let node = Node::new().with_for(1.0, jump("-1h"), "1s").with(2.0, drift("2x"));
    assert_eq!(node.wall(2.0), 0);
    assert_eq!(node.wall(3.0), SECOND);
    let node = Node::new().with_for(1.0, jump("-1h"), "1s").healed(2.0, Heal::Step);
    assert!(node.is_true(Clock::Wall, 2.0));
}

#[test]
fn a_slew_by_less_than_its_rate_gains_in_a_nanosecond_is_over_at_once() {
    let node = Node::new().with(1.0, slew("1ns", "3x"));
    assert_eq!(node.wall(1.0), 1);
    assert_eq!(node.wall(3.0), 1);
    let node = Node::new().with(1.0, Stall).with(2.0, slew("1ns", "3x"));
    assert_eq!(node.wall(3.0), 1 - SECOND, "it has ended the stall");
}

#[test]
fn a_slew_that_is_there_as_the_next_begins_went_its_whole_way() {
    let node = Node::new().with(1.0, slew("-1s", "75%"));
    let there = node.tables.changes[0].until;
    let node = Node {
        tables: add_fault(&node.tables, &node.host, there, &Stall.into(), Clocks::Wall, None).unwrap(),
        ..node
    };
    let shown = value(node.tables.schedule(Clock::Wall), there).unwrap();
    assert_eq!(shown.as_nanos() - there.as_nanos() - WALL, -SECOND);
}

#[test]
fn a_planned_heal_leads_home_whatever_would_have_ended_later() {
    let faults = [
        Given::Fault(jump("-5s").into(), Some(span("10s"))),
        Given::Fault(drift("2x").into(), None),
        Given::Fault(Stall.into(), Some(span("30s"))),
        Given::Heal,
        Given::Fault(jump("1s").into(), Some(span("1s"))),
    ];
    let node = all_at_once(&[1.0, 2.0, 3.0, 4.0, 8.0], &faults);
    assert_eq!(node.wall(3.9) / SECOND, -4);
    for moment in [4.0, 5.0, 7.9, 9.0, 11.0, 12.0, 40.0] {
        assert!(node.is_true(Clock::Wall, moment), "at {moment}");
    }
    assert_eq!(node.wall(8.5), SECOND);
}

#[test]
fn a_fault_that_comes_meanwhile_is_ended_by_the_planned_heal() {
    let node = all_at_once(&[5.0, 6.0], &[Given::Heal, Given::Fault(jump("3s").into(), None)]);
    let node = node.with_for(2.0, jump("-1h"), "1h").with(3.0, drift("1.5x"));
    assert!(node.wall(4.0) < -3_500 * SECOND);
    assert!(node.is_true(Clock::Wall, 5.5));
    assert_eq!(node.wall(7.0), 3 * SECOND);
    assert_eq!(node.wall(4_000.0), 3 * SECOND);
}

#[test]
fn what_a_page_cannot_remember_and_what_is_over_is_refused() {
    let node = Node::new();
    let many =
        vec![
            Planned { at: at(2.0), what: What::Fault(jump("1s").into(), Clocks::Wall, Some(span("1s"))) };
            513
        ];
    let planned = |planned: &[Planned]| plan_changes(&node.tables, &node.host, at(1.0), planned);
    assert!(planned(&many[..512]).is_ok());
    assert!(planned(&many).unwrap_err().help().is_some());
    assert!(planned(&[Planned { at: at(0.9), what: What::Heal }]).unwrap_err().help().is_some());
}

proptest! {
    #[test]
    fn to_lay_a_clock_anew_changes_nothing(
        given in prop::collection::vec(given(), 1..8),
        edge in any::<prop::sample::Index>(),
        beside in -1_i64..=1,
    ) {
        let when: Vec<f64> = (1..=given.len()).map(|second| second as f64).collect();
        let node = all_at_once(&when, &given);
        for clock in Clock::ALL {
            let laid = node.tables.schedule(clock);
            let from = edge.get(laid).from.max(at(0.5)).saturating_add(Span::from_nanos(beside));
            let anew = super::super::plan::compile(&node.tables, &node.host, clock, from).unwrap().segments;
            let edges = laid.iter().map(|segment| segment.from);
            for moment in edges.flat_map(|edge| [edge, edge.saturating_add(Span::from_nanos(-1))]) {
                if moment >= from {
                    prop_assert_eq!(value(laid, moment), value(anew.as_slice(), moment), "{:?} at {:?}, anew from {:?}", clock, moment, from);
                }
            }
        }
    }
}
