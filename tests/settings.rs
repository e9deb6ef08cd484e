//! Calls that set the host's clocks are refused and counted, unless the node allows them. No test here can move a clock: the
//! target either has no privilege, or a filter of its own answers `PASSED` in the kernel's place.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Lab, Live, binary, spec};

/// The errno that says that a call was not refused on its way to the kernel.
const PASSED: &str = "errno 118";
const EPERM: &str = "errno 1";

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("settings: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        trials.push(
            of("without privilege every setter answers what it answers bare, bad arguments and reading forms too")
                .shown_by(move |lab| answers(lab, libc)),
        );
        trials.push(
            of("with all privileges no setter reaches the kernel, and status counts them by process")
                .shown_by(move |lab| refused(lab, libc)),
        );
        trials.push(of("--allow-settime passes every setter on").shown_by(move |lab| passed(lab, libc)));
    }
    trials.extend([
        spec("settings: what processes that have ended were refused is in the report, and in status")
            .needs("cc", "gcc")
            .shown_by(ended),
        spec("settings: date -s is refused, and says so as without privilege")
            .needs("setpriv", "util-linux")
            .shown_by(date),
        spec("settings: a node that was made without --allow-settime is not joined with it").shown_by(joined),
    ]);
    trials
}

fn answers(lab: &Lab, libc: &str) {
    let target = lab.target("settings").of(libc).path();
    let words = [target.as_os_str(), "answers".as_ref()];
    let bare = lab.bare(words).expect_code(0).stdout;
    assert!(bare.lines().count() > 900, "{bare}");
    for errno in ["errno 1\n", "errno 14\n", "errno 22\n", "errno 77\n", "errno 95\n"] {
        assert!(bare.contains(errno), "no call is answered with {errno}");
    }
    for (node, flags) in [("idle", &[][..]), ("jumped", &["--jump", "-1h"]), ("open", &["--allow-settime"])] {
        let under = lab.run(node, flags, words).done().expect_code(0).stdout;
        let differing: Vec<String> = bare
            .lines()
            .zip(under.lines())
            .filter(|(bare, under)| bare != under)
            .map(|(bare, under)| format!("bare {bare}\nunder {under}\n"))
            .collect();
        assert!(differing.is_empty(), "{node}:\n{}", differing.concat());
        assert_eq!(bare.lines().count(), under.lines().count(), "{node}");
    }
}

/// Has the target make every call; how many there were, and the pid of who made them.
#[track_caller]
fn make_calls(live: &mut Live, command: &str, expected: &str) -> (u64, u64) {
    live.say(command);
    let mut made = 0;
    loop {
        let line = live.line();
        let Some(summary) = line.strip_prefix("calls ") else {
            assert!(line.ends_with(&format!("= -1, {expected}")), "{line}");
            made += 1;
            continue;
        };
        let (calls, pid) = summary.split_once(" of ").expect("calls N of PID");
        assert_eq!(calls.parse(), Ok(made), "{line}");
        assert!(made >= 17, "only {made} ways to set a clock were tried");
        return (made, pid.parse().expect("a pid"));
    }
}

/// How often a process was refused, as `status` says it.
#[track_caller]
fn refused_of(status: &Value, pid: u64) -> u64 {
    let processes = status["processes"].as_array().expect("processes");
    let process = processes.iter().find(|process| process["pid"] == pid);
    process.and_then(|process| process["refused_settings"].as_u64()).unwrap_or_else(|| panic!("{status}"))
}

fn refused(lab: &Lab, libc: &str) {
    let target = lab.target("settings").of(libc).path();
    let mut live = lab.run("a", &[], [target.as_os_str(), "calls".as_ref()]).live();
    let (calls, parent) = make_calls(&mut live, "set", EPERM);
    assert_eq!(refused_of(&lab.status("a"), parent), calls);
    make_calls(&mut live, "set", EPERM);
    assert_eq!(refused_of(&lab.status("a"), parent), 2 * calls);
    let (_, child) = make_calls(&mut live, "child", EPERM);
    let status = lab.status("a");
    assert_ne!(child, parent);
    assert_eq!((refused_of(&status, child), refused_of(&status, parent)), (calls, 2 * calls));
    assert_eq!(status["refused_settings"], 3 * calls);
    let text = lab.falseticker(["status", "a"]).expect_code(0).stdout;
    for (pid, calls) in [(parent, 2 * calls), (child, calls)] {
        let line =
            format!("  {pid}: refused {calls} calls to set the clock (--allow-settime passes them on)\n");
        assert!(text.contains(&line), "{text}");
    }
    assert_eq!(live.finish(), 0);
}

fn passed(lab: &Lab, libc: &str) {
    let target = lab.target("settings").of(libc).path();
    let words = [target.as_os_str(), "calls".as_ref()];
    let mut live = lab.run("a", &["--allow-settime", "--jump", "-1h"], words).live();
    let (_, pid) = make_calls(&mut live, "set", PASSED);
    let status = lab.status("a");
    assert_eq!((refused_of(&status, pid), &status["allow_settime"]), (0, &Value::Bool(true)));
    assert!(!lab.falseticker(["status", "a"]).expect_code(0).stdout.contains("refused"));
    assert_eq!(live.finish(), 0);
    lab.falseticker(["create", "b", "--allow-settime"]).expect_code(0);
    let mut live = lab.in_node("b", words).live();
    make_calls(&mut live, "set", PASSED);
    assert_eq!(live.finish(), 0);
    lab.falseticker(["remove", "b"]).expect_code(0);
}

fn ended(lab: &Lab) {
    let target = lab.target("settings").path();
    let words = [target.as_os_str(), "calls".as_ref()];
    let file = lab.path("report.json");
    let flags = ["--report", file.to_str().expect("a path")];
    lab.falseticker(["create", "a"]).expect_code(0);
    let done = lab.run("a", &flags, words).input("set\n").done().expect_code(0);
    let calls = done.stdout.lines().count() - 1;
    let report = std::fs::read_to_string(&file).expect("there is a report");
    let report: Value = serde_json::from_str(&report).expect("it is JSON");
    assert_eq!(report["processes"][0]["refused_settings"], calls, "{report}");
    assert_eq!(report["refused_settings"], calls, "{report}");
    assert_eq!(report["processes"][0]["waits"], "none", "{report}");
    assert_eq!(lab.status("a")["refused_settings"], calls);
    let text = lab.falseticker(["status", "a"]).expect_code(0).stdout;
    assert!(text.contains(&format!("  others: refused {calls} calls to set the clock")), "{text}");
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn date(lab: &Lab) {
    let words = ["setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time", "date", "-s"];
    // Who is not root has no privilege that could be given up.
    let unneeded = if nix::unistd::geteuid().is_root() { 0 } else { 5 };
    let words = words[unneeded..].iter().copied().chain(["now"]);
    let bare = lab.bare(words.clone()).expect_code(1);
    let file = lab.path("report.json");
    let flags = ["--report", file.to_str().expect("a path")];
    let under = lab.run("a", &flags, words).done().expect_code(1);
    assert!(bare.stderr.contains("not permitted"), "{}", bare.stderr);
    assert_eq!(under.stderr, bare.stderr);
    let report = std::fs::read_to_string(&file).expect("there is a report");
    let report: Value = serde_json::from_str(&report).expect("it is JSON");
    assert!(report["refused_settings"].as_u64() > Some(0), "{report}");
}

fn joined(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    assert_eq!(lab.status("a")["allow_settime"], false);
    let done = lab.command(binary(), ["run", "--node", "a", "--allow-settime", "--", "true"]).done();
    done.expect_code(125).expect_error("--allow-settime");
    lab.falseticker(["remove", "a"]).expect_code(0);
}
