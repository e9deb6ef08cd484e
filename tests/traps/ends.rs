//! Every trap ends, and whoever it holds goes on: by plan, by command, by the death of its controller. What cannot be armed
//! is refused.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{Reader, armed, expect_length, held_of};
use crate::harness::{Lab, MILLISECOND, SECOND, eventually, mono, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("traps: {sentence}")).needs("cc", "gcc");
    vec![
        of("SIGKILL of the command ends an armed trap within 2.5 s, and the next one can be armed")
            .shown_by(killed),
        of("who is held when the command is killed goes on by his own deadline")
            .shown_by(killed_while_holding),
        of("SIGKILL of the command while it holds the whole node lets all go on, the thread too")
            .shown_by(killed_while_frozen),
        of("a command that was stopped for longer than it arms ahead arms anew")
            .shown_by(stopped_for_a_while),
        of("a signal to the command, thaw, heal and remove let everybody go at once").shown_by(let_go),
        of("a second trap is refused, and the refusal says who armed the first").shown_by(second),
        of("what cannot be meant or can never fire is refused, and nothing is armed").shown_by(bad_input),
        of("it ends with the node's processes").shown_by(node_ends),
        of("status says what is armed and who is held").shown_by(status),
    ]
}

fn killed(lab: &Lab) {
    let mut reader = Reader::start(lab, "glibc", &[]);
    for clock in ["wall", "mono"] {
        let mut live = armed(lab, &["--on-read", clock, "--nth", "1000000000", "--for", "1h"]);
        live.signal(Signal::SIGKILL);
        let killed = Instant::now();
        live.end();
        eventually("the end of the trap", || lab.status("a")["trap"]["armed"].is_null().then_some(()));
        // Two seconds after the last renewal, and what a busy machine adds.
        assert!(killed.elapsed() < Duration::from_millis(4_000), "it ended after {:?}", killed.elapsed());
        assert!(reader.held(if clock == "wall" { "read 20" } else { "mono 20" }).is_empty());
        let mut live = armed(lab, &["--on-read", clock, "--for", "100ms"]);
        expect_length(&reader.held(if clock == "wall" { "read 2" } else { "mono 2" }), 100);
        assert_eq!(live.end(), 0);
    }
    reader.live.finish();
}

fn killed_while_holding(lab: &Lab) {
    let mut reader = Reader::start(lab, "glibc", &[]);
    let mut live = armed(lab, &["--on-read", "wall", "--nth", "2", "--for", "1500ms"]);
    reader.live.say("read 3");
    live.line_where(|line| line.contains("held: process"));
    live.signal(Signal::SIGKILL);
    live.end();
    let held = held_of(&reader.answer());
    assert_eq!(held.iter().map(|one| one.number).collect::<Vec<_>>(), [2]);
    expect_length(&held, 1500);
    reader.live.finish();
}

fn killed_while_frozen(lab: &Lab) {
    let mut reader = Reader::start(lab, "glibc", &[]);
    let mut live = armed(lab, &["--on-read", "wall", "--nth", "2", "--hold", "node", "--for", "1h"]);
    reader.live.say("read 3");
    live.line_where(|line| line.contains("frozen within"));
    // Long enough to be told from a read.
    std::thread::sleep(Duration::from_millis(150));
    let killed = mono();
    live.signal(Signal::SIGKILL);
    live.end();
    let held = held_of(&reader.answer());
    // Left to itself the thread would wait for its node to be frozen, for 6 s.
    assert!(mono() - killed < 4 * SECOND, "it went on after {} ns", mono() - killed);
    assert_eq!(held.iter().map(|one| one.number).collect::<Vec<_>>(), [2]);
    reader.live.finish();
}

fn stopped_for_a_while(lab: &Lab) {
    let mut reader = Reader::start(lab, "glibc", &[]);
    let mut live = armed(lab, &["--on-read", "wall", "--nth", "1000", "--for", "100ms"]);
    assert!(reader.held("read 10").is_empty());
    live.signal(Signal::SIGSTOP);
    eventually("the end of the trap", || lab.status("a")["trap"].is_null().then_some(()));
    // These are not counted, and take the fast way from the first on.
    assert!(reader.held("read 5000").is_empty());
    // Nobody else may arm meanwhile, and a thaw would not change that.
    let refused = lab.falseticker(["freeze", "a", "--on-read", "wall", "--for", "1s"]).expect_code(3);
    refused.expect_error(&format!("kill -CONT {}", live.pid()));
    live.signal(Signal::SIGCONT);
    eventually("the trap", || lab.status("a")["trap"]["armed"].as_object().map(drop));
    let held = eventually("a held read", || Some(reader.held("read 50")).filter(|held| !held.is_empty()));
    expect_length(&held, 100);
    assert_eq!(live.end(), 0);
    reader.live.finish();
}

fn let_go(lab: &Lab) {
    let mut reader = Reader::start(lab, "glibc", &[]);
    let ways: [(&str, &[&str]); 4] =
        [("SIGINT", &[]), ("SIGTERM", &[]), ("thaw", &["thaw", "a"]), ("heal", &["heal", "a"])];
    for (way, command) in ways {
        let mut live = armed(lab, &["--on-read", "wall", "--nth", "2", "--count", "5", "--for", "1h"]);
        reader.live.say("read 100");
        live.line_where(|line| line.contains("held: process"));
        // Long enough to be told from a read.
        std::thread::sleep(Duration::from_millis(150));
        let begun = mono();
        match way {
            "SIGINT" => live.signal(Signal::SIGINT),
            "SIGTERM" => live.signal(Signal::SIGTERM),
            _ => drop(lab.falseticker(command).expect_code(0)),
        }
        let held = held_of(&reader.answer());
        assert!(mono() - begun < 10 * SECOND, "{way} let it go late");
        assert_eq!(held.iter().map(|one| one.number).collect::<Vec<_>>(), [2], "{way}");
        let code = live.end();
        assert_eq!(code, if command.is_empty() { 130 } else { 0 }, "{way}");
        assert!(lab.status("a")["trap"].is_null(), "{way} has left something");
    }
    // A node that is removed lets its processes go too.
    let mut live = armed(lab, &["--on-read", "wall", "--for", "1h"]);
    reader.live.say("read 2");
    live.line_where(|line| line.contains("held: process"));
    std::thread::sleep(Duration::from_millis(150));
    lab.falseticker(["remove", "a"]).expect_code(0);
    assert_eq!(held_of(&reader.answer()).len(), 1);
    live.end();
    reader.live.finish();
}

fn second(lab: &Lab) {
    let mut reader = Reader::start(lab, "glibc", &[]);
    let mut first = armed(lab, &["--on-read", "wall", "--nth", "3", "--for", "100ms"]);
    let refused = lab.falseticker(["freeze", "a", "--on-read", "mono", "--for", "1s"]).expect_code(3);
    refused.expect_error(&format!("process {}", first.pid())).expect_error("falseticker thaw a");
    let held = reader.held("read 5");
    assert_eq!(held.iter().map(|one| one.number).collect::<Vec<_>>(), [3], "the first one is as it was");
    assert_eq!(first.end(), 0);
    reader.live.finish();
}

fn bad_input(lab: &Lab) {
    let mut reader = Reader::start(lab, "glibc", &[]);
    let wall = ["freeze", "a", "--on-read", "wall"];
    let refused: [(&[&str], &str); 15] = [
        (&["--nth", "0", "--for", "1s"], "--nth 1"),
        (&["--nth", "1", "--probability", "0.5", "--for", "1s"], "--probability"),
        (&["--probability", "0", "--for", "1s"], "probability"),
        (&["--probability", "1.5", "--for", "1s"], "probability"),
        (&["--probability", "-0.5", "--for", "1s"], "probability"),
        (&["--probability", "NaN", "--for", "1s"], "probability"),
        (&[], "--for"),
        (&["--for", "-1s"], "longer than nothing"),
        (&["--for", "2h"], "--hold node"),
        (&["--count", "0", "--for", "1s"], ""),
        (&["--seed", "1", "--for", "1s"], "--probability"),
        (&["--for", "1s", "--every", "5s"], "--every"),
        (&["--preset", "gc-young"], "--preset"),
        (&["--for", "1s", "--thread", "a*"], "--thread"),
        (&["--for", "1s", "--how", "cgroup"], "--hold node"),
    ];
    for (flags, said) in refused {
        lab.falseticker(wall.iter().chain(flags)).expect_code(2).expect_error(said);
    }
    lab.falseticker(["freeze", "a", "--on-read", "cpu", "--for", "1s"]).expect_code(2);
    lab.falseticker(["freeze", "a", "--nth", "2", "--for", "1s"]).expect_code(2).expect_error("--on-read");
    lab.falseticker(["freeze", "nowhere", "--on-read", "wall", "--for", "1s"]).expect_code(2);
    lab.falseticker(["create", "empty"]).expect_code(0);
    let nobody = lab.falseticker(["freeze", "empty", "--on-read", "wall", "--for", "1s"]);
    nobody.expect_code(3).expect_error("reached");
    lab.falseticker(["remove", "empty"]).expect_code(0);
    assert!(lab.status("a")["trap"].is_null());
    assert!(reader.held("read 10").iter().all(|one| one.length < 500 * MILLISECOND), "something was armed");
    reader.live.finish();
}

fn node_ends(lab: &Lab) {
    let mut reader = Reader::start(lab, "glibc", &[]);
    let mut live = armed(lab, &["--on-read", "wall", "--nth", "1000", "--for", "1s"]);
    reader.live.finish();
    assert_eq!(live.end(), 3);
}

fn status(lab: &Lab) {
    let mut reader = Reader::start(lab, "glibc", &[]);
    let mut live = armed(lab, &["--on-read", "wall", "--nth", "4", "--count", "2", "--for", "1h"]);
    reader.live.say("read 5");
    live.line_where(|line| line.contains("held: process"));
    let trap = lab.status("a")["trap"].clone();
    let (armed, held) = (&trap["armed"], &trap["held"][0]);
    assert_eq!((armed["on"].as_str(), armed["nth"].as_i64()), (Some("read of wall"), Some(4)), "{trap}");
    assert_eq!((armed["fired"].as_i64(), armed["reads"].as_i64()), (Some(1), Some(4)), "{trap}");
    assert_eq!(armed["by"].as_i64(), Some(i64::from(live.pid())), "{trap}");
    assert_eq!(held["pid"].as_i64(), Some(i64::from(reader.pid)), "{trap}");
    assert_eq!(held["number"].as_i64(), Some(4), "{trap}");
    let text = lab.falseticker(["status", "a"]).expect_code(0);
    assert!(
        text.stdout.contains("trap: read of wall") && text.stdout.contains("held after a read"),
        "{}",
        text.report()
    );
    // Who is held by one whose command was killed is seen, and let go, as well.
    live.signal(Signal::SIGKILL);
    live.end();
    eventually("the end of the trap", || lab.status("a")["trap"]["armed"].is_null().then_some(()));
    assert_eq!(lab.status("a")["trap"]["held"].as_array().map(Vec::len), Some(1));
    lab.falseticker(["thaw", "a"]).expect_code(0);
    assert_eq!(held_of(&reader.answer()).len(), 1);
    reader.live.finish();
}
