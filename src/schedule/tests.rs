//! How faults compose, as a specification: each test lays faults over a clock and asks what it shows.

mod ahead;

use falseticker_page::layout::Clock;
use falseticker_page::schedule::value;
use falseticker_page::segment::Shape;
use falseticker_page::time::{HostInstant, NodeInstant, Rate, Span};
use proptest::prelude::*;

use super::{Captured, Heal, Tables, add_fault, heal};
use crate::fault::{Clocks, Drift, Fault, Jump, Set, Slew, Stall, Strobe};
use crate::units::{parse_rate, parse_span};

/// What a true wall clock is ahead of CLOCK_MONOTONIC.
const WALL: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

fn captured(wall: i64) -> Captured {
    Captured {
        wall: Span::from_nanos(wall),
        boot: Span::from_secs(100),
        tai: Span::from_secs(37),
        raw_at: at(0.0),
        mono_at: at(0.0),
        mono_per_raw: Rate::TRUE,
        raw_per_mono: Rate::TRUE,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of a test")]
fn at(seconds: f64) -> HostInstant {
    HostInstant::from_nanos((seconds * 1e9).round() as i64)
}

/// A node's clocks, to which faults are applied at instants of the host.
struct Node {
    tables: Tables,
    host: Captured,
}

impl Node {
    fn new() -> Self {
        Node { tables: Tables::new(captured(WALL), at(0.0)), host: captured(WALL) }
    }

    fn with(mut self, when: f64, fault: impl Into<Fault>) -> Self {
        self.tables = self.apply(when, fault.into(), Clocks::Wall, None).unwrap();
        self
    }

    fn with_for(mut self, when: f64, fault: impl Into<Fault>, lasts: &str) -> Self {
        self.tables = self.apply(when, fault.into(), Clocks::Wall, Some(span(lasts))).unwrap();
        self
    }

    fn with_all(mut self, when: f64, fault: impl Into<Fault>) -> Self {
        self.tables = self.apply(when, fault.into(), Clocks::All, None).unwrap();
        self
    }

    fn apply(&self, when: f64, fault: Fault, clocks: Clocks, lasts: Option<Span>) -> crate::Result<Tables> {
        add_fault(&self.tables, &self.host, at(when), &fault, clocks, lasts)
    }

    fn healed(mut self, when: f64, how: Heal) -> Self {
        self.tables =
            heal(&self.tables, &self.host, at(when), how).unwrap().expect("there is something to heal");
        self
    }

    /// How many nanoseconds a clock is off at an instant.
    fn off(&self, clock: Clock, when: f64) -> i64 {
        let shown = value(self.tables.schedule(clock), at(when)).unwrap();
        if self.is_true(clock, when) {
            let just_after = at(when).saturating_add(Span::from_nanos(1));
            let standing = super::Standing::before(&self.tables, &self.host, clock, just_after);
            assert_eq!(standing.offset, Span::ZERO);
            return 0;
        }
        shown.as_nanos() - at(when).as_nanos() - self.host.of(clock).as_nanos()
    }

    fn wall(&self, when: f64) -> i64 {
        self.off(Clock::Wall, when)
    }

    fn is_true(&self, clock: Clock, when: f64) -> bool {
        let schedule = self.tables.schedule(clock);
        let index = falseticker_page::schedule::find(schedule, at(when)).unwrap();
        schedule[index].shape == Shape::True
    }
}

fn span(text: &str) -> Span {
    parse_span(text).unwrap()
}

fn jump(by: &str) -> Jump {
    Jump { by: span(by) }
}

fn drift(rate: &str) -> Drift {
    Drift { rate: parse_rate(rate).unwrap() }
}

fn slew(by: &str, rate: &str) -> Slew {
    Slew::new(span(by), parse_rate(rate).unwrap()).unwrap()
}

#[test]
fn before_a_fault_takes_effect_nothing_moves() {
    let node = Node::new().with(10.0, jump("-1h"));
    assert!(node.is_true(Clock::Wall, 9.999_999_999));
    assert_eq!(node.wall(10.0), -3600 * SECOND);
}

#[test]
fn jumps_add_up() {
    let node = Node::new().with(10.0, jump("-1h")).with(20.0, jump("+1s"));
    assert_eq!(node.wall(15.0), -3600 * SECOND);
    assert_eq!(node.wall(25.0), -3599 * SECOND);
}

#[test]
fn a_set_replaces_the_offset() {
    let to = NodeInstant::from_nanos(1_600_000_000 * SECOND);
    let node = Node::new().with(10.0, jump("-1h")).with(20.0, Set { to });
    assert_eq!(value(node.tables.schedule(Clock::Wall), at(20.0)), Some(to));
    assert_eq!(
        value(node.tables.schedule(Clock::Wall), at(21.0)),
        Some(to.saturating_add(Span::from_secs(1)))
    );
}

#[test]
fn a_drift_replaces_the_rate_and_twice_2x_is_2x() {
    let node = Node::new().with(10.0, drift("2x")).with(20.0, drift("2x"));
    assert_eq!(node.wall(30.0), 20 * SECOND);
}

#[test]
fn a_change_of_rate_moves_no_clock_by_itself() {
    let node = Node::new().with(10.0, drift("333ppm")).with(10.37, drift("-5%")).with(10.81, drift("1x"));
    for edge in [10.0, 10.37, 10.81] {
        let (before, after) = (node.wall(edge - 1e-9), node.wall(edge));
        assert!((after - before).abs() <= 1, "at {edge}: {before} and then {after}");
    }
}

#[test]
fn what_lasts_a_while_is_undone_by_itself() {
    let node = Node::new().with_for(10.0, jump("-1h"), "5s");
    assert_eq!(node.wall(14.999), -3600 * SECOND);
    assert!(node.is_true(Clock::Wall, 15.0));
    let node = Node::new().with_for(10.0, drift("2x"), "5s");
    assert_eq!(node.wall(100.0), 5 * SECOND, "a drift that ends leaves what it has gained");
}

#[test]
fn the_end_of_a_jump_takes_back_that_jump_alone() {
    let node = Node::new().with_for(10.0, jump("-1h"), "10s").with(15.0, jump("+1s"));
    assert_eq!(node.wall(19.0), -3599 * SECOND);
    assert_eq!(node.wall(21.0), SECOND);
}

#[test]
fn a_set_voids_the_end_of_an_earlier_jump() {
    let to = NodeInstant::from_nanos(WALL);
    let node = Node::new().with_for(10.0, jump("-1h"), "10s").with(15.0, Set { to });
    assert_eq!(node.wall(19.0), node.wall(25.0));
}

#[test]
fn a_set_for_a_while_gives_back_what_the_clock_would_have_shown() {
    let to = NodeInstant::from_nanos(WALL);
    let node = Node::new().with_for(10.0, jump("-1h"), "10s").with_for(15.0, Set { to }, "10s");
    assert_ne!(node.wall(24.9), 0);
    assert_eq!(node.wall(25.0), 0, "the jump has ended meanwhile");
    // The same when a further fault makes the page be laid anew after the jump's end.
    let node = Node::new()
        .with_for(10.0, jump("-1h"), "10s")
        .with_for(15.0, Set { to }, "10s")
        .with(22.0, jump("+1s"));
    assert_eq!(node.wall(25.0), SECOND);
}

#[test]
fn a_drift_for_a_while_gives_back_the_rate_of_the_one_before() {
    let node = Node::new().with_for(10.0, drift("2x"), "20s").with_for(15.0, drift("3x"), "5s");
    assert_eq!(node.wall(15.0), 5 * SECOND);
    assert_eq!(node.wall(20.0), 15 * SECOND);
    assert_eq!(node.wall(30.0), 25 * SECOND);
    assert_eq!(node.wall(40.0), 25 * SECOND, "both have ended");
}

#[test]
fn a_drift_that_ended_under_another_does_not_come_back() {
    let node = Node::new().with_for(10.0, drift("2x"), "5s").with_for(12.0, drift("3x"), "10s");
    assert_eq!(node.wall(22.0), 2 * SECOND + 20 * SECOND);
    assert_eq!(node.wall(30.0), 22 * SECOND);
}

#[test]
fn a_stall_leaves_the_clock_behind_by_its_length() {
    let node = Node::new().with_for(10.0, Stall, "3s");
    assert_eq!(node.wall(11.0), -SECOND);
    assert_eq!(node.wall(13.0), -3 * SECOND);
    assert_eq!(node.wall(20.0), -3 * SECOND);
}

#[test]
fn a_new_temporary_fault_ends_the_old_one() {
    let node = Node::new().with_for(10.0, Stall, "10s").with_for(12.0, slew("+1s", "50%"), "10s");
    assert_eq!(node.wall(12.0), -2 * SECOND);
    assert_eq!(node.wall(14.0), -SECOND);
    assert_eq!(node.wall(30.0), -SECOND, "the stall's own end is void");
}

#[test]
fn when_a_temporary_fault_ends_the_base_rate_is_in_force_again() {
    let node = Node::new().with(5.0, drift("2x")).with_for(10.0, Stall, "5s");
    assert_eq!(node.wall(10.0), 5 * SECOND);
    assert_eq!(node.wall(15.0), 0);
    assert_eq!(node.wall(20.0), 5 * SECOND);
}

#[test]
fn a_drift_under_a_stall_is_in_force_when_the_stall_ends() {
    let node = Node::new().with_for(10.0, Stall, "10s").with(15.0, drift("2x"));
    assert_eq!(node.wall(20.0), -10 * SECOND);
    assert_eq!(node.wall(25.0), -5 * SECOND);
}

#[test]
fn a_slew_ends_exactly_where_it_leads() {
    for (by, rate, length) in [("+1s", "500ppm", 2000.0), ("-250ms", "10%", 2.5), ("+7ns", "200ppm", 0.1)] {
        let node = Node::new().with(10.0, slew(by, rate));
        assert_eq!(node.wall(10.0 + length + 0.1), span(by).as_nanos(), "{by} at {rate}");
    }
}

#[test]
fn a_slew_that_is_cut_short_keeps_what_it_gained() {
    let node = Node::new().with_for(10.0, slew("+10s", "50%"), "4s");
    assert_eq!(node.wall(30.0), 2 * SECOND);
}

#[test]
fn a_strobe_goes_there_and_back() {
    let strobe = Strobe { amplitude: span("+100ms"), period: span("20ms") };
    let node = Node::new().with_for(10.0, strobe, "1s");
    assert_eq!(node.wall(10.005), 100_000_000);
    assert_eq!(node.wall(10.015), 0);
    assert_eq!(node.wall(10.025), 100_000_000);
    assert!(node.is_true(Clock::Wall, 11.0));
}

#[test]
fn faults_touch_the_wall_clock_alone_unless_asked() {
    let node = Node::new().with(10.0, drift("2x"));
    assert!(node.is_true(Clock::Mono, 20.0) && node.is_true(Clock::Boot, 20.0));
    let node = Node::new().with_all(10.0, drift("2x"));
    for clock in Clock::ALL {
        assert_eq!(node.off(clock, 20.0), 10 * SECOND);
    }
}

#[test]
fn a_heal_steps_the_wall_clock_home_and_cancels_what_is_planned() {
    let node = Node::new().with_for(10.0, jump("-1h"), "1h").with(11.0, drift("2x")).healed(20.0, Heal::Step);
    assert!(node.is_true(Clock::Wall, 20.0));
    assert!(node.is_true(Clock::Wall, 1e6));
}

#[test]
fn a_heal_can_lead_the_wall_clock_home() {
    let node = Node::new().with(10.0, jump("-1s")).with(11.0, drift("200ppm"));
    let node = node.healed(20.0, Heal::Slew(parse_rate("10%").unwrap()));
    assert!(node.wall(20.0) < -900_000_000);
    assert!(node.wall(25.0) > -600_000_000 && node.wall(25.0) < -400_000_000);
    assert!(node.is_true(Clock::Wall, 31.0));
}

#[test]
fn a_heal_ends_the_rates_of_monotonic_clocks_and_keeps_their_offsets() {
    let node = Node::new().with_all(10.0, drift("2x")).healed(20.0, Heal::Step);
    assert!(node.is_true(Clock::Wall, 20.0));
    assert_eq!(node.off(Clock::Mono, 20.0), 10 * SECOND);
    assert_eq!(node.off(Clock::Mono, 30.0), 10 * SECOND);
    let again = heal(&node.tables, &node.host, at(40.0), Heal::Step).unwrap();
    assert!(again.is_none(), "there is nothing left to heal");
}

#[test]
fn a_monotonic_clock_that_was_faulted_is_never_the_hosts_own_again() {
    let node = Node::new().with_all(10.0, slew("+1s", "50%")).with_all(20.0, slew("-1s", "50%"));
    assert_eq!(node.off(Clock::Mono, 30.0), 0);
    assert!(!node.is_true(Clock::Mono, 30.0) && node.is_true(Clock::Wall, 30.0));
}

#[test]
fn after_a_heal_no_earlier_fault_comes_back() {
    let node = Node::new().with_for(10.0, jump("-1h"), "1m").with_for(11.0, drift("2x"), "1m");
    let node = node.healed(20.0, Heal::Step).with(30.0, jump("+1s"));
    assert_eq!(node.wall(31.0), SECOND);
    assert_eq!(node.wall(200.0), SECOND);
}

#[test]
fn a_step_of_the_host_is_followed_at_the_next_change() {
    let mut node = Node::new().with(10.0, jump("-1h"));
    node.host = captured(WALL + 5 * SECOND);
    assert_eq!(node.wall(15.0), -3605 * SECOND, "not before");
    let node = node.with(20.0, drift("2x"));
    assert_eq!(node.wall(20.0), -3600 * SECOND);
}

#[test]
fn a_rate_that_would_run_the_clock_backward_is_refused_and_nothing_is_laid() {
    let node = Node::new().with(10.0, drift("0.2x"));
    assert!(node.apply(20.0, slew("-1s", "50%").into(), Clocks::Wall, None).is_err());
}

#[test]
fn a_jump_out_of_range_is_refused_with_the_range() {
    let refused =
        Node::new().apply(10.0, jump("+260y".replace("260y", "94900d").as_str()).into(), Clocks::Wall, None);
    assert!(refused.unwrap_err().to_string().contains("2262"));
}

fn any_fault() -> impl Strategy<Value = (Fault, Option<Span>)> {
    let spans = -5_000_000_000_i64..5_000_000_000;
    let rate = -2_000_000_000_i64..8_000_000_000;
    let fault = prop_oneof![
        spans.clone().prop_map(|by| Fault::from(Jump { by: Span::from_nanos(by) })),
        spans.prop_map(|to| Fault::from(Set { to: NodeInstant::from_nanos(WALL + to) })),
        rate.prop_map(|parts| Fault::from(Drift { rate: Rate::from_parts(parts) })),
        (1..2_000_000_000_i64, 1..1_000_000_000_i64).prop_map(|(by, rate)| {
            Fault::from(Slew::new(Span::from_nanos(by), Rate::from_parts(rate)).unwrap())
        }),
        Just(Fault::from(Stall)),
        (1..100_000_000_i64, 1_000..100_000_000_i64).prop_map(|(amplitude, period)| {
            Fault::from(Strobe { amplitude: Span::from_nanos(amplitude), period: Span::from_nanos(period) })
        }),
    ];
    (fault, proptest::option::of((1..3_000_000_000_i64).prop_map(Span::from_nanos)))
}

proptest! {
    #[test]
    fn what_was_before_a_change_stays_as_it_was(faults in prop::collection::vec((any_fault(), 1..900_u32), 1..12)) {
        let mut node = Node::new();
        let mut when = 10.0;
        for ((fault, lasts), gap) in faults {
            when += f64::from(gap) / 1000.0;
            let Ok(new) = node.apply(when, fault, Clocks::Wall, lasts) else { continue };
            let probes = (1..20).map(|step| when - f64::from(step) / 25.0);
            for probe in probes.filter(|probe| *probe > 0.0) {
                prop_assert_eq!(
                    value(node.tables.schedule(Clock::Wall), at(probe)),
                    value(new.schedule(Clock::Wall), at(probe))
                );
            }
            node.tables = new;
        }
    }

    #[test]
    fn a_heal_ends_everything_whatever_came_before(faults in prop::collection::vec((any_fault(), 1..900_u32), 1..12)) {
        let mut node = Node::new();
        let mut when = 10.0;
        for ((fault, lasts), gap) in faults {
            when += f64::from(gap) / 1000.0;
            if let Ok(new) = node.apply(when, fault, Clocks::Wall, lasts) {
                node.tables = new;
            }
        }
        if let Some(healed) = heal(&node.tables, &node.host, at(when + 1.0), Heal::Step).unwrap() {
            node.tables = healed;
        }
        for later in [1.0, 2.0, 10.0, 1e5] {
            prop_assert!(node.is_true(Clock::Wall, when + later));
        }
    }

    #[test]
    fn monotonic_clocks_never_run_backward(faults in prop::collection::vec((any_fault(), 1..900_u32), 1..12)) {
        let mut node = Node::new();
        let mut when = 10.0;
        for ((fault, lasts), gap) in faults {
            when += f64::from(gap) / 1000.0;
            if fault.check(Clocks::All, lasts.is_some()).is_ok()
                && let Ok(new) = node.apply(when, fault, Clocks::All, lasts)
            {
                node.tables = new;
            }
        }
        let schedule = node.tables.schedule(Clock::Mono);
        let mut instants: Vec<i64> = schedule.iter().map(|segment| segment.from.as_nanos()).collect();
        instants.extend(schedule.iter().map(|segment| segment.from.as_nanos().saturating_sub(1)));
        instants.extend((0..2000).map(|step| at(9.0).as_nanos() + step * 10_000_019));
        instants.sort_unstable();
        let shown: Vec<_> = instants.iter().map(|at| value(schedule, HostInstant::from_nanos(*at))).collect();
        prop_assert!(shown.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
