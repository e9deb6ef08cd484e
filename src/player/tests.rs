//! The player from a test like anybody's own: in a process with many threads, without a falseticker to execute.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::*;
use crate::Span;
use crate::history::{Event, Reader};
use crate::scenario::action::{Action, Freeze, Jump, Kill};
use crate::scenario::{After, Entry, Program, When, Who};

fn reader(name: &str) -> (String, Program) {
    let script = "echo up; exec 9<> <(:); while :; do : $EPOCHSECONDS; read -t 0.02 -u 9; done";
    let program = Program::new(["bash", "-c", script]).ready_when_it_says("up");
    (format!("player-{}-{name}", std::process::id()), program)
}

#[test]
fn a_scenario_that_is_built_is_played_and_judged() {
    let (name, program) = reader("whole");
    let jump = Action::Jump(Jump { by: Span::from_secs(-5), ..Jump::default() });
    let freeze = Action::Freeze(Freeze { lasts: "100ms".parse().ok(), ..Freeze::default() });
    let scenario = Scenario::builder("built", Span::from_millis(1_500))
        .recovery(Span::from_millis(100))
        .node(&name, program)
        .at(Span::from_millis(200), &name, jump)
        .at(Span::from_millis(500), "all", freeze)
        .at(Span::from_millis(800), "one", Action::Kill(Kill { restart: Some(Span::from_millis(50)) }))
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("history");
    let options = Options { history: Some(history.clone()), seed: Some(7), ..Options::default() };
    let outcome = play(&scenario, options).unwrap();
    assert!(outcome.holds() && outcome.seed == 7, "{outcome:?}");
    let mut reader = Reader::open(&history).unwrap();
    assert_eq!((reader.header().scenario.as_str(), reader.header().seed), ("built", 7));
    let mut frozen = 0;
    while let Some(line) = reader.next_line().unwrap() {
        frozen += usize::from(matches!(line.event, Event::Frozen { .. }));
    }
    assert_eq!(frozen, 1);
    assert!(crate::Node::open(&name).is_err(), "its node is gone");
}

#[test]
fn one_that_is_interrupted_leaves_nothing() {
    let (name, program) = reader("stopped");
    let after = After { output: Some("never".to_owned()), ..After::default() };
    let scenario = Scenario::builder("stopped", Span::from_secs(3_600))
        .node(&name, program)
        .entry(Entry {
            when: When::After(after),
            who: Some(Who::One(name.clone())),
            action: Action::Jump(Jump { by: Span::from_secs(1), ..Jump::default() }),
            optional: false,
        })
        .build()
        .unwrap();
    let (cancel, held) = UnixStream::pair().unwrap();
    let mut held = Some(held);
    let observer: crate::history::Observer = Box::new(move |line| {
        if matches!(line.event, Event::Start { .. }) {
            held.take();
        }
    });
    let cancel = Some(OwnedFd::from(cancel));
    let outcome =
        play(&scenario, Options { cancel, observer: Some(observer), ..Options::default() }).unwrap();
    assert!(outcome.interrupted && !outcome.holds() && outcome.checks.is_empty());
    assert!(crate::Node::open(&name).is_err(), "its node is gone");
}
