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
    let fault = prop_oneof![
        nanos
            .clone()
            .prop_filter("a jump leads somewhere", |by| *by != 0)
            .prop_map(|by| Fault::from(Jump { by: Span::from_nanos(by) })),
        nanos.prop_map(|by| Fault::from(Set { to: NodeInstant::from_nanos(WALL + by) })),
        (-200_i64..200).prop_map(|ppt| Fault::from(Drift { rate: Rate::from_parts(ppt * (1 << 22)) })),
        (1_i64..3_000)
            .prop_map(|ms| Fault::from(Slew::new(Span::from_millis(ms), Rate::from_parts(1 << 30)).unwrap())),
        Just(Fault::from(Stall)),
        (1_i64..500).prop_map(|ms| Fault::from(Strobe {
            amplitude: Span::from_millis(ms),
            period: Span::from_millis(2 * ms)
        })),
    ];
    let lasts = prop::option::of((1_i64..9_000).prop_map(Span::from_millis));
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
        for quarter in 4..(4 * given.len() + 48) {
            let moment = f64::from(u32::try_from(quarter).unwrap()) / 4.0 + 0.0621;
            let last = when.iter().filter(|when| **when <= moment).count();
            let then = one_by_one(&when[..last], &given[..last]);
            prop_assert_eq!(ahead.wall(moment), then.wall(moment), "at {} of {:?}", moment, &given);
        }
        prop_assert_eq!(ahead.tables.changes.len() >= given.len(), true);
        drop(then);
    }
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
