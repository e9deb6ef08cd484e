//! Containers: mounts, PID namespaces and the rest of their own, and a node's clock. Everything is asked and done from the host.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::container::{self, Container, NODE};
use crate::harness::{Lab, Live, Probe, binary, spec, state_of};

const HOUR: i64 = 3_600_000_000_000;

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| {
        spec(format!("containers: {sentence}"))
            .needs("runc", "runc")
            .needs("busybox", "busybox-static")
            .where_possible(container::possible)
    };
    let mut trials = vec![
        of("what the documents show of containers works").shown_by(example),
        of("a static program in one is no member of a node that it was never put into").shown_by(unreached),
    ];
    trials.extend([
        of("a static shell in one, which sees nothing of the node, is attached from the host, jumped, frozen and detached")
            .shown_by(attached),
        of("what an attached shell in one executes is followed").shown_by(followed),
        of("one that is in the node already is not attached to it once more")
            .needs("cc", "gcc")
            .shown_by(attached_already),
    ]);
    for (libc, compiler, package) in [("glibc", "cc", "gcc"), ("musl", "musl-gcc", "musl-tools")] {
        let of = |sentence: &str| of(&format!("{sentence} ({libc})")).needs(compiler, package);
        trials.extend([
            of("the node's directory at any path, and one variable: jumped live, with evidence on the host")
                .shown_by(move |lab| reached(lab, libc)),
            of("a program in one is frozen and thawed from the host").shown_by(move |lab| frozen(lab, libc)),
        ]);
    }
    trials
}

/// The probe in a container of a node that is made here.
fn probe(lab: &Lab, container: &Container, libc: &str) -> Probe {
    container.add_program(lab, &lab.target("probe").of(libc).path(), libc, "/bin/probe");
    lab.falseticker(["create", "a"]).expect_code(0);
    Probe::new(container.run(lab, Some("a"), &["/bin/probe"]))
}

/// The only process of node `a`.
#[track_caller]
fn only_process(lab: &Lab) -> Value {
    let status = lab.status("a");
    let processes = status["processes"].as_array().cloned().unwrap_or_default();
    assert!(processes.len() == 1 && status["not_reached"] == Value::Array(vec![]), "{status}");
    processes[0].clone()
}

fn end(lab: &Lab, probe: Probe) {
    assert_eq!(probe.quit(), 0);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn reached(lab: &Lab, libc: &str) {
    let container = Container::new(lab);
    let mut probe = probe(lab, &container, libc);
    probe.first.expect_skew(0);
    let process = only_process(lab);
    assert_eq!(process["command"], "/bin/probe");
    assert_eq!(process["detour"], "in place", "{process}");
    let pid = process["pid"].as_i64().expect("a pid");
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it is a process of this machine");
    assert!(maps.contains(&format!("{NODE}/page")), "{maps}");
    for (by, skew) in [("-1h", -HOUR), ("+3h", 2 * HOUR), ("-2h", 0)] {
        let change = lab.fault_json(&["jump", "a", by]);
        let at = change["at_ns"].as_i64().expect("an instant");
        assert_eq!(only_process(lab)["unread"][0], change["change"]);
        for reading in probe.all_after(at).iter().filter(|one| !one.is_monotonic() && !one.is_cpu_time()) {
            reading.expect_skew(skew);
        }
        let process = only_process(lab);
        let marks = process["evidence"].as_array().cloned().unwrap_or_default();
        assert!(marks.iter().any(|mark| mark["change"] == change["change"]), "{process}");
        assert_eq!(process["pid"], pid);
    }
    end(lab, probe);
}

fn frozen(lab: &Lab, libc: &str) {
    let container = Container::new(lab);
    let mut probe = probe(lab, &container, libc);
    let pid = only_process(lab)["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("a pid");
    lab.falseticker(["freeze", "a"]).expect_code(0);
    assert_eq!(state_of(pid), Some('T'));
    let change = lab.fault_json(&["jump", "a", "-1h"]);
    probe.live.say("wall 0");
    assert_eq!(only_process(lab)["unread"][0], change["change"], "it reads while it is frozen");
    lab.falseticker(["thaw", "a"]).expect_code(0);
    probe.live.line_where(|line| line == "done");
    probe.wall().expect_skew(-HOUR);
    end(lab, probe);
}

fn unreached(lab: &Lab) {
    let container = Container::new(lab);
    lab.falseticker(["create", "a"]).expect_code(0);
    let mut live = container.run(lab, Some("a"), &["/bin/busybox", "sh", "-c", "echo up; read line"]);
    live.line();
    let status = lab.status("a");
    assert_eq!(
        (&status["processes"], &status["not_reached"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );
    live.finish();
    lab.falseticker(["remove", "a"]).expect_code(0);
}

/// A static busybox's shell in a container that knows of no node: it answers each line with what this command prints of the time.
fn shell(lab: &Lab, container: &Container, command: &str) -> Live {
    let script = format!("echo up; while read line; do {command}; done");
    let mut live = container.run(lab, None, &["/bin/busybox", "sh", "-c", &script]);
    live.line();
    live
}

/// By how many seconds, to the nearest ten, the shell's clock is off.
#[track_caller]
fn seconds_off(live: &mut Live) -> i64 {
    live.say("");
    let line = live.line();
    let shown: i64 = line.parse().unwrap_or_else(|_| panic!("it says {line:?}"));
    let now = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs();
    let off = shown - i64::try_from(now).expect("a time");
    (off + off.signum() * 5) / 10 * 10
}

fn attached(lab: &Lab) {
    let container = Container::new(lab);
    let mut live = shell(lab, &container, "echo $EPOCHSECONDS");
    assert_eq!(seconds_off(&mut live), 0);
    let pid = container.pid();
    lab.falseticker(["attach", "--pid", &pid.to_string(), "--node", "a"]).expect_code(0);
    let change = lab.fault_json(&["jump", "a", "-1h"]);
    assert_eq!(seconds_off(&mut live), -3600);
    let process = only_process(lab);
    assert_eq!((&process["pid"], &process["reach"]), (&pid.into(), &"attach".into()), "{process}");
    assert_eq!(process["evidence"][0]["change"], change["change"], "{process}");
    lab.falseticker(["jump", "a", "+3h", "--wait", "1ms"]).expect_code(1);
    assert_eq!(seconds_off(&mut live), 7200);
    lab.falseticker(["freeze", "a"]).expect_code(0);
    assert_eq!(state_of(pid), Some('T'));
    lab.falseticker(["thaw", "a"]).expect_code(0);
    let words = ["freeze", "a", "--on-read", "wall", "--for", "2s"];
    let mut freeze = lab.command(binary(), words).live();
    freeze.line_where(|line| line.contains("armed"));
    assert_eq!(seconds_off(&mut live), 7200);
    let line = freeze.line_where(|line| line.contains("held"));
    assert!(line.contains(&format!("process {pid}, thread {pid}, after read 1: /bin/busybox")), "{line}");
    assert_eq!(freeze.end(), 0);
    lab.falseticker(["detach", "--pid", &pid.to_string()]).expect_code(0);
    assert_eq!(seconds_off(&mut live), 0);
    live.finish();
    lab.falseticker(["status"]).expect_code(0);
}

fn followed(lab: &Lab) {
    let container = Container::new(lab);
    let mut live = shell(lab, &container, "/bin/busybox date +%s");
    let pid = container.pid().to_string();
    lab.falseticker(["attach", "--pid", &pid, "--node", "a", "--follow"]).expect_code(0);
    lab.fault(&["jump", "a", "-1h"]);
    assert_eq!(seconds_off(&mut live), -3600);
    lab.fault(&["jump", "a", "+3h"]);
    assert_eq!(seconds_off(&mut live), 7200);
    lab.falseticker(["detach", "--pid", &pid]).expect_code(0);
    assert_eq!(seconds_off(&mut live), 0);
    live.finish();
    lab.falseticker(["status"]).expect_code(0);
}

fn attached_already(lab: &Lab) {
    let container = Container::new(lab);
    let mut probe = probe(lab, &container, "glibc");
    let pid = container.pid().to_string();
    let said = lab.falseticker(["attach", "--pid", &pid, "--node", "a", "--json"]).expect_code(0).json();
    assert_eq!(said["attached"][0]["already"], true, "{said}");
    let at = lab.fault(&["jump", "a", "-1h"]);
    probe.wall_after(at).expect_skew(-HOUR);
    end(lab, probe);
}

fn example(lab: &Lab) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/container/run.sh");
    let tool = std::path::Path::new(binary()).parent().expect("it is in a directory").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut live: Live = lab.command(script, [""; 0]).env("PATH", format!("{tool}:{path}")).live();
    // The hour differs, the minute does not.
    let is_off = |line: &str| {
        let times: Vec<Vec<&str>> = line.split_whitespace().map(|time| time.split(':').collect()).collect();
        matches!(&times[..], [one, other] if one.len() == 3 && one[0] != other[0] && one[1] == other[1])
    };
    live.line_where(|line| line.contains("jump -1h in force"));
    live.line_where(is_off);
    live.line_where(|line| line.contains("healed"));
    live.line_where(|line| line.matches(':').count() == 4 && !is_off(line));
    assert_eq!(live.end(), 0, "{}", live.transcript().report());
}
