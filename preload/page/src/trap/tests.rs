//! What the two sides of a trap make of each other, and of memory that holds anything.

use std::boxed::Box;
use std::vec::Vec;

use super::*;

fn log() -> Box<TrapLog> {
    Box::default()
}

fn trap(on: On, pick: Pick, count: u32) -> Trap {
    let hold = Span::from_secs(5);
    Trap { id: 0, on, pick, count, hold, whole_node: false, asked: hold, release: 0 }
}

fn at(nanos: i64) -> HostInstant {
    HostInstant::from_nanos(nanos)
}

#[test]
fn what_is_armed_is_copied_as_it_was_until_its_time_is_over() {
    let (cell, log) = (TrapCell::default(), log());
    assert_eq!(cell.armed(at(0)), None);
    let kinds = [On::Wall, On::Mono, On::Connect(65_535)];
    let picks = [Pick::Nth(7), Pick::Chance { threshold: 9, seed: u64::MAX }];
    for (on, pick) in kinds.into_iter().zip(picks.into_iter().cycle()) {
        let given = Trap { whole_node: on == On::Mono, ..trap(on, pick, 3) };
        let id = cell.arm(&given, &log, at(100));
        assert_eq!(cell.armed(at(99)), Some(Trap { id, ..given }));
        assert_eq!(cell.armed(at(100)), None, "it ends by itself");
        cell.renew(at(200));
        assert_eq!(cell.armed(at(199)), Some(Trap { id, ..given }));
        assert!(cell.disarm(id) && !cell.disarm(id));
        assert_eq!(cell.armed(at(0)), None);
    }
}

#[test]
fn no_hold_is_longer_than_the_longest_and_none_is_negative() {
    let (cell, log) = (TrapCell::default(), log());
    for (given, taken) in [(i64::MAX, LONGEST), (-1, Span::ZERO), (7, Span::from_nanos(7))] {
        cell.arm(&Trap { hold: Span::from_nanos(given), ..trap(On::Wall, Pick::Nth(1), 1) }, &log, at(9));
        assert_eq!(cell.armed(at(0)).map(|trap| trap.hold), Some(taken));
    }
}

#[test]
fn numbers_and_firings_are_counted_for_the_trap_that_is_armed_alone() {
    let (cell, log) = (TrapCell::default(), log());
    let first = cell.arm(&trap(On::Wall, Pick::Nth(1), 2), &log, at(9));
    assert_eq!([log.ticket(first), log.ticket(first)], [Some(1), Some(2)]);
    assert_eq!([0; 3].map(|_| log.claim(first, 2)), [Some(1), Some(2), None]);
    assert_eq!(log.counts(first), (2, 2));
    let second = cell.arm(&trap(On::Wall, Pick::Nth(1), 2), &log, at(9));
    assert_eq!((log.ticket(first), log.claim(first, 2)), (None, None), "it is late");
    assert_eq!((log.counts(first), log.counts(second)), ((0, 0), (0, 0)));
    assert_eq!((log.ticket(second), log.claim(second, 2)), (Some(1), Some(1)));
}

#[test]
fn every_nth_is_picked_and_a_chance_is_kept() {
    let picked = |pick: Pick, of: u64| (1..=of).filter(|ticket| pick.picks(*ticket)).collect::<Vec<_>>();
    assert_eq!(picked(Pick::Nth(3), 10), [3, 6, 9]);
    assert!(picked(Pick::Nth(0), 100).is_empty(), "what no writer writes picks nobody");
    let chance = |one_of: u64, seed| Pick::Chance { threshold: u64::MAX / one_of, seed };
    assert_eq!(picked(Pick::Chance { threshold: u64::MAX, seed: 1 }, 50).len(), 50);
    assert_eq!(picked(chance(10, 42), 1000), picked(chance(10, 42), 1000), "the same seed, the same reads");
    assert_ne!(picked(chance(10, 42), 1000), picked(chance(10, 43), 1000));
    for seed in [0, 1, 2, u64::MAX] {
        let share = picked(chance(10, seed), 100_000).len();
        // Five standard deviations of a binomial.
        assert!((9_526..=10_474).contains(&share), "{share} of 100,000 with seed {seed}");
    }
}

#[test]
fn a_firing_is_read_as_it_was_recorded_and_older_ones_are_overwritten() {
    let (cell, log) = (TrapCell::default(), log());
    let id = cell.arm(&trap(On::Wall, Pick::Nth(1), u32::MAX), &log, at(9));
    let firing = Firing {
        pid: 12,
        tid: 13,
        namespace: 14,
        ticket: 15,
        at: at(16),
        until: at(17),
        ended: None,
        refused: None,
    };
    assert_eq!(log.firing(id, 1), None);
    log.record(id, 1, &firing);
    assert_eq!(log.firing(id, 1), Some(firing));
    log.end(id, 1, at(18), Some(38));
    assert_eq!(log.firing(id, 1), Some(Firing { ended: Some(at(18)), refused: Some(38), ..firing }));
    assert_eq!(log.changed.load(Ordering::Relaxed), 2);
    let later = u32::try_from(FIRINGS).unwrap() + 1;
    log.record(id, later, &firing);
    assert_eq!((log.firing(id, 1), log.firing(id, later)), (None, Some(firing)));
    log.end(id, 1, at(19), None);
    assert_eq!(log.firing(id, later), Some(firing), "who is overwritten ends nobody else's");
    assert_eq!(log.firings().count(), 1);
}

#[test]
fn words_that_nobody_wrote_are_no_trap_or_a_harmless_one() {
    let cell = TrapCell::default();
    let mut state = 1_u64;
    for _ in 0..10_000 {
        for word in [&cell.armed_until, &cell.what, &cell.number, &cell.seed, &cell.hold, &cell.asked] {
            state = mix(state, 1);
            word.store(state, Ordering::Relaxed);
        }
        cell.id.store(1, Ordering::Relaxed);
        if let Some(trap) = cell.armed(at(0)) {
            assert!(trap.hold >= Span::ZERO && trap.hold <= LONGEST);
            let _: bool = trap.pick.picks(state);
        }
    }
}

#[test]
fn readers_at_once_get_numbers_of_their_own_and_no_more_firings_than_there_are() {
    const READERS: usize = 4;
    const READS: usize = 20_000;
    let (cell, log) = (TrapCell::default(), log());
    let id = cell.arm(&trap(On::Wall, Pick::Nth(1), 100), &log, at(9));
    let reader = || {
        let numbers: Vec<u64> = (0..READS).filter_map(|_| log.ticket(id)).collect();
        let claims: Vec<u32> = (0..READS).filter_map(|_| log.claim(id, 100)).collect();
        (numbers, claims)
    };
    let (mut numbers, mut claims) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        for reader in [(); READERS].map(|()| scope.spawn(reader)) {
            let (more, others) = reader.join().unwrap();
            numbers.extend(more);
            claims.extend(others);
        }
    });
    numbers.sort_unstable();
    claims.sort_unstable();
    assert_eq!(numbers, (1..=(READERS * READS) as u64).collect::<Vec<_>>());
    assert_eq!(claims, (1..=100).collect::<Vec<_>>());
}
