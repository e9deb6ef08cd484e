//! Evidence: what a process's marks say, whose row is whose, and who gets which.
#![cfg(not(loom))]

mod common;

use std::collections::BTreeSet;
use std::sync::Barrier;

use falseticker_page::evidence::{Evidence, Followed, MARKS, ROWS, RowHead, State, Waits};
use falseticker_page::sync::Ordering;
use falseticker_page::time::HostInstant;

/// Some pid namespace.
const HERE: u64 = 4_026_531_836;
const EPOCH: HostInstant = HostInstant::from_nanos(5_000_000_000);
/// How far apart two changes are that have the same place in a ring.
#[expect(clippy::cast_possible_truncation, reason = "a thousand or so")]
const RING: u32 = MARKS as u32;

/// Marks have a resolution of 16 ns from the epoch on.
fn after(units: i64) -> HostInstant {
    HostInstant::from_nanos(EPOCH.as_nanos() + 16 * units)
}

/// A file in which every row is `state` but those given.
fn all_rows(state: State, but: &[(usize, State)]) -> Box<Evidence> {
    let file = common::evidence();
    for (row, head) in file.heads.iter().enumerate() {
        let wanted = but.iter().find(|(other, _)| *other == row).map_or(state, |(_, state)| *state);
        assert!(head.turn(State::Free, wanted));
    }
    file
}

fn nobody(_: &RowHead) -> bool {
    false
}

fn overflow(file: &Evidence, row: usize) -> u64 {
    file.heads[row].overflow.load(Ordering::Relaxed)
}

fn unseated(file: &Evidence) -> u64 {
    file.header.unseated.load(Ordering::Relaxed)
}

#[test]
fn a_change_under_which_nothing_was_read_has_no_mark() {
    let file = common::evidence();
    for change in [0, 1, RING, u32::MAX] {
        assert_eq!(file.rings[0].marked(change, EPOCH), None);
    }
}

#[test]
fn the_first_mark_wins() {
    let file = common::evidence();
    file.mark(0, 7, after(100), EPOCH);
    file.mark(0, 7, after(200), EPOCH);
    file.mark(0, 7, after(50), EPOCH);
    assert_eq!(file.rings[0].marked(7, EPOCH), Some(after(100)));
    assert_eq!(overflow(&file, 0), 0, "a second read is no overflow");
}

#[test]
fn a_mark_is_rounded_down_to_16_ns_and_never_before_the_epoch() {
    let file = common::evidence();
    file.mark(0, 1, HostInstant::from_nanos(after(3).as_nanos() + 15), EPOCH);
    file.mark(0, 2, EPOCH, EPOCH);
    file.mark(0, 3, HostInstant::MIN, EPOCH);
    let marked = |change| file.rings[0].marked(change, EPOCH);
    assert_eq!((marked(1), marked(2), marked(3)), (Some(after(3)), Some(EPOCH), Some(EPOCH)));
}

#[test]
fn a_mark_beyond_52_days_stays_at_the_last_instant_that_fits() {
    let file = common::evidence();
    file.mark(0, 1, HostInstant::MAX, EPOCH);
    assert_eq!(file.rings[0].marked(1, EPOCH), Some(after((1 << 48) - 2)));
}

#[test]
fn a_newer_change_takes_the_place_of_an_older_one_and_the_loss_is_counted() {
    let file = common::evidence();
    file.mark(0, 7, after(1), EPOCH);
    file.mark(0, 7 + RING, after(2), EPOCH);
    assert_eq!(file.rings[0].marked(7, EPOCH), None);
    assert_eq!(file.rings[0].marked(7 + RING, EPOCH), Some(after(2)));
    assert_eq!(overflow(&file, 0), 1);
}

#[test]
fn an_older_change_never_takes_the_place_of_a_newer_one() {
    let file = common::evidence();
    file.mark(0, 7 + RING, after(1), EPOCH);
    file.mark(0, 7, after(2), EPOCH);
    assert_eq!(file.rings[0].marked(7 + RING, EPOCH), Some(after(1)));
    assert_eq!(file.rings[0].marked(7, EPOCH), None);
    assert_eq!(overflow(&file, 0), 0, "nothing was lost that had been kept");
}

#[test]
fn newer_and_older_are_told_where_the_tag_wraps() {
    let file = common::evidence();
    let (old, new) = (7 + RING * 0xffff, 7 + RING * 0x1_0000);
    file.mark(0, old, after(1), EPOCH);
    file.mark(0, new, after(2), EPOCH);
    file.mark(0, old, after(3), EPOCH);
    assert_eq!(file.rings[0].marked(new, EPOCH), Some(after(2)));
    assert_eq!(file.rings[0].marked(old, EPOCH), None);
}

#[test]
fn as_many_changes_in_a_row_as_a_ring_has_places_are_all_kept() {
    let file = common::evidence();
    let changes = || (1..).zip(500_u32..500 + RING);
    for (units, change) in changes() {
        file.mark(0, change, after(units), EPOCH);
    }
    for (units, change) in changes() {
        assert_eq!(file.rings[0].marked(change, EPOCH), Some(after(units)), "change {change}");
    }
    assert_eq!(overflow(&file, 0), 0);
    file.mark(0, 500 + RING, after(1), EPOCH);
    assert_eq!(overflow(&file, 0), 1, "one more is one too many");
}

#[test]
fn threads_that_mark_the_same_change_at_once_leave_one_mark_and_count_no_overflow() {
    let file = common::evidence();
    let (threads, changes) = (4, 200);
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 1..=threads {
            let (file, start) = (&file, &start);
            scope.spawn(move || {
                start.wait();
                for change in 1..=changes {
                    file.mark(0, change, after(thread), EPOCH);
                }
            });
        }
    });
    let possible: Vec<_> = (1..=threads).map(|thread| Some(after(thread))).collect();
    assert!((1..=changes).all(|change| possible.contains(&file.rings[0].marked(change, EPOCH))));
    assert_eq!(overflow(&file, 0), 0);
}

#[test]
fn two_processes_have_rows_of_their_own() {
    let file = common::evidence();
    let first = file.take(100, HERE, after(0), nobody).expect("there is room");
    let second = file.take(200, HERE, after(0), nobody).expect("there is room");
    assert_ne!(first, second);
    file.mark(first, 7, after(1), EPOCH);
    assert_eq!(file.rings[first].marked(7, EPOCH), Some(after(1)));
    assert_eq!(file.rings[second].marked(7, EPOCH), None);
    assert_eq!(file.heads[first].state(), State::Live(100));
    assert_eq!(file.heads[second].state(), State::Live(200));
}

#[test]
fn a_row_that_is_taken_over_says_nothing_of_its_last_owner() {
    let file = common::evidence();
    let row = file.take(100, HERE, after(0), nobody).expect("there is room");
    assert_eq!(file.heads[row].namespace.load(Ordering::Relaxed), HERE);
    file.mark(row, 7, after(1), EPOCH);
    file.mark(row, 7 + RING, after(1), EPOCH);
    file.heads[row].detour.store(3, Ordering::Relaxed);
    file.count_refused_setting(Some(row));
    file.note_waits(row, Waits::Kicked);
    assert!(file.heads[row].turn(State::Live(100), State::Free));
    // The search begins a row further each time; the only free row is found all the same.
    let others =
        (0..ROWS - 1).map(|other| file.take(1000 + u32::try_from(other).unwrap(), HERE, after(0), nobody));
    assert_eq!(others.flatten().count(), ROWS - 1);
    let again = file.take(200, HERE, after(9), nobody).expect("one row is left");
    for change in [7, 7 + RING] {
        assert_eq!(file.rings[again].marked(change, EPOCH), None);
    }
    let head = &file.heads[again];
    assert_eq!(head.taken_at.load(Ordering::Relaxed), after(9).as_nanos().unsigned_abs());
    assert_eq!((overflow(&file, again), head.detour.load(Ordering::Relaxed)), (0, 0));
    assert_eq!((head.refused_settings.load(Ordering::Relaxed), head.waits()), (0, Waits::None));
}

#[test]
fn refused_settings_are_counted_by_process_and_by_node() {
    let file = common::evidence();
    for row in [Some(3), Some(3), None, Some(ROWS), Some(4)] {
        file.count_refused_setting(row);
    }
    let of = |row: usize| file.heads[row].refused_settings.load(Ordering::Relaxed);
    assert_eq!((of(3), of(4), of(5)), (2, 1, 0));
    assert_eq!(file.header.refused_settings.load(Ordering::Relaxed), 5, "those without a row too");
}

#[test]
fn how_waits_follow_the_clock_is_what_was_noted_last() {
    let file = common::evidence();
    assert_eq!(file.heads[3].waits(), Waits::None);
    for waits in [Waits::Kicked, Waits::Sliced(1), Waits::Sliced(u32::MAX), Waits::Sliced(0), Waits::None] {
        file.note_waits(3, waits);
        assert_eq!(file.heads[3].waits(), waits);
    }
    file.note_waits(ROWS, Waits::Kicked);
    assert!(file.heads.iter().all(|head| head.waits() == Waits::None));
}

#[test]
fn a_free_row_is_preferred_to_one_of_a_process_that_is_gone() {
    let file = all_rows(State::Live(1), &[(10, State::Gone(2)), (900, State::Free)]);
    assert_eq!(file.take(3, HERE, after(0), |_| true), Some(900));
    assert_eq!(file.heads[10].state(), State::Gone(2));
}

#[test]
fn a_row_of_a_process_that_is_gone_is_preferred_to_asking_who_else_is() {
    let file = all_rows(State::Live(1), &[(900, State::Gone(2))]);
    let taken = file.take(3, HERE, after(0), |head| panic!("asked of {head:?}"));
    assert_eq!(taken, Some(900));
}

#[test]
fn with_no_other_row_left_one_is_taken_whose_owner_is_found_to_be_gone() {
    let file = all_rows(State::Live(1), &[(500, State::Live(2)), (600, State::Busy(4))]);
    assert_eq!(file.take(3, HERE, after(0), |head| head.state() == State::Live(2)), Some(500));
    assert_eq!(
        file.take(5, HERE, after(0), |head| head.state() == State::Busy(4)),
        Some(600),
        "a process that died while it took its row leaves it too"
    );
    assert_eq!(file.heads[500].state(), State::Live(3));
    assert_eq!(file.heads[600].state(), State::Live(5));
    assert_eq!(unseated(&file), 0);
}

#[test]
fn a_process_that_finds_no_row_is_counted_and_takes_nothing() {
    let file = all_rows(State::Live(1), &[(3, State::Busy(2))]);
    assert_eq!(file.take(9, HERE, after(0), nobody), None);
    assert_eq!(file.take(9, HERE, after(0), nobody), None);
    assert_eq!(unseated(&file), 2);
    assert!(file.heads.iter().all(|head| head.state() != State::Live(9)));
}

#[test]
fn a_mark_in_a_row_that_there_is_not_is_made_nowhere() {
    let file = common::evidence();
    file.mark(ROWS, 1, after(1), EPOCH);
    file.mark(usize::MAX, 1, after(1), EPOCH);
    assert!(file.rings.iter().all(|ring| ring.marked(1, EPOCH).is_none()));
}

#[test]
fn processes_that_take_rows_at_once_never_get_the_same_one() {
    // Half of the rows free, a quarter of processes that are gone, and a quarter whose owner has to be asked for.
    let file = common::evidence();
    for (row, head) in file.heads.iter().enumerate() {
        match row % 4 {
            0 => assert!(head.turn(State::Free, State::Gone(1))),
            1 => assert!(head.turn(State::Free, State::Live(2))),
            _ => {}
        }
    }
    let threads = 8;
    let start = Barrier::new(threads);
    // Ten more than there are rows, each once.
    let pids = || (1000_u32..).take(ROWS + 10);
    let taken: Vec<Option<usize>> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..threads)
            .map(|thread| {
                let (file, start) = (&file, &start);
                scope.spawn(move || {
                    start.wait();
                    pids()
                        .skip(thread)
                        .step_by(threads)
                        .map(|pid| file.take(pid, HERE, after(0), |head| head.state() == State::Live(2)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        takers.into_iter().flat_map(|taker| taker.join().expect("a taker ends")).collect()
    });
    let seated: Vec<usize> = taken.iter().flatten().copied().collect();
    let rows: BTreeSet<usize> = seated.iter().copied().collect();
    assert_eq!(rows.len(), seated.len(), "a row was given twice");
    assert_eq!(rows.len(), ROWS, "and every row was given");
    assert_eq!((taken.len() - seated.len(), unseated(&file)), (10, 10));
    assert!(file.heads.iter().all(|head| matches!(head.state(), State::Live(pid) if pid >= 1000)));
}

#[test]
fn the_last_row_goes_to_one_of_those_who_race_for_it() {
    let file = all_rows(State::Live(1), &[(700, State::Free)]);
    let (racers, rounds) = (4_u32, 500);
    let barrier = Barrier::new(4);
    let winners = std::thread::scope(|scope| {
        let racers: Vec<_> = (1000..1000 + racers)
            .map(|pid| {
                let (file, barrier) = (&file, &barrier);
                scope.spawn(move || {
                    let mut won = 0;
                    for _ in 0..rounds {
                        barrier.wait();
                        let row = file.take(pid, HERE, after(0), nobody);
                        barrier.wait();
                        won += u64::from(row.is_some());
                        // Never a panic here: the others would wait for ever.
                        if let Some(row) = row {
                            file.heads[row].turn(State::Live(pid), State::Free);
                        }
                        barrier.wait();
                    }
                    won
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().expect("a racer ends")).sum::<u64>()
    });
    assert_eq!(winners, rounds, "one in each round, and the row was its own to give back");
    assert_eq!(unseated(&file), rounds * u64::from(racers - 1));
}

#[test]
fn a_helper_says_how_far_it_has_followed_and_a_new_row_says_nothing() {
    let file = common::evidence();
    let row = file.take(7, HERE, after(0), nobody).unwrap();
    let head = &file.heads[row];
    assert_eq!(head.followed(), Followed::default());
    let partly = Followed { generation: 3, whole: false };
    assert!(head.note_followed(partly) && !head.note_followed(partly), "only what is new is news");
    assert_eq!(head.followed(), partly);
    assert!(head.note_followed(Followed { whole: true, ..partly }));
    assert_eq!(head.followed(), Followed { generation: 3, whole: true });
    assert!(head.turn(State::Live(7), State::Gone(7)));
    assert_eq!(file.take(8, HERE, after(1), nobody), Some(row + 1), "a free row comes first");
    for _ in row + 2..ROWS {
        file.take(9, HERE, after(1), nobody).unwrap();
    }
    assert_eq!(file.take(10, HERE, after(2), nobody), Some(row));
    assert_eq!(head.followed(), Followed::default());
}
