//! `run` is invisible to the program and to whoever called it: exit codes, signals, streams and the terminal pass through.

use std::path::Path;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Lab, alive, binary, eventually, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("run: {sentence}"));
    vec![
        of("the program's exit code is passed on").shown_by(exit_codes),
        of("a program that a signal ended is 128 and the signal's number").shown_by(ended_by_signal),
        of("signals are forwarded to the program").shown_by(signals_forwarded),
        of("standard input, output and error are the program's own").shown_by(streams),
        of("a program on a terminal keeps it: size, foreground, job control")
            .needs("script", "bsdutils")
            .shown_by(terminal),
        of("Ctrl-C reaches the program once, and run ends with it")
            .needs("script", "bsdutils")
            .needs("perl", "perl")
            .shown_by(ctrl_c),
        of("its own failures are 125, cannot run 126, not found 127").shown_by(own_failures),
        of("the record of the run goes to --report, and nothing of it to the program's streams")
            .shown_by(report),
        of("if run is killed the program lives on under its clock").needs("cc", "gcc").shown_by(killed),
        of("an LD_PRELOAD that is set is kept, with the shim before it")
            .needs("cc", "gcc")
            .shown_by(preload_kept),
        of("a program started inside a node and put into another moves there").shown_by(nested),
        of("a second run joins the node").needs("cc", "gcc").shown_by(joins),
        of("the program sees no more open files, ids or signal masks than bare").shown_by(same_surroundings),
        of("its copy works elsewhere: one file carries its shim").shown_by(copied),
    ]
}

fn exit_codes(lab: &Lab) {
    for code in [0, 1, 3, 42, 125, 126, 127, 128, 255] {
        lab.run("a", &["--jump", "-1h"], ["sh", "-c", &format!("exit {code}")]).done().expect_code(code);
    }
}

fn ended_by_signal(lab: &Lab) {
    for signal in
        [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1]
    {
        let kill = format!("ulimit -c 0; kill -{} $$", signal as i32);
        lab.run("a", &[], ["sh", "-c", &kill]).done().expect_code(128 + signal as i32);
    }
}

fn signals_forwarded(lab: &Lab) {
    let script = "trap 'echo usr1' USR1; trap 'echo hup' HUP; trap 'echo int' INT; trap 'echo term; exit 7' TERM; echo ready; while :; do read -t 0.05 x; done";
    let mut live = lab.run("a", &[], ["bash", "-c", script]).live();
    live.line_where(|line| line == "ready");
    for (signal, word) in [
        (Signal::SIGUSR1, "usr1"),
        (Signal::SIGHUP, "hup"),
        (Signal::SIGINT, "int"),
        (Signal::SIGTERM, "term"),
    ] {
        live.signal(signal);
        assert_eq!(live.line(), word);
    }
    assert_eq!(live.end(), 7);
}

fn streams(lab: &Lab) {
    let done = lab
        .run("a", &["--jump", "-1h"], ["sh", "-c", "cat; echo err >&2"])
        .input("one\ntwo\n")
        .done()
        .expect_code(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("one\ntwo\n", "err\n"));
}

fn terminal(lab: &Lab) {
    let probe = "test -t 0 && test -t 1 && test -t 2 && stty size && ps -o stat= -p $$ && read line && echo got $line";
    let command = format!("stty rows 33 cols 77; {} run --node a -- sh -c '{probe}'", binary());
    let mut live = lab.command("script", ["-qec", &command, "/dev/null"]).live();
    let size = live.line_where(|line| line.trim() == "33 77");
    let state = live.line();
    assert!(state.contains('+'), "not in the terminal's foreground: {state:?} after {size:?}");
    live.say("words");
    live.line_where(|line| line.trim() == "got words");
    assert_eq!(live.end(), 0);
}

fn ctrl_c(lab: &Lab) {
    // Not a shell: bash fails in a trap that runs while it reads the output of a command substitution.
    let script = r#"$| = 1; $SIG{INT} = sub { print "caught\n" }; print "ready\n"; select undef, undef, undef, 0.05 for 1..40; print "end\n""#;
    let command = format!("{} run --node a -- perl -e '{script}'", binary());
    let mut live = lab.command("script", ["-qec", &command, "/dev/null"]).live();
    live.line_where(|line| line.trim() == "ready");
    live.say("\u{3}");
    live.line_where(|line| line.trim().ends_with("end"));
    let caught = live.whole().matches("| caught").count();
    assert_eq!(caught, 1, "caught {caught} times");
}

fn own_failures(lab: &Lab) {
    let plain = lab.path("plain.txt");
    std::fs::write(&plain, "text").expect("a file can be written");
    for (words, code, fragment) in [
        (vec!["no-such-command-at-all"], 127, "no such command"),
        (vec!["/nowhere/at/all"], 127, "no such file"),
        (vec!["/tmp"], 126, "directory"),
        (vec![plain.to_str().expect("a path")], 126, "chmod +x"),
    ] {
        lab.run("a", &[], &words).done().expect_code(code).expect_error(fragment);
    }
    for flags in
        [vec!["--jump", "nonsense"], vec!["--drift", "-200%"], vec!["--set", "noon"], vec!["--no-such-flag"]]
    {
        lab.run("a", &flags, ["true"]).done().expect_code(125);
    }
    lab.falseticker(["run", "--node", "a"]).expect_code(125);
    assert_eq!(lab.left_in_nodes(), Vec::<String>::new(), "a refused run leaves something behind");
}

fn report(lab: &Lab) {
    let file = lab.path("report.json");
    let flags = ["--jump", "-1h", "--report", file.to_str().expect("a path")];
    let done = lab.run("a", &flags, ["date", "+%s"]).done().expect_code(0);
    assert_eq!(done.stderr, "");
    assert_eq!(done.stdout.lines().count(), 1);
    let text = std::fs::read_to_string(&file).expect("there is a report");
    assert!(!text.trim().is_empty());
    for line in text.lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok() || serde_json::from_str::<Value>(&text).is_ok(), "no JSON: {line}");
    }
    assert!(text.contains("jump"), "{text}");
}

fn killed(lab: &Lab) {
    let mut probe = lab.probe("a", &["--jump", "-1h"], &lab.target("probe"));
    let status = lab.status("a");
    let pid: i32 = status["processes"][0]["pid"].as_i64().and_then(|pid| pid.try_into().ok()).expect("a pid");
    kill(Pid::from_raw(probe.live.pid()), Signal::SIGKILL).expect("run can be killed");
    eventually("the end of run", || probe.live.has_ended().then_some(()));
    assert!(alive(pid));
    probe.wall().expect_skew(-3600 * crate::harness::SECOND);
    let at = lab.fault(&["jump", "a", "+2h"]);
    probe.wall_after(at).expect_skew(3600 * crate::harness::SECOND);
    assert_eq!(lab.status("a")["processes"][0]["pid"], pid);
    probe.quit();
    eventually("the end of the program", || (!alive(pid)).then_some(()));
    // The node goes with its last process, at the next command.
    eventually("the end of the node", || {
        let left = lab.falseticker(["status", "--json"]).expect_code(0).json();
        (left["nodes"].as_array().map(Vec::len) == Some(0)).then_some(())
    });
}

fn preload_kept(lab: &Lab) {
    // One that starts no thread, since it is in `run` as well, which has to fork.
    let library = lab.target("nothing").flags(["-shared", "-fPIC"]).path();
    let done = lab
        .run("a", &["--jump", "-1h"], ["sh", "-c", "echo $LD_PRELOAD; date +%s"])
        .env("LD_PRELOAD", &library);
    let done = done.done().expect_code(0);
    let preload = done.stdout.lines().next().unwrap_or_default();
    let (shim, kept) = preload.split_once(':').unwrap_or_default();
    assert!(shim.ends_with("falseticker.so") && kept == library.to_string_lossy(), "{preload}");
    let env = lab.falseticker(["create", "b"]).expect_code(0);
    drop(env);
    let env = lab.command(binary(), ["env", "b"]).env("LD_PRELOAD", &library).done().expect_code(0);
    assert!(
        env.stdout.contains(&*library.to_string_lossy()) && env.stdout.contains("falseticker.so"),
        "{}",
        env.report()
    );
    lab.falseticker(["remove", "b"]).expect_code(0);
}

fn nested(lab: &Lab) {
    let inner = format!("date +%s; {} run --node b --jump +1d -- date +%s; date +%s", binary());
    let done = lab.run("a", &["--jump", "-1h"], ["sh", "-c", &inner]).done().expect_code(0);
    let seconds: Vec<i64> = done.stdout.lines().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(seconds.len(), 3, "{}", done.report());
    assert!((seconds[1] - seconds[0] - 90_000).abs() < 20, "an hour back and a day on: {seconds:?}");
    assert!((seconds[2] - seconds[0]).abs() < 20, "{seconds:?}");
}

fn joins(lab: &Lab) {
    let target = lab.target("probe");
    let mut one = lab.probe("a", &["--jump", "-1h"], &target);
    let mut two = lab.probe("a", &[], &target);
    two.first.expect_skew(-3600 * crate::harness::SECOND);
    let at = lab.fault(&["jump", "a", "+1h"]);
    one.wall_after(at).expect_skew(0);
    two.wall_after(at).expect_skew(0);
    one.quit();
    // The node lives on with the other one.
    let at = lab.fault(&["jump", "a", "+1h"]);
    two.wall_after(at).expect_skew(3600 * crate::harness::SECOND);
    two.quit();
}

fn same_surroundings(lab: &Lab) {
    let script = "ls -1 /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign|Cgt)|^NoNewPrivs|^Seccomp:' /proc/self/status; umask; ulimit -a; pwd; tty || true";
    let bare = lab.bare(["sh", "-c", script]);
    let under = lab.run("a", &["--reach", "preload", "--jump", "-1h"], ["sh", "-c", script]).done();
    assert_eq!(bare.stdout, under.stdout);
    // Where execs are followed there is a filter to be seen, and nothing else.
    let followed = lab.run("a", &["--jump", "-1h"], ["sh", "-c", script]).done();
    assert_eq!(
        bare.stdout.replace("Seccomp:\t0", "Seccomp:\t2"),
        followed.stdout.replace("Seccomp:\t0", "Seccomp:\t2")
    );
    let variables = "env | grep -v -E '^(LD_PRELOAD|FALSETICKER[A-Z_]*|_)=' | sort";
    let (bare, under) =
        (lab.bare(["sh", "-c", variables]), lab.run("a", &[], ["sh", "-c", variables]).done());
    assert_eq!(bare.stdout, under.stdout);
}

fn copied(lab: &Lab) {
    let copy = lab.copy_of(Path::new(binary()), "elsewhere");
    let now: i64 = lab.bare(["date", "+%s"]).text().parse().expect("seconds");
    let done = lab
        .command(&copy, ["run", "--jump", "-1d", "--", "date", "+%s"])
        .current_dir("/")
        .done()
        .expect_code(0);
    let shown: i64 = done.text().parse().expect("seconds");
    assert!((shown - now + 86_400).abs() < 20, "{}", done.report());
}
