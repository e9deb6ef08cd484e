//! Sweeps over plays that are computed.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::campaign::pretence::Pretence;
use crate::campaign::{Outcome, Quorum, Recorded, State, Tally};
use crate::error::ErrorKind;
use crate::scenario::Action;
use crate::scenario::Scenario;

fn value(text: &str) -> Value {
    text.parse().unwrap()
}

fn bounds(from: &str, to: &str, within: Within) -> Bounds {
    Bounds::new(value(from), value(to), within).unwrap()
}

struct Oracle<F>(F, Vec<Value>);

impl<F: Fn(Value) -> Tally> Trial<Value> for Oracle<F> {
    fn test(&mut self, value: &Value, _: Effort) -> Result<Tally> {
        assert!(!self.1.contains(value), "{value} twice");
        self.1.push(*value);
        Ok((self.0)(*value))
    }
}

fn plays(failures: u32, unresolved: u32) -> Tally {
    Tally { plays: 3, failures, unresolved }
}

fn swept(bounds: &Bounds, tally: impl Fn(Value) -> Tally) -> (Answer, Vec<Value>) {
    let mut oracle = Oracle(tally, Vec::new());
    let answer = sweep(bounds, &mut oracle).unwrap().answer(bounds);
    (answer, oracle.1)
}

fn threshold(answer: Answer) -> Threshold {
    match answer {
        Answer::Threshold(threshold) => threshold,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_threshold_is_found_by_round_numbers() {
    let bounds = bounds("0s", "-10s", Within::Share(10_000));
    let (answer, tried) =
        swept(&bounds, |value| plays(if value.amount <= -1_500_000_000 { 3 } else { 0 }, 0));
    let found = threshold(answer);
    assert!(found.is_sharp() && found.held_again.is_empty(), "{found:?}");
    assert!(found.held.amount > -1_500_000_000 && found.failed.amount <= -1_500_000_000, "{found:?}");
    assert!(found.held.amount - found.failed.amount <= 15_200_000, "{found:?}");
    assert!(tried.len() <= 16, "{tried:?}");
    assert_eq!(tried[2], value("-5s"));
}

#[test]
fn ends_that_do_not_hold_or_do_not_fail_are_said() {
    let bounds = bounds("0s", "1s", Within::Share(10_000));
    assert_eq!(swept(&bounds, |_| plays(1, 0)), (Answer::FailsAtFrom, vec![value("0s")]));
    assert_eq!(swept(&bounds, |_| plays(0, 0)), (Answer::HoldsAtTo, vec![value("0s"), value("1s")]));
    assert_eq!(swept(&bounds, |_| plays(0, 1)).0, Answer::Unresolved(value("0s")));
    let last = |value: Value| plays(0, u32::from(value.amount > 0));
    assert_eq!(swept(&bounds, last).0, Answer::Unresolved(value("1s")));
}

#[test]
fn plays_that_disagree_widen_the_answer() {
    let bounds = bounds("0s", "10s", Within::Amount(value("10ms")));
    let wavering = |value: Value| match value.amount {
        ..3_000_000_000 => plays(0, 0),
        3_000_000_000..5_000_000_000 => plays(1, 0),
        _ => plays(3, 0),
    };
    let found = threshold(swept(&bounds, wavering).0);
    assert!(!found.is_sharp() && !found.mixed.is_empty());
    assert!((2_990_000_000..3_000_000_000).contains(&found.held.amount), "{found:?}");
    assert!((3_000_000_000..=3_010_000_000).contains(&found.failed.amount), "{found:?}");
    let always = found.always.unwrap().amount;
    assert!((5_000_000_000..=5_010_000_000).contains(&always), "{found:?}");
}

#[test]
fn what_holds_again_is_found_and_said() {
    let bounds = bounds("0s", "10s", Within::Share(10_000));
    // Nothing but between one and two seconds holds, above half a second.
    let twice = |value: Value| {
        plays(
            if (1_000_000_000..2_000_000_000).contains(&value.amount) || value.amount < 500_000_000 {
                0
            } else {
                3
            },
            0,
        )
    };
    let found = threshold(swept(&bounds, twice).0);
    assert!(!found.held_again.is_empty() && !found.is_sharp(), "{found:?}");
    assert!((495_000_000..500_000_000).contains(&found.held.amount), "{found:?}");
}

#[test]
fn what_cannot_be_told_is_gone_around() {
    let bounds = bounds("0s", "10s", Within::Amount(value("10ms")));
    let open = |value: Value| match value.amount {
        ..2_000_000_000 => plays(0, 0),
        2_000_000_000..6_000_000_000 => plays(0, 3),
        _ => plays(3, 0),
    };
    let found = threshold(swept(&bounds, open).0);
    assert!((1_990_000_000..2_000_000_000).contains(&found.held.amount), "{found:?}");
    assert!((6_000_000_000..=6_010_000_000).contains(&found.failed.amount), "{found:?}");
    assert!(!found.unresolved.is_empty() && !found.is_sharp());
}

proptest! {
    #[test]
    fn the_interval_brackets_a_true_threshold(
        from in -1_i64 << 50..1 << 50, length in 1_i64..1 << 50, part in 1_u32..=1_000_000, back in any::<bool>(),
        share in prop::option::of(1_u32..200_000), amount in 1_i64..1 << 40,
    ) {
        let quantity = value("1s").quantity;
        let of = |amount: i64| Value { quantity, amount };
        let (from, to) = if back { (from, from - length) } else { (from, from + length) };
        let on_the_way = |value: Value| (value.amount - from).abs();
        let least = i64::try_from((i128::from(length) * i128::from(part) / 1_000_000).max(1)).unwrap();
        let within = share.map_or(Within::Amount(of(amount)), Within::Share);
        let bounds = Bounds::new(of(from), of(to), within).unwrap();
        let (answer, tried) = swept(&bounds, |value| plays(if on_the_way(value) >= least { 3 } else { 0 }, 0));
        let found = threshold(answer);
        prop_assert!(on_the_way(found.held) < least && least <= on_the_way(found.failed));
        prop_assert!(bounds.is_near(bounds.place(found.held), bounds.place(found.failed)));
        prop_assert!(found.is_sharp());
        prop_assert!(tried.len() < 100, "{}", tried.len());
        prop_assert!(tried.iter().all(|value| on_the_way(*value) <= length));
    }

    #[test]
    fn whatever_the_plays_say_it_ends_and_what_it_says_was_seen(length in 1_i64..1 << 40, salt in any::<u64>()) {
        let quantity = value("1s").quantity;
        let bounds = Bounds::new(Value { quantity, amount: 0 }, Value { quantity, amount: length }, Within::Share(10_000)).unwrap();
        let answer = |value: Value| {
            let mut hasher = std::hash::DefaultHasher::new();
            std::hash::Hash::hash(&(salt, value), &mut hasher);
            match std::hash::Hasher::finish(&hasher) % 6 {
                _ if value.amount == 0 => plays(0, 0),
                _ if value.amount == length => plays(3, 0),
                0 | 1 => plays(0, 0),
                2 => plays(0, 1),
                3 => plays(1, 1),
                _ => plays(3, 0),
            }
        };
        let (found, tried) = swept(&bounds, answer);
        let found = threshold(found);
        prop_assert!(answer(found.held).all_passed() && answer(found.failed).any_failed());
        prop_assert!(tried.iter().all(|value| *value >= found.failed || !answer(*value).any_failed()));
        prop_assert!(tried.iter().all(|value| *value <= found.held || *value >= found.failed || !answer(*value).all_passed()));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whenever_it_is_interrupted_the_result_is_the_same_and_no_play_is_repeated(
        least in 1_i64..10_000, runs in 1_u32..4, noise in 0_i64..500, after in 1_u32..9,
    ) {
        let (once, often) = (campaign(least, noise, runs, u32::MAX), campaign(least, noise, runs, after));
        prop_assert_eq!(&once, &often);
        prop_assert!(once.1.values().all(|times| *times == runs));
    }
}

const TEXT: &str = "[scenario]\nname = \"swept\"\nduration = \"20s\"\n[nodes.a]\ncommand = [\"true\"]\nenv = { LEASE = \"2s\" }\n\
                    [nodes.b]\ncommand = [\"true\"]\n[checks]\nfencing = true\n\
                    [[timeline]]\nat = \"1s\"\nnode = \"a\"\njump = { by = \"-5s\", for = \"3s\" }\n\
                    [[timeline]]\nbetween = [\"2s\", \"9s\"]\nnode = \"one\"\nfreeze = \"uniform(1s,2s)\"\n\
                    [[timeline]]\nat = \"3s\"\nnode = \"b\"\ndrift = \"200ppm\"\n";

/// By how many milliseconds it jumps.
fn jumped(scenario: &Scenario) -> i64 {
    let jump = scenario.timeline.iter().find_map(|entry| match &entry.action {
        Action::Jump(jump) => Some(jump.by.as_nanos() / 1_000_000),
        _ => None,
    });
    jump.unwrap_or(0)
}

/// A campaign of plays that fail from a jump of so many milliseconds on, and sometimes a little before; it is interrupted after so
/// many plays each time.
fn campaign(
    least: i64,
    noise: i64,
    runs: u32,
    interrupted_after: u32,
) -> (Answer, BTreeMap<String, u32>, State) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    let bounds = bounds("0s", "10s", Within::Amount(value("1ms")));
    let subject =
        Subject::new(TEXT, "swept", "timeline[0].jump.by".parse().unwrap(), &bounds, &[], 7).unwrap();
    let quorum = Quorum { runs, failures: 1 };
    let comes_of = |scenario: &Scenario, times: u32| {
        let by = jumped(scenario);
        let fails = by >= least || by >= (least - noise).max(1) && times.is_multiple_of(2);
        if fails { Outcome::Fail } else { Outcome::Pass }
    };
    let mut played = BTreeMap::new();
    loop {
        let state = State::new(TEXT, BTreeMap::new(), 7).resume(State::read(&path).unwrap(), &path).unwrap();
        let mut theatre = Pretence { comes_of: &comes_of, played: &mut played, left: interrupted_after };
        let mut plays = Recorded::new(state, Some(path.clone()), quorum, &mut theatre, Box::new(|_| {}));
        let swept = sweep(&bounds, &mut subject.trial(&mut plays));
        match swept {
            Ok(tried) => {
                let state = plays.finish().unwrap();
                return (tried.answer(&bounds), played, state);
            }
            Err(why) => assert_eq!(why.kind(), ErrorKind::Interrupted),
        }
    }
}

#[test]
fn a_value_is_put_into_the_scenario_and_nothing_takes_the_fault_out() {
    let subject = |path: &str, from: &str, to: &str| {
        Subject::new(TEXT, "swept", path.parse().unwrap(), &bounds(from, to, Within::Share(10_000)), &[], 7)
            .unwrap()
    };
    let of = |path: &str, put: &str| {
        subject(path, put, if put.ends_with('s') { "-7s" } else { "90ppm" }).scenario(value(put)).unwrap()
    };
    let jumped = of("timeline[0].jump.by", "-250ms");
    let whole = crate::scenario::file::parse(TEXT, "swept").unwrap();
    assert_eq!(jumped.timeline[0].action.describe(), "jump -250ms --for 3s");
    assert_eq!(jumped.timeline[1..], whole.timeline[1..]);
    assert_eq!(of("timeline[2].drift", "50ppm").timeline[2].action.describe(), "drift 50ppm");
    // Without the first the others come to the same.
    let none = subject("timeline[0].jump.by", "0s", "-7s").scenario(value("0s")).unwrap();
    assert_eq!(none.timeline.len(), 2);
    let (was, is) =
        (crate::scenario::timeline(&whole, 7).unwrap(), crate::scenario::timeline(&none, 7).unwrap());
    assert_eq!(
        was[1..].iter().map(|planned| (&planned.due, &planned.to)).collect::<Vec<_>>(),
        is.iter().map(|planned| (&planned.due, &planned.to)).collect::<Vec<_>>()
    );
    let env = Subject::new(
        TEXT,
        "swept",
        "nodes.a.env.LEASE".parse().unwrap(),
        &bounds("1s", "3s", Within::Share(10_000)),
        &[],
        7,
    );
    assert_eq!(env.unwrap().scenario(value("1.5s")).unwrap().nodes["a"].env["LEASE"], "1.5s");
}

#[test]
fn a_path_that_leads_nowhere_is_refused_with_what_is_there() {
    for (path, why) in [
        ("timelime[0].jump", "the file has no 'timelime'; there are scenario, nodes, checks, timeline"),
        ("timeline[7].jump", "'timeline' has no '[7]'; there are [0] to [2]"),
        ("timeline[0].freeze", "'timeline[0]' has no 'freeze'; there are at, node, jump"),
        ("timeline[0].jump", "its type is table; there are by, for"),
        ("timeline[2].drift.rate", "'timeline[2].drift' has no 'rate'; there is \"200ppm\""),
        ("timeline[2].drift", "'200ppm' is a rate, and the bounds are spans"),
        ("timeline[1].freeze", "'uniform(1s,2s)' is no span or rate"),
        ("nodes.a.command[0]", "'true' is no span or rate"),
        ("nodes.a.command", "its type is array"),
    ] {
        let bounds = bounds("0s", "1s", Within::Share(10_000));
        let refused = Subject::new(TEXT, "swept", path.parse().unwrap(), &bounds, &[], 7).unwrap_err();
        assert!(refused.to_string().contains(why) && refused.help().is_some(), "{path}: {refused}");
        assert_eq!(refused.kind(), ErrorKind::BadInput);
    }
    for path in ["", ".", "a[", "a[x]", "[0]", "a]", "a[0]x", "a..b"] {
        // What is no path, or is one that no file has.
        let found =
            path.parse::<Path>().map(|path| path.look(&toml::Table::new(), value("1s").quantity).is_err());
        assert!(found.is_err() || found.is_ok_and(|refused| refused), "{path}");
    }
    let path: Path = "timeline[1].between[0]".parse().unwrap();
    assert_eq!(path.to_string(), "timeline[1].between[0]");
}

#[test]
fn bounds_that_mean_nothing_are_refused() {
    let new = |from: &str, to: &str, within| Bounds::new(value(from), value(to), within).unwrap_err();
    for refused in [
        new("1s", "1s", Within::Share(10_000)),
        new("1s", "1ppm", Within::Share(10_000)),
        new("1s", "2s", Within::Share(0)),
        new("1s", "2s", Within::Amount(value("1ppm"))),
        new("1s", "2s", Within::Amount(value("0s"))),
    ] {
        assert!(refused.help().is_some(), "{refused}");
    }
    let bounds = bounds("0s", "99s", Within::Share(10_000));
    // The scenario refuses it, and so does the sweep, before it plays.
    let refused =
        Subject::new(TEXT, "swept", "timeline[0].at".parse().unwrap(), &bounds, &[], 7).unwrap_err();
    assert!(refused.to_string().contains("timeline[0].at = 1m39s"), "{refused}");
}
