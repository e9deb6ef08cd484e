//! Whole campaigns over plays that are computed: interrupted, gone on with, and the same in the end.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::campaign::pretence::Pretence;
use crate::campaign::{State, resolve};
use crate::error::ErrorKind;
use crate::scenario::action::{Action, Freeze, Jump};
use crate::scenario::{Entry, Program, Scenario, When, Who};
use crate::{Span, nemesis};

fn scenario(entries: impl IntoIterator<Item = Entry>) -> Scenario {
    let scenario = Scenario::builder("pretence", Span::from_secs(100)).node("a", Program::new(["true"]));
    entries.into_iter().fold(scenario, crate::scenario::Builder::entry).build().unwrap()
}

fn at(second: i64, action: Action) -> Entry {
    Entry {
        when: When::At(Span::from_secs(second)),
        who: Some(Who::One("a".to_owned())),
        action,
        optional: false,
    }
}

fn jump(by: i64) -> Action {
    Action::Jump(Jump { by: Span::from_millis(by), ..Jump::default() })
}

fn jumps(scenario: &Scenario) -> Vec<(i64, i64)> {
    let of = |entry: &Entry| match (&entry.when, &entry.action) {
        (When::At(at), Action::Jump(jump)) => Some((at.as_nanos(), jump.by.as_nanos() / 1_000_000)),
        _ => None,
    };
    scenario.timeline.iter().filter_map(of).collect()
}

struct Whole {
    answer: Answer,
    state: State,
    played: BTreeMap<String, u32>,
}

/// A campaign that is interrupted after so many plays each time.
fn campaign(
    scenario: &Scenario,
    quorum: Quorum,
    interrupted_after: u32,
    fails: &dyn Fn(&Scenario, u32) -> Outcome,
) -> Whole {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    let entries = resolve(scenario, 7).unwrap();
    let mut played = BTreeMap::new();
    loop {
        let fresh = State::new(&scenario.to_toml().unwrap(), BTreeMap::new(), 7);
        let state = fresh.resume(State::read(&path).unwrap(), &path).unwrap();
        let mut theatre = Pretence { comes_of: fails, played: &mut played, left: interrupted_after };
        let mut plays = Recorded::new(state, Some(path.clone()), quorum, &mut theatre, Box::new(|_| {}));
        match shrink(&entries, quorum, true, &mut Plays::new(scenario, &entries, &mut plays)) {
            Ok(answer) => {
                let state = plays.finish().unwrap();
                assert!(!path.exists());
                return Whole { answer, state, played };
            }
            Err(why) => assert_eq!(why.kind(), ErrorKind::Interrupted),
        }
    }
}

fn shrunk(whole: Whole) -> Shrunk {
    match whole.answer {
        Answer::Shrunk(shrunk) => shrunk,
        Answer::Passes(tally) => panic!("it passes: {tally}"),
    }
}

const ONCE: Quorum = Quorum { runs: 1, failures: 1 };

fn of(fails: bool) -> Outcome {
    if fails { Outcome::Fail } else { Outcome::Pass }
}

#[test]
fn one_guilty_jump_of_forty_is_found_and_made_small() {
    let scenario = scenario((0..40).map(|second| at(second, jump(1_000 + second))));
    let fails = |scenario: &Scenario, _| {
        of(jumps(scenario).iter().any(|(at, by)| *at == 17_000_000_000 && *by >= 300))
    };
    let whole = campaign(&scenario, ONCE, u32::MAX, &fails);
    assert!(whole.state.plays() <= 22, "{}", whole.state.plays());
    let entries = resolve(&scenario, 7).unwrap();
    let shrunk = shrunk(whole);
    let minimal = shrunk.minimal.scenario(&scenario, &entries).unwrap();
    let [(at, by)] = jumps(&minimal)[..] else { panic!("{minimal:?}") };
    assert!(at == 17_000_000_000 && (300..=330).contains(&by), "{by}");
    assert!(shrunk.minimal.name(&entries).starts_with("18, 18 by="), "{}", shrunk.minimal.name(&entries));
}

#[test]
fn what_does_not_fail_is_not_shrunk_and_what_fails_by_itself_needs_no_fault() {
    let scenario = scenario((0..5).map(|second| at(second, jump(1_000))));
    let passes = campaign(&scenario, Quorum { runs: 3, failures: 1 }, u32::MAX, &|_, _| Outcome::Pass);
    assert_eq!(passes.answer, Answer::Passes(Tally { plays: 3, failures: 0, unresolved: 0 }));
    let by_itself = shrunk(campaign(&scenario, ONCE, u32::MAX, &|_, _| Outcome::Fail));
    assert!(by_itself.minimal.kept.is_empty());
    let unresolved = campaign(&scenario, ONCE, u32::MAX, &|_, _| Outcome::Unresolved);
    assert!(matches!(unresolved.answer, Answer::Passes(_)));
}

#[test]
fn an_entry_that_smaller_magnitudes_make_superfluous_goes_too() {
    let scenario = scenario([at(1, jump(1_000)), at(2, jump(64_000)), at(3, jump(7))]);
    // The second alone fails while it is below a second; above, it takes the third as well.
    let fails = |scenario: &Scenario, _| {
        let jumps = jumps(scenario);
        let of = |second: i64| jumps.iter().find(|(at, _)| *at == second * 1_000_000_000).map(|(_, by)| *by);
        crate::shrink::tests::of(of(2).is_some_and(|by| by < 1_000 || of(3).is_some()))
    };
    let shrunk = shrunk(campaign(&scenario, ONCE, u32::MAX, &fails));
    assert_eq!(shrunk.minimal.kept, [1]);
}

#[test]
fn what_is_drawn_is_resolved_to_the_same_timeline() {
    let text = "[scenario]\nname = \"drawn\"\nduration = \"60s\"\n[nodes.a]\ncommand = [\"true\"]\n[nodes.b]\ncommand = [\"true\"]\n\
                [nodes.c]\ncommand = [\"true\"]\n[nemesis]\nseed = 4\nintensity = \"high\"\n\
                [[timeline]]\nbetween = [\"2s\", \"50s\"]\nnode = \"one\"\njump = \"1s\"\n\
                [[timeline]]\nevery = \"uniform(1s,9s)\"\nnode = \"majority\"\nfreeze = \"uniform(1s,9s)\"\n\
                [[timeline]]\nafter = { output = \"up\" }\nnode = [\"a\", \"b\"]\nstall = \"90s\"\n\
                [[timeline]]\nat = \"55s\"\nnode = \"a\"\nfreeze = { for = \"1s\", on-read = \"wall\", probability = 0.5 }\n";
    let scenario = crate::scenario::file::parse(text, "drawn").unwrap();
    let planned = crate::scenario::timeline(&scenario, 9).unwrap();
    let entries = resolve(&scenario, 9).unwrap();
    assert!(entries.len() > 30, "{}", entries.len());
    let again = Candidate::whole(entries.len()).scenario(&scenario, &entries).unwrap();
    assert_eq!(again.nemesis, None);
    // With any seed: nothing is drawn any more. And what would last beyond the end is cut there.
    let resolved = crate::scenario::timeline(&again, 1).unwrap();
    assert_eq!(resolved.len(), planned.len());
    let mut cut = 0;
    for (one, two) in planned.iter().zip(&resolved) {
        assert_eq!((&one.due, &one.to, one.action.key()), (&two.due, &two.to, two.action.key()));
        cut += usize::from(one.action != two.action);
    }
    assert!(cut <= 4, "{cut}");
    // It is written, and read back as the same; each part of it as well.
    let read =
        |scenario: &Scenario| crate::scenario::file::parse(&scenario.to_toml().unwrap(), "again").unwrap();
    assert_eq!(read(&again), again);
    let odd: Vec<usize> = (0..entries.len()).filter(|index| index % 2 == 1).collect();
    let part = Candidate::whole(entries.len()).keeping(&odd).scenario(&scenario, &entries).unwrap();
    assert_eq!(part.timeline, odd.iter().map(|index| entries[*index].entry.clone()).collect::<Vec<_>>());
    let trap = again.timeline.iter().find_map(|entry| match &entry.action {
        Action::Freeze(Freeze { on_read: Some(_), seed, .. }) => *seed,
        _ => None,
    });
    assert!(trap.is_some());
}

#[test]
fn every_fault_of_a_nemesis_can_be_made_smaller() {
    let mix = nemesis::Fault::USUAL.to_vec();
    let text = scenario([]).to_toml().unwrap();
    let mut scenario = crate::scenario::file::parse(&text, "x").unwrap();
    scenario.nemesis =
        Some(nemesis::Nemesis { mix, intensity: nemesis::Intensity::High, ..nemesis::Nemesis::default() });
    let entries = resolve(&scenario, 3).unwrap();
    let whole = Candidate::whole(entries.len());
    for (index, resolved) in entries.iter().enumerate() {
        let magnitudes = whole.magnitudes(&entries, index);
        assert_eq!(magnitudes.is_empty(), resolved.entry.action.key() == "heal", "{resolved:?}");
        for (slot, value) in magnitudes {
            let half = Value { amount: value.amount / 2, ..value };
            let changed = whole.with(index, slot, half);
            assert_eq!(changed.magnitudes(&entries, index)[slot].1, half);
            assert_ne!(changed.name(&entries), whole.name(&entries));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whenever_it_is_interrupted_the_result_is_the_same_and_no_play_is_repeated(
        entries in 1_i64..9, guilty in prop::collection::vec(0_i64..9, 1..3), least in 1_i64..2_000,
        runs in 1_u32..4, noise in any::<bool>(), after in 1_u32..6,
    ) {
        let scenario = scenario((0..entries).map(|second| at(second, jump(2_000))));
        let guilty: Vec<i64> = guilty.into_iter().map(|second| second % entries).collect();
        let fails = |scenario: &Scenario, time: u32| {
            let is_there = |second: &i64| jumps(scenario).iter().any(|(at, by)| *at == *second * 1_000_000_000 && *by >= least);
            // By chance only one of two plays fails.
            of(guilty.iter().all(is_there) && (!noise || (time as usize + scenario.timeline.len()).is_multiple_of(2)))
        };
        let quorum = Quorum { runs, failures: 1 };
        let (once, often) = (campaign(&scenario, quorum, u32::MAX, &fails), campaign(&scenario, quorum, after, &fails));
        prop_assert_eq!(&once.answer, &often.answer);
        prop_assert_eq!(&once.played, &often.played);
        prop_assert_eq!(&once.state, &often.state);
        if let (Answer::Shrunk(shrunk), false) = (&once.answer, noise) {
            let mut wanted: Vec<usize> = guilty.iter().map(|second| usize::try_from(*second).unwrap()).collect();
            wanted.sort_unstable();
            wanted.dedup();
            prop_assert_eq!(&shrunk.minimal.kept, &wanted);
            prop_assert!(shrunk.fails.all_failed() && shrunk.fails.plays == runs);
        }
    }
}
