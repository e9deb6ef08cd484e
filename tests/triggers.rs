//! Triggers: a fault comes when something has happened, not before, and not at all if it is cancelled.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Lab, Live, MILLISECOND, alive, binary, eventually, mono, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("triggers: {sentence}"));
    vec![
        of("each fires a freeze and a jump, and does not before").shown_by(each_fires),
        of("--delay counts from what fired, and nothing comes earlier").shown_by(delayed),
        of("every clock fault can wait for one").shown_by(every_fault),
        of("a series of pauses waits for one too").shown_by(series),
        of("a signal while one is waited for leaves nothing behind: exit code 130").shown_by(cancelled),
        of("a signal within the delay leaves nothing behind either").shown_by(cancelled_in_delay),
        of("a file that is made, changed, moved into place, or is a link's target fires")
            .shown_by(file_events),
        of("a file whose directory goes is an error").shown_by(directory_goes),
        of("a command is never tried twice at a time, and goes with all that it started")
            .shown_by(one_at_a_time),
        of("a command sees the host's clock, also from inside of a node").shown_by(command_outside),
        of("lines of output are looked at whole, by stream, and the last one without an end too")
            .shown_by(whole_lines),
        of("who waits for a line of a program that never ceases to write can be interrupted").shown_by(flood),
        of("all captured programs of a node are listened to, and the end of the last is an error")
            .shown_by(several_programs),
        of("what can never fire, or could not be applied, is refused before anything is waited for")
            .shown_by(refused),
    ]
}

/// A program whose output is captured, and which says what it is told.
fn echo(lab: &Lab) -> Live {
    let script = r#"echo up; while read -r line; do printf '%b' "$line"; done"#;
    let mut live = lab.run("a", &["--capture"], ["bash", "-c", script]).live();
    live.line_where(|line| line == "up");
    live
}

/// A command that waits for its trigger by now: it is prepared before signals are held.
fn waiting(lab: &Lab, arguments: &[&str]) -> Live {
    let mut live = lab.bare_live(binary(), arguments.iter().chain(&["--json"]));
    eventually("it waits", || {
        assert!(!live.has_ended(), "it has ended by itself");
        holds_signals(live.pid()).then_some(())
    });
    live
}

fn holds_signals(pid: i32) -> bool {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return false };
    let texts = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    texts.into_iter().any(|text| text.contains("sigmask:"))
}

fn json(live: &mut Live) -> Value {
    let line = live.line();
    assert_eq!(live.end(), 0, "{line}");
    serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line}"))
}

fn nanos(value: &Value, field: &str) -> i64 {
    value[field].as_i64().unwrap_or_else(|| panic!("no {field} in {value}"))
}

/// Whether the node is frozen, and how many changes it has had.
fn in_force(lab: &Lab) -> (bool, usize) {
    let status = lab.status("a");
    (!status["frozen"].is_null(), status["changes"].as_array().map_or(0, Vec::len))
}

#[track_caller]
fn expect_nothing(lab: &Lab) {
    assert_eq!(in_force(lab), (false, 0));
}

fn each_fires(lab: &Lab) {
    let mut program = echo(lab);
    let path = lab.path("file");
    let file = path.to_str().expect("a path");
    let test = format!("test -e {file}");
    for fault in [["freeze", "a", "--for", "300ms"], ["jump", "a", "-1h", "--for=1s"]] {
        for (trigger, value) in [("--on-file", file), ("--on-command", &test), ("--on-output", "^ready$")] {
            let _ = std::fs::remove_file(&path);
            let so_far = in_force(lab);
            let mut live = waiting(lab, &[fault.as_slice(), &[trigger, value]].concat());
            program.say("not re\\nalready\\n");
            std::fs::write(lab.path("file2"), "x").expect("another file");
            assert_eq!(live.line_within(Duration::from_millis(250)), None, "{trigger}: too early");
            assert_eq!(in_force(lab), so_far, "{trigger}: too early");
            let before = mono();
            match trigger {
                "--on-output" => program.say("ready\\n"),
                _ => std::fs::write(&path, "x").expect("a file"),
            }
            let after = mono();
            let said = json(&mut live);
            let (fired, kind) = (nanos(&said["trigger"], "at_ns"), &said["trigger"]["kind"]);
            let at = nanos(&said, if fault[0] == "freeze" { "first_stop_ns" } else { "at_ns" });
            assert!(before <= fired && fired <= at, "{before} {said}");
            assert_eq!(trigger, format!("--on-{}", kind.as_str().expect("a kind")));
            let late = |instant: i64| (instant - after).max(0) / 1000;
            eprintln!(
                "{} {trigger}: noticed {} us and in force {} us after",
                fault[0],
                late(fired),
                late(at)
            );
        }
    }
    program.finish();
}

fn delayed(lab: &Lab) {
    let mut program = echo(lab);
    for fault in [["freeze", "a", "--for=300ms"], ["jump", "a", "-1h"]] {
        let mut live = waiting(lab, &[fault.as_slice(), &["--on-output", "go", "--delay", "120ms"]].concat());
        program.say("go\\n");
        let said = json(&mut live);
        let at = nanos(&said, if fault[0] == "freeze" { "first_stop_ns" } else { "at_ns" });
        let delay = at - nanos(&said["trigger"], "at_ns");
        assert!(delay >= 120 * MILLISECOND, "after {delay} ns");
        assert_eq!(nanos(&said["trigger"], "delay_ns"), 120 * MILLISECOND);
    }
    program.finish();
}

fn every_fault(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    for (fault, name) in [
        (["set", "a", "@1700000000", ""].as_slice(), "set"),
        (&["drift", "a", "200ppm"], "drift"),
        (&["slew", "a", "1s", "--rate=1%"], "slew"),
        (&["stall", "a", "--for=1s"], "stall"),
        (&["strobe", "a", "--amplitude=1s", "--period=1s"], "strobe"),
    ] {
        let words: Vec<&str> = fault.iter().copied().filter(|word| !word.is_empty()).collect();
        let said = lab.fault_json(&[words.as_slice(), &["--on-command", "true"]].concat());
        assert!(said["fault"].as_str().is_some_and(|fault| fault.starts_with(name)), "{said}");
        assert_eq!(said["trigger"]["kind"], "command");
        assert!(nanos(&said["trigger"], "at_ns") <= nanos(&said, "at_ns"));
    }
    assert!(lab.fault_json(&["jump", "a", "1s"])["trigger"].is_null());
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn series(lab: &Lab) {
    let program = echo(lab);
    let flags = ["freeze", "a", "--for=200ms", "--every=10ms", "--count=2"];
    let said = lab.fault_json(&[flags.as_slice(), &["--on-command", "true"]].concat());
    assert_eq!(said["trigger"]["on"], "true", "{said}");
    let bad = ["freeze", "a", "--for=file(/nowhere)", "--every=10ms", "--on-command", "exit 1"];
    assert_ne!(lab.falseticker(bad).code, 0);
    drop(program);
}

fn cancelled(lab: &Lab) {
    let program = echo(lab);
    let path = lab.path("file");
    let file = path.to_str().expect("a path");
    let pids = lab.path("pids");
    let hung = format!("echo $$ >> {}; sleep 1000 & sleep 1000", pids.display());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        for fault in [["freeze", "a", "--for=1h"], ["jump", "a", "-1h"]] {
            for trigger in [["--on-file", file], ["--on-command", &hung], ["--on-output", "never"]] {
                let mut live = waiting(lab, &[fault.as_slice(), &trigger].concat());
                if trigger[0] == "--on-command" {
                    eventually("the command runs", || (started(&pids).len() == 1).then_some(()));
                }
                live.signal(signal);
                assert_eq!(live.end(), 130, "{signal} {fault:?} {trigger:?}");
                for pid in started(&pids) {
                    eventually("the end of the command", || (!alive(pid)).then_some(()));
                }
                let _ = std::fs::remove_file(&pids);
                expect_nothing(lab);
            }
        }
    }
    drop(program);
}

fn started(pids: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(pids).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn cancelled_in_delay(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let tried = lab.path("tried");
    let command = format!("touch {}", tried.display());
    let mut live = waiting(lab, &["jump", "a", "-1h", "--on-command", &command, "--delay", "1h"]);
    eventually("it fires", || tried.exists().then_some(()));
    assert_eq!(live.line_within(Duration::from_millis(150)), None, "the delay is over");
    live.signal(Signal::SIGINT);
    assert_eq!(live.end(), 130);
    expect_nothing(lab);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn file_events(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let path = |name: &str| lab.path(name).to_str().expect("a path").to_owned();
    let (there, link, folder) = (path("there"), path("link"), path("folder"));
    std::fs::write(&there, "x").expect("a file");
    std::os::unix::fs::symlink(&there, &link).expect("a link");
    std::fs::create_dir(&folder).expect("a directory");
    for (watched, event, fragment) in [
        (path("new"), format!("mkdir {}", path("new")), "was made"),
        (there.clone(), format!("echo y >> {there}"), "was changed"),
        (there.clone(), format!(": >> {there}"), "was closed after writing"),
        (link.clone(), format!("echo y >> {there}"), "was changed"),
        (there.clone(), format!("echo z > {0}.tmp; mv {0}.tmp {0}", there), "was moved into place"),
        (folder.clone(), format!("touch {folder}/inside"), "was changed"),
    ] {
        let mut live = waiting(lab, &["jump", "a", "1s", "--on-file", &watched]);
        lab.bare(["sh", "-c", &format!("cat {there} > {}; {event}", path("other"))]).expect_code(0);
        let said = json(&mut live);
        assert_eq!(said["trigger"]["on"], format!("{watched} {fragment}"), "upon {event}");
    }
    // By a name that is relative to where the command was given.
    let relative = lab.command(binary(), ["jump", "a", "1s", "--on-file", "later", "--json"]);
    let mut live = relative.current_dir(&folder).live();
    eventually("it waits", || holds_signals(live.pid()).then_some(()));
    std::fs::write(format!("{folder}/later"), "x").expect("a file");
    assert_eq!(json(&mut live)["trigger"]["on"], "later was made");
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn directory_goes(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let folder = lab.path("folder");
    std::fs::create_dir(&folder).expect("a directory");
    let file = folder.join("file");
    let mut live = waiting(lab, &["jump", "a", "1s", "--on-file", file.to_str().expect("a path")]);
    std::fs::remove_dir(&folder).expect("it can be removed");
    assert!(live.line().contains("was removed"));
    assert_eq!(live.end(), 3);
    expect_nothing(lab);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn one_at_a_time(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let (lock, log) = (lab.path("lock"), lab.path("log"));
    let (lock, name) = (lock.display(), log.display());
    let command = format!(
        "mkdir {lock} || echo twice >> {name}; sleep 0.05; rmdir {lock}; echo tried >> {name}; exit 1"
    );
    let mut live = waiting(lab, &["jump", "a", "1s", "--on-command", &command, "--poll", "1ms"]);
    let tries = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("it is tried again and again", || (tries().lines().count() >= 5).then_some(()));
    live.signal(Signal::SIGTERM);
    assert_eq!(live.end(), 130);
    assert!(!tries().contains("twice"), "{}", tries());
    // A command that hangs goes with whoever waits for it, however that ends.
    let pids = lab.path("pids");
    let hung = format!("echo $$ >> {}; exec sleep 1000", pids.display());
    let mut live = waiting(lab, &["jump", "a", "1s", "--on-command", &hung]);
    let pid = eventually("the command runs", || started(&pids).first().copied());
    live.signal(Signal::SIGKILL);
    live.end();
    eventually("the end of the command", || (!alive(pid)).then_some(()));
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn command_outside(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["jump", "a", "-1d"]).expect_code(0);
    let seen = lab.path("seen");
    let command = format!("date +%s > {}", seen.display());
    let true_time: i64 = lab.bare(["date", "+%s"]).text().parse().expect("seconds");
    lab.in_node("a", [binary(), "jump", "a", "1s", "--on-command", &command]).done().expect_code(0);
    let seen: i64 = std::fs::read_to_string(seen).expect("it ran").trim().parse().expect("seconds");
    assert!((0..60).contains(&(seen - true_time)), "{seen} and not {true_time}");
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn whole_lines(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let script = r#"echo up; while read -r where what; do if [ "$where" = err ]; then printf '%b' "$what" >&2; else printf '%b' "$what"; fi; done"#;
    let mut program = lab.run("a", &["--capture"], ["bash", "-c", script]).live();
    program.line_where(|line| line == "up");
    let mut live = waiting(lab, &["jump", "a", "1s", "--on-output", "^re[a]dy$"]);
    // In pieces, mixed with the other stream, with more behind it, and at last as it is wanted.
    for words in ["out re", "err re", "out ady", "err a", "out _or_not\\n", "err dy\\n"] {
        assert_eq!(live.line_within(Duration::from_millis(30)), None, "before {words}");
        program.say(words);
    }
    assert_eq!(json(&mut live)["trigger"]["on"], "ready");
    let mut live = waiting(lab, &["jump", "a", "1s", "--on-output", r"(?-u)^\xff.*end$"]);
    program.say("out \\xffbytes,\\x00the_end\\r\\n");
    assert_eq!(json(&mut live)["trigger"]["kind"], "output");
    let mut live = waiting(lab, &["jump", "a", "1s", "--on-output", "^last$"]);
    program.say("out last");
    assert_eq!(live.line_within(Duration::from_millis(100)), None, "the line goes on");
    program.finish();
    assert_eq!(json(&mut live)["trigger"]["on"], "last");
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn flood(lab: &Lab) {
    let script = format!("exec {} run --node a --capture -- yes > /dev/null", binary());
    let mut program = lab.bare_live("sh", ["-c", &script]);
    let runs = |status: &Value| status["processes"].as_array().filter(|all| !all.is_empty()).map(drop);
    lab.status_until("a", "the program runs", runs);
    let mut live = waiting(lab, &["jump", "a", "1s", "--on-output", "^never$"]);
    assert_eq!(live.line_within(Duration::from_millis(200)), None);
    live.signal(Signal::SIGINT);
    assert_eq!(live.end(), 130);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end(), 128 + Signal::SIGTERM as i32);
}

fn several_programs(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let (mut one, mut two) = (echo(lab), echo(lab));
    for program in [&mut one, &mut two] {
        let mut live = waiting(lab, &["jump", "a", "1s", "--on-output", "here"]);
        program.say("here\\n");
        json(&mut live);
    }
    let mut live = waiting(lab, &["jump", "a", "1s", "--on-output", "never"]);
    one.finish();
    assert_eq!(live.line_within(Duration::from_millis(100)), None, "another one still runs");
    two.signal(Signal::SIGKILL);
    two.end();
    // `run` was killed; its program lives, and is listened to, until it ends.
    assert_eq!(live.line_within(Duration::from_millis(100)), None, "it still runs");
    two.close();
    assert!(live.line().contains("has ended"));
    assert_eq!(live.end(), 3);
    lab.falseticker(["jump", "a", "1s", "--on-output", "x"])
        .expect_code(2)
        .expect_error("--capture -- COMMAND");
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn refused(lab: &Lab) {
    let mut program = lab.run("a", &[], ["sh", "-c", "echo up; read line"]).live();
    program.line_where(|line| line == "up");
    let text = lab.path("text");
    std::fs::write(&text, "x").expect("a file");
    let inside = text.join("file");
    let inside = inside.to_str().expect("a path");
    for fault in [["freeze", "a", "--for=1h"].as_slice(), &["jump", "a", "-1h"]] {
        for (flags, fragment) in [
            (["--on-file", "/nowhere/at/all"].as_slice(), "make the directory first"),
            (&["--on-file", inside], "is no directory"),
            (&["--on-file", "/proc/nothing"], "reports no changes"),
            (&["--on-file", "/"], "no file's name"),
            (&["--on-file", ""], ""),
            (&["--on-command", ""], "empty"),
            (&["--on-command", "no-such-command-at-all"], "no such command"),
            (&["--on-command", "/tmp"], "cannot be executed"),
            (&["--on-output", "(a|b"], "unclosed group"),
            (&["--on-output", "x"], "run --node a --capture"),
            (&["--on-file", "/tmp/x", "--on-command", "true"], "cannot be used with"),
            (&["--on-output", "x", "--on-command", "true"], "cannot be used with"),
            (&["--poll", "1s", "--on-file", "/tmp/x"], "--on-command"),
            (&["--poll", "0s", "--on-command", "true"], "longer than nothing"),
            (&["--delay", "1s"], "--on-file"),
            (&["--delay", "-1s", "--on-command", "true"], "negative"),
        ] {
            let done = lab.falseticker(fault.iter().chain(flags)).expect_code(2);
            assert!(done.stderr.contains(fragment), "{fragment:?} is not in\n{}", done.report());
            expect_nothing(lab);
        }
    }
    let wait = ["--on-file", text.to_str().expect("a path")];
    for fault in [
        ["jump", "a", "0s", "--wait=1s"].as_slice(),
        &["jump", "a", "1h", "--clock=all"],
        &["jump", "a", "1h", "--for=0s"],
        &["jump", "nobody", "1h"],
        &["freeze", "nobody"],
        &["slew", "a", "1s", "--rate=1x"],
        &["set", "a", "noon"],
    ] {
        lab.falseticker(fault.iter().chain(&wait)).expect_code(2);
    }
    expect_nothing(lab);
    kill(Pid::from_raw(program.pid()), Signal::SIGTERM).expect("it runs");
    program.end();
}
