//! Following: whoever a node's process becomes or begets is reached, whoever follows dies, and nothing is left traced.

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::HOUR;
use super::programs::ALL;
use crate::harness::{Lab, Live, Reading, SECOND, binary, eventually, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("follow: {sentence}")).needs("cc", "gcc");
    vec![
        of("static children of a shell are reached, and a dynamic one whose environment was cleared")
            .shown_by(children),
        of("status says by which means a program was to be reached, and why").shown_by(chosen),
        of("a program that a thread executes is reached").shown_by(by_thread),
        of("an exec that fails says what it says bare").shown_by(failing),
        of("nothing is traced, and a debugger can come").needs("gdb", "gdb").shown_by(untraced),
        of("if the keeper is killed, run goes on following").shown_by(|lab| killed(lab, "ft-keeper")),
        of("if run is killed, the keeper goes on following").shown_by(|lab| killed(lab, "falseticker")),
        of("--reach preload does not follow").shown_by(not_followed),
        of("--strict-tree ends a program of which something escapes, before that runs")
            .needs("strace", "strace")
            .shown_by(strict),
        of("without it an escape is listed, with the reason").needs("strace", "strace").shown_by(escaped),
        of("where another filter has a listener already, it follows by ptrace, and says so")
            .shown_by(by_ptrace),
        of("a node inside a node is its own").shown_by(nested),
        of("fifty programs executed at the same time are all reached").shown_by(many),
    ]
}

fn shell(lab: &Lab, flags: &[&str]) -> Live {
    lab.run("a", flags, ["sh"]).live()
}

/// The wall clock's first skew of the probe that a shell is told to start.
#[track_caller]
fn first(shell: &mut Live, command: &str) -> i64 {
    shell.say(command);
    let line = shell.line_where(|line| line.starts_with("ready "));
    Reading::parse(&line).map_or_else(|| panic!("the probe says {line:?}"), |reading| reading.skew)
}

fn is(skew: i64, expected: i64) -> bool {
    (skew - expected).abs() < SECOND / 10
}

fn children(lab: &Lab) {
    let mut shell = shell(lab, &["--jump", "-1h"]);
    for kind in ALL.into_iter().filter(|kind| !kind.is_go()) {
        let path = kind.probe(lab);
        for way in ["", "env -i ", "sh -c 'exec \"$0\"' "] {
            let skew = first(&mut shell, &format!("{way}{} < /dev/null", path.display()));
            assert!(is(skew, -HOUR), "{way}{}: {skew} ns", kind.name);
        }
    }
    assert_eq!(shell.finish(), 0);
}

fn by_thread(lab: &Lab) {
    let target = lab.target("execs").flags(["-static"]).path();
    let done = lab.run("a", &["--jump", "-1h"], [target]).done().expect_code(0);
    let skew: i64 = done.text().trim().parse().expect("a number");
    assert!(is(skew, -HOUR), "{skew} ns");
}

fn chosen(lab: &Lab) {
    let mut live = lab.run("a", &[], [ALL[0].probe(lab)]).live();
    live.line();
    let status = lab.status("a");
    assert_eq!(status["choices"][0]["reach"], "vdso", "{status}");
    assert!(status["choices"][0]["why"].as_str().is_some_and(|why| why.contains("static")), "{status}");
    let text = lab.falseticker(["status", "a"]).expect_code(0);
    assert!(text.text().contains("by vdso: it is linked statically"), "{}", text.text());
    assert_eq!(live.finish(), 0);
}

fn failing(lab: &Lab) {
    let script = "cd /; PATH=/nowhere:/etc:/usr/bin:/bin date +ok; /nowhere/x; echo $?; /etc/passwd; echo $?; /; echo $?";
    let bare = lab.command("sh", ["-c", script]).done();
    let followed = lab.run("a", &[], ["sh", "-c", script]).done();
    assert_eq!(followed.text(), bare.text());
    assert_eq!(followed.stderr, bare.stderr);
}

fn untraced(lab: &Lab) {
    let probe = ALL[0].probe(lab);
    let mut live = lab.run("a", &["--jump", "-1h"], [&probe]).live();
    live.line();
    let pid = lab.status("a")["processes"][0]["pid"].as_i64().expect("the probe is listed");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    assert!(status.contains("TracerPid:\t0\n"), "{status}");
    let attach = ["-p", &pid.to_string(), "-batch", "-ex", "info registers rip"];
    lab.command("gdb", attach).done().expect_code(0);
    live.say("wall");
    let reading = Reading::parse(&live.line()).expect("a reading");
    reading.expect_skew(-HOUR);
    assert_eq!(live.finish(), 0);
}

/// The process of that name in the lab: the keeper, or `run`.
fn own_process(lab: &Lab, name: &str, live: &Live) -> i32 {
    if name != "ft-keeper" {
        return live.pid();
    }
    let record = lab.nodes().join("a/node.json");
    let record = std::fs::read_to_string(record).expect("the node's record");
    let record: Value = serde_json::from_str(&record).expect("it is JSON");
    let pid = record["keepers"][0]["pid"].as_i64().expect("it names the keeper");
    i32::try_from(pid).expect("a pid")
}

fn killed(lab: &Lab, name: &str) {
    let probe = ALL[0].probe(lab);
    let mut shell = shell(lab, &["--jump", "-1h"]);
    assert!(is(first(&mut shell, &format!("{} < /dev/null", probe.display())), -HOUR));
    let pid = own_process(lab, name, &shell);
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it lives");
    eventually("it is gone", || (!crate::harness::alive(pid)).then_some(()));
    for _ in 0..5 {
        let skew = first(&mut shell, &format!("{} < /dev/null", probe.display()));
        assert!(is(skew, -HOUR), "{skew} ns");
    }
    shell.say("exit");
    shell.end();
}

fn not_followed(lab: &Lab) {
    let probe = ALL[0].probe(lab);
    let mut shell = shell(lab, &["--reach", "preload", "--jump", "-1h"]);
    let skew = first(&mut shell, &format!("{} < /dev/null", probe.display()));
    assert!(is(skew, 0), "{skew} ns");
    assert_eq!(shell.finish(), 0);
}

/// A static program that strace has for itself, so that nobody can trace it at its exec.
fn under_strace(lab: &Lab) -> String {
    format!("strace -f -o /dev/null {}", ALL[0].probe(lab).display())
}

fn strict(lab: &Lab) {
    let script = under_strace(lab);
    let run = lab.run(
        "a",
        &["--strict-tree", "--jump", "-1h"],
        ["sh", "-c", &format!("{script} < /dev/null; echo on")],
    );
    let done = run.done().expect_code(125);
    assert!(!done.text().contains("ready") && !done.text().contains("on"), "{}", done.text());
    assert!(done.stderr.contains("would read the true clock"), "{}", done.stderr);
    assert!(done.stderr.contains("traced"), "{}", done.stderr);
}

fn escaped(lab: &Lab) {
    let mut shell = shell(lab, &["--jump", "-1h"]);
    let skew = first(&mut shell, &format!("exec {}", under_strace(lab)));
    assert!(is(skew, 0), "{skew} ns");
    let status = lab.status("a");
    let escapes = status["not_reached"].as_array().cloned().unwrap_or_default();
    assert!(
        escapes.iter().any(|one| one["command"].as_str().is_some_and(|it| it.contains("probe"))),
        "{status}"
    );
    shell.say("quit");
    shell.end();
}

fn many(lab: &Lab) {
    let probe = ALL[0].probe(lab);
    let script = format!("for i in $(seq 50); do {} < /dev/null & done; wait", probe.display());
    let done = lab.run("a", &["--jump", "-1h"], ["sh", "-c", &script]).done().expect_code(0);
    let skews: Vec<i64> =
        done.text().lines().filter_map(Reading::parse).map(|reading| reading.skew).collect();
    assert_eq!(skews.len(), 50, "{}", done.text());
    assert!(skews.iter().all(|skew| is(*skew, -HOUR)), "{skews:?}");
}

/// A shell in node b, which runs in node a, whose filter has the one listener that there can be.
fn nested_shell(lab: &Lab, flags: &[&str]) -> Live {
    let words = ["--reach", "vdso", "--jump", "-1h", "--"].map(str::to_owned);
    let inner = [binary(), "run", "--node", "b"].map(str::to_owned);
    let inner = inner.into_iter().chain(flags.iter().map(|flag| (*flag).to_owned())).chain(words);
    lab.run("a", &["--jump", "-2h"], inner.chain(["sh".into()])).live()
}

fn by_ptrace(lab: &Lab) {
    let probe = ALL[0].probe(lab);
    let mut shell = nested_shell(lab, &[]);
    // By a child of a child, one that a signal has come to, and a thread.
    let commands = [
        format!("{} < /dev/null", probe.display()),
        format!("(kill -USR1 $$; exec {} < /dev/null)", probe.display()),
        format!("sh -c '{} < /dev/null & wait'", probe.display()),
    ];
    shell.say("trap 'echo trapped' USR1");
    for command in commands {
        let skew = first(&mut shell, &command);
        assert!(is(skew, -HOUR), "{command}: {skew} ns");
    }
    assert_eq!(shell.finish(), 0);
    shell.expect_said("followed by ptrace");
}

fn nested(lab: &Lab) {
    let inner = [binary(), "run", "--node", "b", "--jump", "-1h", "--", "sh"];
    let mut shell = lab.run("a", &["--jump", "-2h"], inner).live();
    for kind in [ALL[3], ALL[4]] {
        let skew = first(&mut shell, &format!("{} < /dev/null", kind.probe(lab).display()));
        assert!(is(skew, -HOUR), "{}: {skew} ns", kind.name);
    }
    assert_eq!(shell.finish(), 0);
}
