//! What a scenario file means, what is wrong with it, and that it is the builder's model.

use proptest::prelude::*;
use proptest::sample::select;

use super::action::*;
use super::model::*;
use super::*;
use crate::fault::{Clocks, LeapKind};
use crate::freeze::shape::Length;
use crate::nemesis::{Fault as Drawn, Intensity, Nemesis};
use crate::{NodeInstant, Rate, Span};

const EXAMPLE: &str = r#"
[scenario]
name = "paused leaseholder"
duration = "30s"

[nodes.a]
command = ["./lease", "--id", "a"]
ready = { port = 7001, within = "5s" }
restart = "never"

[nodes.b]
command = ["./lease", "--id", "b"]
monotonic = true

[[timeline]]
at = "5s"
node = "a"
freeze = { for = "4500ms" }

[[timeline]]
at = "12s"
node = ["a", "b"]
jump = "-5s"

[[timeline]]
after = { output = "elected leader", node = "b", delay = "200ms" }
node = "b"
drift = { rate = "500ppm", clock = "all", for = "5s" }

[[timeline]]
between = ["20s", "25s"]
node = "minority"
kill = { restart = "2s" }

[[timeline]]
at = "1s"
run = "tc qdisc add dev lo root netem delay 1ms"
undo = "tc qdisc del dev lo root"
"#;

fn parse(text: &str) -> crate::Result<Scenario> {
    file::parse(text, "test.toml")
}

#[test]
fn the_example_of_the_documents_is_what_it_says() {
    let scenario = parse(EXAMPLE).unwrap();
    assert_eq!(scenario.nodes.keys().collect::<Vec<_>>(), ["a", "b"]);
    let freeze = Action::Freeze(Freeze { lasts: "4500ms".parse().ok(), ..Freeze::default() });
    let jump = Action::Jump(Jump { by: Span::from_secs(-5), ..Jump::default() });
    let program = |id: &str| Program::new(["./lease", "--id", id]);
    let ready = Ready { port: Some(7001), within: Span::from_secs(5), ..Ready::default() };
    let built = Scenario::builder("paused leaseholder", Span::from_secs(30))
        .node("a", Program { ready: Some(ready), ..program("a") })
        .node("b", Program { monotonic: true, ..program("b") })
        .at(Span::from_secs(5), "a", freeze)
        .entry(Entry {
            when: When::At(Span::from_secs(12)),
            who: Some(Who::Several(vec!["a".to_owned(), "b".to_owned()])),
            action: jump,
            optional: false,
        })
        .after(
            After {
                output: Some("elected leader".to_owned()),
                node: Some("b".to_owned()),
                delay: Some(Span::from_millis(200)),
                ..After::default()
            },
            "b",
            Action::Drift(Drift {
                rate: crate::units::parse_rate("500ppm").unwrap(),
                clock: Clocks::All,
                lasts: Some(Span::from_secs(5)),
            }),
        )
        .entry(Entry {
            when: When::Between(Span::from_secs(20), Span::from_secs(25)),
            who: Some(Who::One("minority".to_owned())),
            action: Action::Kill(Kill { restart: Some(Span::from_secs(2)) }),
            optional: false,
        })
        .at(
            Span::from_secs(1),
            "",
            Action::Run(Run {
                command: "tc qdisc add dev lo root netem delay 1ms".to_owned(),
                undo: Some("tc qdisc del dev lo root".to_owned()),
            }),
        )
        .build()
        .unwrap();
    assert_eq!(scenario, built);
    assert_eq!(parse(&built.to_toml().unwrap()).unwrap(), built);
}

/// The example with one text in it replaced.
fn with(old: &str, new: &str) -> String {
    assert!(EXAMPLE.contains(old), "{old}");
    EXAMPLE.replacen(old, new, 1)
}

#[test]
fn what_is_wrong_is_underlined() {
    for (text, line, underlined, why) in [
        (with("restart = ", "restrat = "), 9, "restrat", "unknown field `restrat`"),
        (with("at = \"5s\"", "at = \"5\""), 16, "\"5\"", "'5' has no unit"),
        (with("at = \"5s\"", "at = \"31s\""), 16, "\"31s\"", "not before the end"),
        (with("at = \"5s\"", "at = \"-1s\""), 16, "\"-1s\"", "before the start"),
        (with("at = \"5s\"", "at = \"29s\""), 18, "freeze", "would end at 33.5s"),
        (with("node = \"a\"\nfreeze", "node = \"c\"\nfreeze"), 17, "\"c\"", "there is no node 'c'"),
        (with("[\"a\", \"b\"]", "[\"a\", \"c\"]"), 22, "\"c\"", "there is no node 'c'"),
        (with("[\"a\", \"b\"]", "[\"a\", \"a\"]"), 22, "\"a\"", "is there twice"),
        (with("[\"a\", \"b\"]", "[]"), 22, "[]", "the list is empty"),
        (with("jump = \"-5s\"", "jump = \"0s\""), 23, "\"0s\"", "a span of 0 is no fault"),
        (with("jump = \"-5s\"", "jump = \"-5s\"\nstall = \"1s\""), 24, "\"1s\"", "an entry does one thing"),
        (with("jump = \"-5s\"", ""), 20, "[[timeline]]", "nothing that is done then"),
        (with("at = \"12s\"", ""), 20, "[[timeline]]", "does not say when"),
        (
            with("at = \"12s\"", "at = \"12s\"\nbetween = [\"1s\", \"2s\"]"),
            22,
            "[\"1s\", \"2s\"]",
            "contradict",
        ),
        (with("at = \"12s\"", "at = \"12s\"\ncount = 3"), 22, "3", "nothing comes again"),
        (with("[\"20s\", \"25s\"]", "[\"25s\", \"20s\"]"), 31, "[\"25s\", \"20s\"]", "not after the first"),
        (with("elected leader", "elected (leader"), 26, "\"elected (leader\"", "unclosed group"),
        (with("monotonic = true\n", ""), 26, "\"b\"", "monotonic clocks of node b"),
        (with("500ppm", "500"), 28, "\"500\"", "'500' has no unit"),
        (with("[nodes.a]", "[nodes.all]"), 6, "all", "that word selects nodes"),
        (with("run = \"tc qdisc add dev lo root netem delay 1ms\"\n", ""), 37, "\"tc", "take back"),
        (with("duration = \"30s\"", "duration = \"0s\""), 4, "\"0s\"", "not longer than nothing"),
        (with("port = 7001", "port = 70010"), 8, "70010", "70010"),
        (with("within = \"5s\"", "output = \"x\""), 8, "ready", "one of port, output and command"),
        (with("freeze = { for = \"4500ms\" }", "freeze = { how = \"signal\" }"), 18, "freeze", "how long"),
        (with("freeze = { for = \"4500ms\" }", "freeze = { for = \"1s\", nth = 3 }"), 18, "3", "add on-read"),
        (with("[scenario]", "[scenario"), 2, "[scenario", ""),
    ] {
        let error = parse(&text).expect_err(why).to_string();
        assert!(error.contains(&format!("line {line}, column ")), "{why}: {error}");
        assert!(error.contains(why), "{why}: {error}");
        let carets = error.lines().rfind(|line| line.contains('^')).unwrap_or_default().matches('^').count();
        let least = underlined.chars().count().min(9);
        assert!(carets >= least || underlined.starts_with('['), "{why}: {carets} of {least}\n{error}");
    }
}

#[test]
fn nodes_that_wait_for_one_another_are_refused() {
    let text =
        with("restart = \"never\"", "needs = [\"b\"]").replacen("monotonic = true", "needs = [\"a\"]", 1);
    assert!(parse(&text).unwrap_err().to_string().contains("waits for itself"));
}

#[test]
fn a_builder_is_refused_as_a_file_is() {
    let jump = Action::Jump(Jump { by: Span::from_secs(1), ..Jump::default() });
    let built = Scenario::builder("x", Span::from_secs(3))
        .node("a", Program::new(["date"]))
        .at(Span::from_secs(4), "a", jump)
        .build();
    let error = built.unwrap_err().to_string();
    assert!(error.contains("timeline entry 1, at: 4s is not before the end"), "{error}");
}

fn three() -> Scenario {
    let text = "[scenario]\nname = \"x\"\nduration = \"60s\"\n[nodes.a]\ncommand = [\"x\"]\n[nodes.b]\ncommand = [\"x\"]\n\
                [nodes.c]\ncommand = [\"x\"]\n[[timeline]]\nbetween = [\"1s\", \"50s\"]\nnode = \"one\"\njump = \"1s\"\n\
                [[timeline]]\nevery = \"exponential(4s)\"\nnode = \"majority\"\nfreeze = \"uniform(1ms,9ms)\"\n\
                [[timeline]]\nat = \"2s\"\nnode = \"a\"\nfreeze = { preset = \"gc-young\", count = 5 }\n";
    parse(text).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_timeline() {
    let scenario = three();
    let drawn = |seed| timeline(&scenario, seed).unwrap();
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));
    let drawn = drawn(7);
    assert!(drawn.windows(2).all(|pair| pair[0].id < pair[1].id));
    let of = |entry| drawn.iter().filter(move |planned| planned.entry == entry);
    assert_eq!(of(0).count(), 1);
    assert_eq!(of(1).count() % 2, 0, "a majority of three is two");
    assert_eq!(of(2).count(), 5);
    let lengths = of(2).map(|planned| match &planned.action {
        Action::Freeze(freeze) => freeze.lasts.as_ref().and_then(Length::as_fixed).unwrap(),
        other => panic!("{other:?}"),
    });
    assert!(lengths.into_iter().all(|length| (40..=60).contains(&(length.as_nanos() / 1_000_000))));
}

#[test]
fn one_entry_more_does_not_change_what_the_others_draw() {
    let mut scenario = three();
    let strip = |all: Vec<Planned>| -> Vec<Planned> {
        all.into_iter()
            .filter(|planned| planned.entry < 3)
            .map(|planned| Planned { id: 0, ..planned })
            .collect()
    };
    let before = strip(timeline(&scenario, 7).unwrap());
    scenario.timeline.push(scenario.timeline[0].clone());
    assert_eq!(strip(timeline(&scenario, 7).unwrap()), before);
}

#[test]
fn reserved_names_mean_so_many() {
    for (nodes, one, minority, majority) in
        [(1, 1, 1, 1), (2, 1, 1, 2), (3, 1, 1, 2), (4, 1, 1, 3), (5, 1, 2, 3), (7, 1, 3, 4)]
    {
        let counts =
            [Choice::One, Choice::Minority, Choice::Majority, Choice::All].map(|some| some.count(nodes));
        assert_eq!(counts, [one, minority, majority, nodes], "of {nodes}");
    }
}

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
        preset: crate::freeze::shape::Preset::ALL.into_iter().find(|_| count == Some(7)),
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let after =
        (prop::option::of(".{0,9}"), prop::option::of("[a-z]{1,3}"), prop::option::of(any::<u16>()), lasts())
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

fn program() -> impl Strategy<Value = Program> {
    let ready = (prop::option::of(any::<u16>()), prop::option::of(".{0,9}"), some_span())
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
    (head, nodes, prop::option::of(nemesis), prop::collection::vec(entry(), 0..6)).prop_map(
        |(head, nodes, nemesis, timeline)| Scenario {
            head,
            nodes: nodes.into_iter().collect(),
            nemesis,
            timeline,
        },
    )
}

proptest! {
    #[test]
    fn any_model_is_written_and_read_back_the_same(scenario in scenario()) {
        let text = scenario.to_toml().unwrap();
        let raw: model::RawScenario = toml::from_str(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
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
