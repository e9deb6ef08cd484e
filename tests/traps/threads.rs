//! Who is held: the thread alone, the whole node, a handler in turn, children.

use libtest_mimic::Trial;

use super::{Reader, armed, expect_length, held_of, of};
use crate::harness::{Lab, MILLISECOND, SECOND, mono};

pub fn trials(libc: &'static str) -> Vec<Trial> {
    vec![
        of("the other threads run on", libc).shown_by(move |lab| others_run(lab, libc)),
        of("handlers that interrupt a held thread run, and it is held for as long all the same", libc)
            .shown_by(move |lab| handlers(lab, libc)),
        of("a handler that reads may be held in turn", libc).shown_by(move |lab| handler_held(lab, libc)),
        of("children of fork and vfork are held, and counted with their parents", libc)
            .shown_by(move |lab| children(lab, libc)),
        of("with --hold node all stands still, and the thread goes on with the rest", libc)
            .shown_by(move |lab| whole_node(lab, libc)),
        of("where a sandbox refuses futex nobody is held, and that is said", libc)
            .shown_by(move |lab| sandbox(lab, libc)),
    ]
}

fn others_run(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &[]);
    let mut live = armed(lab, &["--on-read", "wall", "--nth", "3", "--for", "300ms"]);
    let lines = reader.ask("threads 10");
    let held = held_of(&lines);
    assert_eq!(held.len(), 1);
    expect_length(&held, 300);
    let counted: i64 = lines
        .iter()
        .find_map(|line| line.strip_prefix("counted ")?.parse().ok())
        .expect("the other thread's count");
    // In 300 ms of a processor there are hundreds of millions; a machine that is busy leaves some of it.
    assert!(counted > 1_000_000, "the other thread came to {counted}");
    assert_eq!(live.end(), 0);
    reader.live.finish();
}

fn handlers(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &[]);
    // The handler reads at most every 20 ms, the thread all the time: so it is the thread.
    let mut live = armed(lab, &["--on-read", "wall", "--nth", "5000", "--for", "500ms"]);
    let lines = reader.ask("handler 20000");
    let held = held_of(&lines);
    let handled = handled(&lines);
    assert!(held.iter().any(|one| one.length >= 500 * MILLISECOND), "held too short: {held:?}");
    assert!(handled.0 >= 10, "only {} handlers ran meanwhile", handled.0);
    assert_eq!(live.end(), 0);
    reader.live.finish();
}

/// How often the handler ran, and how often it was held.
fn handled(lines: &[String]) -> (u32, u32) {
    let line = lines.iter().find_map(|line| line.strip_prefix("handled ")).expect("the handlers' count");
    let (ran, held) = line.split_once(' ').expect("two numbers");
    (ran.parse().expect("a number"), held.parse().expect("a number"))
}

fn handler_held(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &[]);
    // The first one that is held is the handler: the thread itself does not read before two have run.
    let mut live = armed(lab, &["--on-read", "wall", "--count", "2", "--for", "100ms"]);
    let lines = reader.ask("handler 10");
    assert!(handled(&lines).1 >= 2, "{lines:?}");
    assert_eq!(live.end(), 0);
    reader.live.finish();
}

fn children(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &[]);
    for command in ["fork 5", "vfork 5"] {
        let mut live = armed(lab, &["--on-read", "wall", "--nth", "4", "--count", "2", "--for", "100ms"]);
        assert!(reader.held("read 2").is_empty());
        let held = reader.held(command);
        assert_eq!(held.iter().map(|one| one.number).collect::<Vec<_>>(), [2], "{command}");
        expect_length(&held, 100);
        let line = live.line_where(|line| line.contains("held: process"));
        assert!(!line.contains(&format!("process {},", reader.pid)), "it is the child's: {line}");
        assert_eq!(reader.held("read 1").len(), 1, "the parent's read is the eighth");
        assert_eq!(live.end(), 0);
    }
    reader.live.finish();
}

fn whole_node(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &[]);
    let program = lab.target("tree").of(libc).path();
    let mut tree = lab.run("a", &[], [program.as_os_str(), "3".as_ref(), "1".as_ref()]).live();
    tree.line_where(|line| line.starts_with("pids"));
    let counts = |tree: &mut crate::harness::Live| {
        tree.say("counts");
        let line = tree.line_where(|line| line.starts_with("counts"));
        line.split(' ').filter_map(|word| word.parse::<i64>().ok()).collect::<Vec<_>>()
    };
    counts(&mut tree);
    let mut live = lab.bare_live(
        crate::harness::binary(),
        ["freeze", "a", "--on-read", "wall", "--nth", "5", "--hold", "node", "--for", "400ms", "--json"],
    );
    lab.status_until("a", "the trap", |status| status["trap"]["armed"].as_object().map(drop));
    let held = reader.held("read 10");
    let went_on = mono();
    assert_eq!(held.iter().map(|one| one.number).collect::<Vec<_>>(), [5]);
    expect_length(&held, 400);
    // The tree answers once it runs again.
    counts(&mut tree);
    assert_eq!(live.end(), 0);
    let said: serde_json::Value = serde_json::from_str(&live.line()).expect("one object");
    let pause = &said["firings"][0]["pause"];
    assert_eq!(pause["processes"].as_array().map(Vec::len), Some(4), "{said}");
    let at = |value: &serde_json::Value| value.as_i64().unwrap_or_else(|| panic!("{said}"));
    let (confirmed, resumed) = (at(&pause["last_confirmed_ns"]), at(&pause["thawed"]["first_resumed_ns"]));
    assert!(resumed - confirmed >= 400 * MILLISECOND, "{said}");
    // Where the command is late its guards end the pause, which it notices a little later.
    assert!(
        at(&said["firings"][0]["ended_ns"]) >= at(&pause["until_ns"]),
        "it went on before the others: {said}"
    );
    assert!(went_on - at(&said["firings"][0]["at_ns"]) < 6 * SECOND, "it waited for its own deadline");
    tree.finish();
    reader.live.finish();
}

fn sandbox(lab: &Lab, libc: &str) {
    let mut reader = Reader::start(lab, libc, &[]);
    reader.ask("sandbox 1");
    let mut live = armed(lab, &["--on-read", "wall", "--nth", "2", "--for", "300ms"]);
    let begun = mono();
    assert!(reader.held("read 3").is_empty() || mono() - begun < 300 * MILLISECOND, "it was held");
    let line = live.line_where(|line| line.contains("not held"));
    assert!(line.contains("sandbox"), "{line}");
    assert_eq!(live.end(), 3);
    reader.live.finish();
}
