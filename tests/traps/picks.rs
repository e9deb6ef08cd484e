//! Which reads are held: by number, by chance, by clock, by every way to read one.

use falseticker::Span;
use falseticker::trap::{Hold, On, Pick, Plan};
use libtest_mimic::Trial;

use super::{Reader, armed, expect_length, held_of, of};
use crate::harness::{Lab, MILLISECOND};

pub fn trials(libc: &'static str) -> Vec<Trial> {
    vec![
        of("the Nth read is held, and every Nth after it, with the value of before", libc)
            .shown_by(move |lab| nth(lab, libc)),
        of("a seed picks the same reads again, another one others", libc)
            .shown_by(move |lab| chance(lab, libc)),
        of("a read by every way is held, a read of another clock by none", libc)
            .shown_by(move |lab| every_way(lab, libc)),
        of("the monotonic clock is one of them, in a node that may not fault it and in one that may", libc)
            .shown_by(move |lab| mono(lab, libc)),
        of("a trap that nobody falls into leaves reads as quick as they were", libc)
            .shown_by(move |lab| as_quick_again(lab, libc)),
    ]
}

fn nth(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &["--jump", "-1h"]);
    let mut live = armed(lab, &["--on-read", "wall", "--nth", "7", "--count", "2", "--for", "120ms"]);
    let held = reader.held("read 30");
    assert_eq!(held.iter().map(|one| one.number).collect::<Vec<_>>(), [7, 14]);
    expect_length(&held, 120);
    for one in &held {
        let off = one.ahead + 3600 * crate::harness::SECOND;
        assert!(off.abs() < 100 * MILLISECOND, "the value is not of before: off by {off} ns");
        assert_eq!(one.errno, 77, "errno is as it was");
    }
    assert_eq!(live.end(), 0);
    assert!(reader.held("read 30").is_empty(), "it is over");
    assert!(lab.status("a")["trap"].is_null());
    reader.live.finish();
}

fn chance(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &[]);
    let node = lab.node("a");
    let mut picked = |seed: u64| {
        let plan = Plan {
            on: On::Wall,
            pick: Pick::Probability { probability: 0.1, seed },
            count: 1_000,
            hold: Hold::Thread(Span::from_millis(6)),
        };
        let mut trap = node.trap(&plan).expect("it can be armed");
        reader.ask("read 200");
        let counts = trap.counts();
        let fired = trap.fired();
        assert_eq!((counts.reads, counts.fired as usize), (200, fired.len()));
        assert!(fired.iter().all(|firing| firing.held_for() >= Some(Span::from_millis(6))));
        fired.iter().map(|firing| firing.number).collect::<Vec<_>>()
    };
    let (first, again, other) = (picked(42), picked(42), picked(43));
    assert_eq!(first, again);
    assert_ne!(first, other);
    // Six standard deviations of a binomial with 200 draws.
    assert!((1..=45).contains(&first.len()), "{} of 200 with probability 0.1", first.len());
    reader.live.finish();
}

/// The ways of the list in `ways.h` that were held, and all of them that read one of these clocks.
fn ways(lines: &[String], clocks: &[i32]) -> (Vec<String>, Vec<String>) {
    let (mut held, mut expected) = (Vec::new(), Vec::new());
    for line in lines.iter().filter_map(|line| line.strip_prefix("way ")) {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("three words");
        let name = word().to_owned();
        let length: i64 = word().parse().expect("a length");
        let clock: i32 = word().parse().expect("a clock");
        if length >= 20 * MILLISECOND {
            held.push(name.clone());
        }
        if clocks.contains(&clock) {
            expected.push(name);
        }
    }
    (held, expected)
}

fn every_way(lab: &Lab, libc: &str) {
    // REALTIME and its coarse form, the alarm clock, TAI.
    every_way_of(lab, libc, &[], "wall", &[0, 5, 8, 11]);
}

fn mono(lab: &Lab, libc: &str) {
    for flags in [&[] as &[&str], &["--monotonic"]] {
        // MONOTONIC, RAW and COARSE.
        every_way_of(lab, libc, flags, "mono", &[1, 4, 6]);
    }
}

fn every_way_of(lab: &Lab, libc: &str, flags: &[&str], clock: &str, ids: &[i32]) {
    let mut reader = Reader::start(lab, libc, flags);
    let mut live = armed(lab, &["--on-read", clock, "--count", "1000000", "--for", "20ms"]);
    let lines = reader.ask("ways");
    let (held, expected) = ways(&lines, ids);
    assert!(expected.len() >= 3, "only {expected:?} were tried");
    let missed: Vec<_> = expected.iter().filter(|way| !held.contains(way)).collect();
    assert!(missed.is_empty(), "not held: {missed:?}\n{lines:?}");
    // A machine that leaves a thread no time makes any way slow once.
    let (again, _) = ways(&reader.ask("ways"), ids);
    let too_many: Vec<_> = held.iter().filter(|way| !expected.contains(way) && again.contains(way)).collect();
    assert!(too_many.is_empty(), "held without cause: {too_many:?}");
    live.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(live.end(), 130);
    let (after, _) = ways(&reader.ask("ways"), ids);
    assert!(after.len() < expected.len() / 2, "held after its end: {after:?}");
    assert!(held_of(&lines).is_empty());
    reader.live.finish();
}

/// How long so many reads take, the least of a few times.
fn time(reader: &mut Reader) -> i64 {
    let took =
        |lines: Vec<String>| lines[0].trim_start_matches("took ").parse::<i64>().expect("a length of time");
    (0..20).map(|_| took(reader.ask("time 20000"))).min().expect("twenty times")
}

fn as_quick_again(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &[]);
    let before = time(&mut reader);
    let trap =
        lab.node("a").trap(&Plan { pick: Pick::Nth(u64::MAX), ..Plan::next_wall_read(Span::from_secs(1)) });
    let trap = trap.expect("it can be armed");
    let armed = time(&mut reader);
    assert_eq!(trap.counts().reads, 20 * 20_000, "every read is counted");
    drop(trap);
    let after = time(&mut reader);
    eprintln!("20,000 reads: {before} ns before, {armed} ns armed, {after} ns after ({libc})");
    // By proportion, nearer to what it was than to what a trap makes of it: machines are quicker at one time than at another.
    assert!(
        after * after < before * armed,
        "20,000 reads: {before} ns before, {armed} armed, {after} after it"
    );
    reader.live.finish();
}
