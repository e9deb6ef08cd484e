//! What a scenario file means, what is wrong with it, and that it is the builder's model.

mod ports;
mod round_trip;

use super::action::*;
use super::model::*;
use super::*;
use crate::Span;
use crate::fault::Clocks;
use crate::freeze::shape::Length;

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
    let ready = Ready { port: Some(7001.into()), within: Span::from_secs(5), ..Ready::default() };
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
                delay: "200ms".parse().ok(),
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
fn a_delay_is_drawn_from_the_seed() {
    let text = EXAMPLE.replace("delay = \"200ms\"", "delay = \"uniform(100ms,2s)\"");
    let scenario = parse(&text).unwrap();
    let drawn = |seed| {
        let planned = timeline(&scenario, seed).unwrap();
        let after = planned.iter().find_map(|planned| match &planned.due {
            Due::After(after) => Some(after.drawn_delay()),
            Due::At(_) => None,
        });
        after.unwrap()
    };
    assert_eq!(drawn(7), drawn(7));
    let delays: Vec<Span> = (0..20).map(drawn).collect();
    assert!(delays.iter().all(|delay| (Span::from_millis(100)..=Span::from_secs(2)).contains(delay)));
    assert!(delays.iter().any(|delay| *delay != delays[0]));
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
