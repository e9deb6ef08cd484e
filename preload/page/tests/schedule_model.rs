//! The schedule against a model in 128 bits: `g(t) = t + offset + floor(rate * elapsed / 2^32)`, a strobe told by how
//! many of its half periods are over. The model shares no arithmetic with the crate: it divides where the crate
//! shifts, searches from the end where the crate bisects, and scans where the crate inverts.
#![cfg(not(loom))]

use falseticker_page::change::{Change, ChangeCell, Kind};
use falseticker_page::schedule::{find, reaches, value};
use falseticker_page::segment::{Segment, SegmentCell, Shape};
use falseticker_page::time::{HostInstant, NodeInstant, Rate, Span};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;
const YEAR: i64 = 365 * 86_400 * SECOND;

/// What the clock shows by one segment, before it is held within 64 bits.
fn model_unbounded(segment: &Segment, at: i64) -> i128 {
    let at = i128::from(at);
    let elapsed = at - i128::from(segment.from.as_nanos());
    let gained = || (i128::from(segment.rate.as_parts()) * elapsed).div_euclid(1 << 32);
    let shown = at + i128::from(segment.offset.as_nanos());
    match segment.shape {
        Shape::True => shown,
        Shape::Linear => shown + gained(),
        Shape::Strobe { amplitude, period } => {
            let period = i128::from(period.as_nanos());
            // A half is over at each middle of a period (rounded down), and another at each end of one.
            let halves_over = (elapsed - period / 2).div_euclid(period) + 1 + elapsed.div_euclid(period);
            let ahead = halves_over.rem_euclid(2) == 0;
            shown + gained() + if ahead { i128::from(amplitude.as_nanos()) } else { 0 }
        }
    }
}

fn model_value(segments: &[Segment], at: i64) -> Option<i64> {
    let index = model_find(segments, at)?;
    let shown = model_unbounded(&segments[index], at);
    let held = shown.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    i64::try_from(held).ok()
}

fn model_find(segments: &[Segment], at: i64) -> Option<usize> {
    segments.iter().rposition(|segment| segment.from.as_nanos() <= at)
}

fn value_at(segments: &[Segment], at: i64) -> Option<i64> {
    value(segments, HostInstant::from_nanos(at)).map(NodeInstant::as_nanos)
}

fn reached_at(segments: &[Segment], target: i64, since: i64) -> Option<i64> {
    reaches(segments, NodeInstant::from_nanos(target), HostInstant::from_nanos(since))
        .map(HostInstant::as_nanos)
}

fn cells(segments: &[Segment]) -> Vec<SegmentCell> {
    segments
        .iter()
        .map(|segment| {
            let cell = SegmentCell::default();
            cell.store(segment);
            cell
        })
        .collect()
}

/// A segment from its figures; of a strobe, as stored, the base rate is the rate.
fn segment(from: i64, offset: i64, rate: i64, shape: Shape) -> Segment {
    Segment {
        from: HostInstant::from_nanos(from),
        until_sec: i64::MAX,
        shape,
        offset: Span::from_nanos(offset),
        rate: Rate::from_parts(rate),
        base_rate: Rate::from_parts(rate),
        change: 0,
    }
}

/// An instant: small, of a machine that is up, or by either end of the range.
fn instants() -> impl Strategy<Value = i64> {
    prop_oneof![
        2 => -1000_i64..1000,
        4 => 0..10 * YEAR,
        1 => i64::MIN..i64::MIN + 10 * SECOND,
        1 => i64::MAX - 10 * SECOND..=i64::MAX,
        1 => any::<i64>(),
    ]
}

/// The rates that a schedule accepts, from standstill to 1000x.
fn rates() -> impl Strategy<Value = i64> {
    let (standstill, fastest) = (Rate::STANDSTILL.as_parts(), Rate::MAX.as_parts());
    prop_oneof![
        Just(0),
        Just(standstill),
        Just(standstill + 1),
        Just(fastest),
        -4_294_967_i64..4_294_967,
        standstill..=fastest,
    ]
}

/// Gaps between the starts of segments, the empty one among them.
fn gaps() -> impl Strategy<Value = i64> {
    prop_oneof![
        1 => Just(0_i64),
        2 => 1_i64..50,
        4 => 1..100 * SECOND,
        1 => 0..200 * YEAR,
    ]
}

fn spans() -> impl Strategy<Value = i64> {
    prop_oneof![-1000_i64..1000, -YEAR..YEAR, any::<i64>()]
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        1 => Just(Shape::True),
        3 => Just(Shape::Linear),
        2 => (spans(), prop_oneof![2_i64..50, 2..10 * SECOND, 2..=i64::MAX]).prop_map(|(amplitude, period)| {
            Shape::Strobe {
                amplitude: Span::from_nanos(amplitude),
                period: Span::from_nanos(period),
            }
        }),
    ]
}

/// Any schedule of up to 60 segments, its starts in order.
fn schedules() -> impl Strategy<Value = Vec<Segment>> {
    let pieces = prop::collection::vec((gaps(), spans(), rates(), shapes()), 1..=60);
    (instants(), pieces).prop_map(|(first, pieces)| {
        let mut from = first;
        pieces
            .into_iter()
            .map(|(gap, offset, rate, shape)| {
                from = from.saturating_add(gap);
                segment(from, offset, rate, shape)
            })
            .collect()
    })
}

/// A schedule that never runs backward: each segment takes over where the last one is, or a step ahead of it.
fn monotonic_schedules() -> impl Strategy<Value = Vec<Segment>> {
    let ahead = prop_oneof![3 => Just(0_i64), 1 => 0..YEAR];
    let pieces = prop::collection::vec((gaps(), ahead, rates()), 1..=60);
    (instants(), -YEAR..YEAR, pieces).prop_map(|(first, offset, pieces)| {
        let mut segments: Vec<Segment> = vec![segment(first, offset, pieces[0].2, Shape::Linear)];
        for (gap, ahead, rate) in pieces.into_iter().skip(1) {
            let last = &segments[segments.len() - 1];
            let Some(from) = last.from.as_nanos().checked_add(gap) else {
                break;
            };
            let shown = model_unbounded(last, from) + i128::from(ahead);
            let Ok(offset) = i64::try_from(shown - i128::from(from)) else {
                break;
            };
            segments.push(segment(from, offset, rate, Shape::Linear));
        }
        segments
    })
}

/// Schedules whose whole life is a few thousand nanoseconds, for a scan of every instant of it.
fn small_schedules() -> impl Strategy<Value = Vec<Segment>> {
    let shape = prop_oneof![
        Just(Shape::True),
        Just(Shape::Linear),
        (-60_i64..60, 2_i64..40).prop_map(|(amplitude, period)| Shape::Strobe {
            amplitude: Span::from_nanos(amplitude),
            period: Span::from_nanos(period),
        }),
    ];
    let rate =
        prop_oneof![Just(0_i64), Just(Rate::STANDSTILL.as_parts()), Rate::STANDSTILL.as_parts()..(3 << 32),];
    prop::collection::vec((0_i64..200, -150_i64..150, rate, shape), 1..=8).prop_map(|pieces| {
        let mut from = 0;
        pieces
            .into_iter()
            .map(|(gap, offset, rate, shape)| {
                from += gap;
                segment(from, offset, rate, shape)
            })
            .collect()
    })
}

/// Instants that matter to a schedule: its starts and their neighbours, and those given.
fn probes(segments: &[Segment], more: &[i64]) -> Vec<i64> {
    let starts = segments.iter().flat_map(|segment| {
        let from = segment.from.as_nanos();
        [from.saturating_sub(1), from, from.saturating_add(1)]
    });
    starts.chain(more.iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_clock_shows_what_the_model_shows_to_the_nanosecond(
        segments in schedules(),
        more in prop::collection::vec(instants(), 20),
    ) {
        let cells = cells(&segments);
        for at in probes(&segments, &more) {
            let expected = model_value(&segments, at);
            prop_assert_eq!(value_at(&segments, at), expected, "at {}", at);
            let in_memory = value(&cells[..], HostInstant::from_nanos(at)).map(NodeInstant::as_nanos);
            prop_assert_eq!(in_memory, expected, "from cells, at {}", at);
        }
    }

    #[test]
    fn rates_beyond_those_that_are_accepted_are_still_exact(
        from in instants(),
        offset in spans(),
        rate in any::<i64>(),
        at in instants(),
    ) {
        let segments = [segment(from, offset, rate, Shape::Linear)];
        prop_assert_eq!(value_at(&segments, at), model_value(&segments, at));
    }

    #[test]
    fn the_segment_in_force_is_the_last_one_that_starts_no_later(
        segments in schedules(),
        more in prop::collection::vec(instants(), 20),
    ) {
        let cells = cells(&segments);
        for at in probes(&segments, &more) {
            let expected = model_find(&segments, at);
            prop_assert_eq!(find(&segments[..], HostInstant::from_nanos(at)), expected);
            prop_assert_eq!(find(&cells[..], HostInstant::from_nanos(at)), expected);
        }
    }

    #[test]
    fn a_monotonic_schedule_never_runs_backward(
        segments in monotonic_schedules(),
        more in prop::collection::vec(instants(), 40),
    ) {
        let mut instants = probes(&segments, &more);
        instants.sort_unstable();
        let shown: Vec<_> = instants.iter().map(|at| value_at(&segments, *at)).collect();
        for (pair, at) in shown.windows(2).zip(&instants) {
            prop_assert!(pair[0] <= pair[1], "from {:?} to {:?} after {}", pair[0], pair[1], at);
        }
    }

    #[test]
    fn a_monotonic_clock_reaches_at_the_first_instant_that_shows_the_target(
        segments in monotonic_schedules(),
        index in any::<prop::sample::Index>(),
        beyond in prop_oneof![0_i64..100, 0..YEAR],
        near in -3_i64..=3,
        since in instants(),
    ) {
        // A target that some instant shows, or all but shows.
        let some = index.get(&segments).from.as_nanos().saturating_add(beyond);
        let Some(target) = value_at(&segments, some).map(|shown| shown.saturating_add(near)) else {
            return Ok(());
        };
        for since in [since, some.saturating_sub(beyond), segments[0].from.as_nanos()] {
            let covered = since.max(segments[0].from.as_nanos());
            match reached_at(&segments, target, since) {
                Some(at) => {
                    prop_assert!(at >= covered);
                    prop_assert!(model_value(&segments, at) >= Some(target), "not yet at {}", at);
                    if at > covered {
                        prop_assert!(model_value(&segments, at - 1) < Some(target), "already before {}", at);
                    }
                }
                None => prop_assert!(model_value(&segments, i64::MAX) < Some(target)),
            }
        }
    }

    #[test]
    fn any_clock_reaches_at_an_instant_that_shows_the_target_and_no_probe_before_it_does(
        segments in schedules(),
        target in prop_oneof![spans(), instants()],
        since in instants(),
        more in prop::collection::vec(instants(), 20),
    ) {
        let reached = reached_at(&segments, target, since);
        if let Some(at) = reached {
            prop_assert!(at >= since);
            prop_assert!(model_value(&segments, at) >= Some(target), "not yet at {}", at);
        }
        let mut probes = probes(&segments, &more);
        probes.extend([since, since.saturating_add(1), i64::MAX - 1, i64::MAX]);
        // The instant before, and those half a period before, are where an earlier answer would be.
        probes.extend(reached.map(|at| at.saturating_sub(1)));
        for segment in &segments {
            if let (Shape::Strobe { period, .. }, Some(at)) = (segment.shape, reached) {
                let half = period.as_nanos() / 2;
                probes.extend([half, half + 1, period.as_nanos()].map(|back| at.saturating_sub(back)));
            }
        }
        for probe in probes {
            if probe >= since && reached.is_none_or(|at| probe < at) {
                prop_assert!(
                    model_value(&segments, probe).is_none_or(|shown| shown < target),
                    "{} already shows it, before {:?}", probe, reached
                );
            }
        }
    }

    #[test]
    fn no_instant_of_a_small_domain_is_missed_whatever_steps_and_strobes_do(
        segments in small_schedules(),
        target in -300_i64..4000,
        since in -20_i64..1500,
    ) {
        const END: i64 = 4000;
        let scanned = (since..END).find(|at| model_value(&segments, *at) >= Some(target));
        match reached_at(&segments, target, since) {
            Some(at) if at < END => prop_assert_eq!(Some(at), scanned),
            Some(at) => {
                prop_assert_eq!(scanned, None);
                prop_assert!(model_value(&segments, at) >= Some(target));
                prop_assert!(model_value(&segments, at - 1) < Some(target));
            }
            None => prop_assert_eq!(scanned, None),
        }
    }

    #[test]
    fn a_segment_comes_out_of_memory_as_it_was_stored(
        from in instants(),
        until_sec in any::<i64>(),
        shape in shapes(),
        offset in spans(),
        (rate, base_rate) in (any::<i64>(), any::<i64>()),
        change in any::<u32>(),
    ) {
        let strobe = matches!(shape, Shape::Strobe { .. });
        let stored = Segment {
            until_sec,
            change,
            // A strobe runs at the base rate and steps nothing: its two words hold amplitude and period.
            base_rate: Rate::from_parts(if strobe { rate } else { base_rate }),
            ..segment(from, offset, rate, shape)
        };
        let cell = SegmentCell::default();
        cell.store(&stored);
        prop_assert_eq!(cell.load(), stored);
        prop_assert_eq!(cell.load_from(), stored.from);
        let hot = cell.load_hot();
        prop_assert_eq!(
            i128::from(hot.from_sec) * i128::from(SECOND) + i128::from(hot.from_nsec()),
            i128::from(from)
        );
        prop_assert_eq!(
            i128::from(hot.offset_sec) * i128::from(SECOND) + i128::from(hot.offset_nsec()),
            i128::from(offset)
        );
        prop_assert!((0..SECOND).contains(&hot.from_nsec()) && (0..SECOND).contains(&hot.offset_nsec()));
        prop_assert_eq!(hot.is_linear(), shape == Shape::Linear);
        prop_assert_eq!(cell.is_true(), shape == Shape::True);
        prop_assert_eq!((hot.rate, hot.until_sec), (rate, until_sec));
    }

    #[test]
    fn a_change_comes_out_of_memory_as_it_was_stored(
        (id, partner) in (any::<u32>(), any::<u32>()),
        kind in prop::sample::select(vec![
            Kind::Jump, Kind::Set, Kind::Drift, Kind::Slew, Kind::Stall, Kind::Strobe, Kind::Heal, Kind::End,
            Kind::Suspend, Kind::CalledOff,
        ]),
        (clocks, cancelled) in (any::<u8>(), any::<bool>()),
        (at, until) in (instants(), instants()),
        (amount, second, late_by, later) in (any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>()),
    ) {
        let stored = Change {
            id, kind, clocks,
            at: HostInstant::from_nanos(at),
            until: HostInstant::from_nanos(until),
            amount, second, partner, cancelled, late_by,
        };
        let cell = ChangeCell::default();
        prop_assert_eq!(cell.load(), None);
        cell.store(&stored);
        prop_assert_eq!(cell.load(), Some(stored));
        cell.set_late_by(later);
        prop_assert_eq!(cell.load(), Some(Change { late_by: later, ..stored }));
        cell.clear();
        prop_assert_eq!(cell.load(), None);
    }
}

#[test]
fn a_stall_shows_one_instant_and_reaches_the_next_one_when_it_ends() {
    let segments =
        [segment(0, 0, Rate::STANDSTILL.as_parts(), Shape::Linear), segment(1000, -1000, 0, Shape::Linear)];
    assert_eq!((value_at(&segments, 0), value_at(&segments, 999)), (Some(0), Some(0)));
    assert_eq!(reached_at(&segments, 1, 0), Some(1001));
}

#[test]
fn before_the_oldest_segment_the_clock_shows_nothing() {
    let segments = [segment(5, 0, 0, Shape::Linear)];
    assert_eq!(value_at(&segments, 4), None);
    assert_eq!(reached_at(&segments, 0, 4), Some(5), "and is reached where it begins");
    assert_eq!(value_at(&[], 4), None);
    assert_eq!(reached_at(&[], 0, 4), None);
}

#[test]
fn a_segment_that_starts_at_the_last_instant_is_in_force_there() {
    let segments = [segment(0, 0, 0, Shape::Linear), segment(i64::MAX, -100, 0, Shape::Linear)];
    assert_eq!(value_at(&segments, i64::MAX), Some(i64::MAX - 100));
    assert_eq!(reached_at(&segments, i64::MAX - 1, 0), Some(i64::MAX - 1));
    assert_eq!(reached_at(&segments, i64::MAX, 0), None, "only the segment before it would have shown that");
}

#[test]
fn a_strobe_whose_next_half_lies_beyond_all_time_never_reaches_in_it() {
    let strobe = Shape::Strobe { amplitude: Span::from_nanos(-50), period: Span::from_nanos(100) };
    // Behind in the half that the last instant falls into.
    let segments = [segment(i64::MAX - 10, -1000, 0, strobe)];
    assert_eq!(value_at(&segments, i64::MAX), Some(i64::MAX - 1050));
    assert_eq!(reached_at(&segments, i64::MAX - 1020, i64::MAX - 10), None);
}
