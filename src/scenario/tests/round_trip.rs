//! Any model is written as a file and read back the same, and no text is too much for the reader.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::action::*;
use super::super::model::*;
use super::super::*;
use super::{EXAMPLE, parse};
use crate::fault::{Clocks, LeapKind};
use crate::freeze::shape::Length;
use crate::nemesis::{Fault as Drawn, Intensity, Nemesis};
use crate::{NodeInstant, Rate, Span};

fn some_span() -> impl Strategy<Value = Span> {
    (1_i64..200_000_000_000_000).prop_map(Span::from_nanos)
}

fn lasts() -> impl Strategy<Value = Option<Span>> {
    prop::option::of(some_span())
}

fn clock() -> impl Strategy<Value = Clocks> {
    select(vec![Clocks::Wall, Clocks::All])
}

fn length() -> impl Strategy<Value = Length> {
    prop_oneof![
        some_span().prop_map(|span| Length::fixed(span).unwrap()),
        Just("uniform(10ms,2s)".parse().unwrap()),
        Just("lognormal(200ms,0.5)".parse().unwrap()),
        Just("file(/tmp/some log)".parse().unwrap()),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let rate = || (-(1_i64 << 32)..(1 << 40)).prop_map(Rate::from_parts);
    let signed = || any::<i64>().prop_map(Span::from_nanos);
    prop_oneof![
        (signed(), clock(), lasts()).prop_map(|(by, clock, lasts)| Action::Jump(Jump { by, clock, lasts })),
        (any::<i64>(), lasts())
            .prop_map(|(to, lasts)| Action::Set(Set { to: NodeInstant::from_nanos(to), lasts })),
        (rate(), clock(), lasts()).prop_map(|(rate, clock, lasts)| Action::Drift(Drift {
            rate,
            clock,
            lasts
        })),
        (signed(), rate(), clock(), lasts()).prop_map(|(by, rate, clock, lasts)| Action::Slew(Slew {
            by,
            rate,
            clock,
            lasts
        })),
        (clock(), lasts()).prop_map(|(clock, lasts)| Action::Stall(Stall { clock, lasts })),
        (signed(), some_span(), lasts()).prop_map(|(amplitude, period, lasts)| Action::Strobe(Strobe {
            amplitude,
            period,
            lasts
        })),
        (select(vec![LeapKind::Insert, LeapKind::Delete, LeapKind::Smear]), lasts())
            .prop_map(|(kind, window)| Action::Leap(Leap { kind, window })),
        freeze().prop_map(Action::Freeze),
        (some_span(), prop::option::of(select(vec![WallAfter::Stale, WallAfter::Corrected])), lasts())
            .prop_map(|(lasts, wall, after)| Action::Suspend(Suspend { lasts, wall, after, slew: None })),
        lasts().prop_map(|restart| Action::Kill(Kill { restart })),
        Just(Action::Heal(Heal {})),
        (".{1,20}", prop::option::of(".{1,20}"))
            .prop_map(|(command, undo)| Action::Run(Run { command, undo })),
    ]
}

fn freeze() -> impl Strategy<Value = Freeze> {
    let options = (
        prop::option::of(length()),
        prop::option::of(length()),
        prop::option::of(1_u32..99),
        lasts(),
        prop::option::of(select(vec![ReadOf::Wall, ReadOf::Mono])),
        prop::option::of(select(vec![Held::Thread, Held::Node])),
        prop::option::of(1_u64..(1 << 40)),
        prop::option::of((1_u32..1_000).prop_map(|part| f64::from(part) / 1_000.0)),
        prop::option::of(select(vec![Means::Auto, Means::Signal, Means::Cgroup, Means::Thread])),
        prop::collection::vec(select(vec!["G1 Conc*", "7", "a?b"]), 0..3),
    );
    options.prop_map(|(lasts, every, count, until, on_read, hold, nth, probability, how, thread)| Freeze {
        lasts,
        every,
        count,
        until,
        on_read,
        hold,
        nth,
        probability,
        how,
        thread: thread.into_iter().map(|pattern| pattern.parse().unwrap()).collect(),
        // TOML's whole numbers have a sign.
        seed: nth,
        preset: crate::freeze::shape::Preset::ALL.into_iter().find(|_| count == Some(7)),
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let after = (
        prop::option::of(".{0,9}"),
        prop::option::of("[a-z]{1,3}"),
        prop::option::of(port()),
        prop::option::of(length()),
    )
        .prop_map(|(output, node, connect, delay)| After {
            output,
            node,
            connect,
            delay,
            ..After::default()
        });
    let when = prop_oneof![
        some_span().prop_map(When::At),
        (some_span(), some_span()).prop_map(|(from, to)| When::Between(from, to)),
        (length(), lasts(), prop::option::of(any::<u32>())).prop_map(|(gap, first, count)| When::Every {
            gap,
            first,
            count
        }),
        after.prop_map(When::After),
    ];
    let who = prop_oneof![
        "[a-z]{1,5}".prop_map(Who::One),
        prop::collection::vec("[a-z]{1,5}", 0..3).prop_map(Who::Several),
        ".{0,9}".prop_map(|command| Who::Named { command }),
    ];
    (when, prop::option::of(who), action(), any::<bool>()).prop_map(|(when, who, action, optional)| Entry {
        when,
        who,
        action,
        optional,
    })
}

fn port() -> impl Strategy<Value = Port> {
    prop_oneof![any::<u16>().prop_map(Port::Number), "[a-z]{1,5}".prop_map(Port::Named)]
}

fn program() -> impl Strategy<Value = Program> {
    let ready = (prop::option::of(port()), prop::option::of(".{0,9}"), some_span())
        .prop_map(|(port, output, within)| Ready { port, output, command: None, within });
    let stop = some_span().prop_map(|within| Stop { signal: "INT".to_owned(), within });
    (
        prop::collection::vec(".{0,12}", 0..4),
        prop::collection::btree_map("[A-Z]{1,4}", ".{0,9}", 0..3),
        prop::option::of("[a-z/]{1,9}"),
        prop::option::of(ready),
        prop::option::of(stop),
        any::<(bool, bool, bool, bool, bool)>(),
        prop::collection::vec("[a-z]{1,3}", 0..2),
    )
        .prop_map(|(command, env, dir, ready, stop, flags, needs)| Program {
            command,
            env,
            dir: dir.map(Into::into),
            reach: flags.4.then_some(Reach::Preload),
            ready,
            stop,
            monotonic: flags.0,
            share: flags.1,
            allow_settime: flags.2,
            ends: flags.3,
            restart: if flags.4 { Restart::Always } else { Restart::Never },
            needs,
        })
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let head =
        (".{0,9}", some_span(), some_span(), prop::option::of(0_u64..(1 << 62)), any::<(bool, bool)>())
            .prop_map(|(name, duration, recovery, seed, (heal, output))| Head {
                name,
                duration,
                recovery,
                seed,
                heal,
                output,
                sample: duration,
                ports: if heal { Vec::new() } else { vec!["lock".to_owned(), "b-2".to_owned()] },
            });
    let nemesis =
        (prop::option::of(0_u64..9), lasts(), any::<bool>()).prop_map(|(seed, max_skew, high)| Nemesis {
            seed,
            max_skew,
            intensity: if high { Intensity::High } else { Intensity::Medium },
            mix: if high { vec![Drawn::Jump, Drawn::Kill] } else { Vec::new() },
            minority: high.then_some(false),
            quiet: max_skew,
        });
    let nodes = prop::collection::vec((".{1,6}", program()), 0..4);
    let rules = vec!["fencing", "recovers-within=5s", "progress=10/1s", "no-cascade", "linearizable"];
    let checks = prop::sample::subsequence(rules, 0..4)
        .prop_map(|rules| rules.into_iter().map(|rule| rule.parse().unwrap()).collect());
    (head, nodes, prop::option::of(nemesis), prop::collection::vec(entry(), 0..6), checks).prop_map(
        |(head, nodes, nemesis, timeline, checks)| Scenario {
            head,
            nodes: nodes.into_iter().collect(),
            nemesis,
            timeline,
            checks,
        },
    )
}

proptest! {
    #[test]
    fn any_model_is_written_and_read_back_the_same(scenario in scenario()) {
        let text = scenario.to_toml().unwrap();
        let raw: raw::RawScenario = toml::from_str(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
        let read = file::of_raw(raw).unwrap_or_else(|why| panic!("{why:?}\n{text}"));
        prop_assert_eq!(read, scenario, "\n{}", text);
    }

    #[test]
    fn any_action_is_the_same_in_a_history(action in action()) {
        let text = serde_json::to_string(&action).unwrap();
        prop_assert_eq!(serde_json::from_str::<Action>(&text).unwrap(), action);
    }

    #[test]
    fn no_text_panics(text in ".{0,200}", old in 0_usize..900, new in ".{0,6}", length in 0_usize..9) {
        let _ = parse(&text);
        let begin = old.min(EXAMPLE.len());
        let end = (begin + length).min(EXAMPLE.len());
        let mutated = format!("{}{new}{}", &EXAMPLE[..begin], &EXAMPLE[end..]);
        if let Ok(scenario) = parse(&mutated) {
            prop_assert_eq!(parse(&scenario.to_toml().unwrap()).unwrap(), scenario);
        }
    }
}
