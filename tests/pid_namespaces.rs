//! Programs in a PID namespace of their own, as a container's are: their rows bear the pid that they have there, and everything is
//! told of the processes that they are here.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Lab, Probe, binary, eventually, spec, state_of};

/// What makes a namespace of its own for a command, which is its first process.
const UNSHARED: [&str; 4] = ["unshare", "--pid", "--fork", "--mount-proc"];

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| {
        spec(format!("pid namespaces: {sentence}")).where_possible(possible).needs("unshare", "util-linux")
    };
    vec![
        of("a program in one of its own is listed by the pid that it has here, with its marks")
            .needs("cc", "gcc")
            .shown_by(listed),
        of("--wait asks it, and it is frozen, though only its own row leads to it")
            .needs("perl", "perl")
            .shown_by(by_its_row_alone),
        of("children that are forked after unshare have rows of their own, and nobody else's")
            .needs("perl", "perl")
            .shown_by(forked_after_unshare),
        of("a command in another namespace leaves a node to its own, and its pauses")
            .shown_by(left_to_its_own),
        of("a node whose namespace has ended is swept")
            .where_possible(seeing_everybody)
            .needs("perl", "perl")
            .shown_by(swept),
        of("a thread that is held at a read is told by its numbers here")
            .needs("cc", "gcc")
            .shown_by(held_at_a_read),
        of("the rows of a namespace that has ended are there for the next one")
            .where_possible(seeing_everybody)
            .needs("perl", "perl")
            .shown_by(rows_given_back),
        of("the report of run takes nobody else for it").needs("cc", "gcc").shown_by(reported),
    ]
}

fn possible() -> Result<(), String> {
    let made = std::process::Command::new(UNSHARED[0]).args(&UNSHARED[1..]).arg("true").output();
    if made.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err("no pid namespace can be made here (unshare --pid): root can".to_owned())
}

/// All pids of a process, from that of the outermost namespace to its own.
fn pids_of(pid: i64) -> Vec<i64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// A process of `status` by the beginning of its command.
#[track_caller]
fn entry(status: &Value, begins: &str) -> Value {
    let processes = status["processes"].as_array().cloned().unwrap_or_default();
    let is_it = |process: &Value| process["command"].as_str().is_some_and(|line| line.starts_with(begins));
    processes.into_iter().find(is_it).unwrap_or_else(|| panic!("no {begins} in {status}"))
}

fn has_mark(process: &Value, change: &Value) -> bool {
    let marks = process["evidence"].as_array().cloned().unwrap_or_default();
    marks.iter().any(|mark| mark["change"] == *change)
}

/// The probe as the first process of a namespace, in node `a`.
fn unshared_probe(lab: &Lab, flags: &[&str]) -> Probe {
    let program = lab.target("probe").path();
    let words = UNSHARED.iter().map(Into::into).chain([program.into_os_string()]);
    Probe::new(lab.run("a", flags, words).live())
}

fn listed(lab: &Lab) {
    let mut probe = unshared_probe(lab, &[]);
    let change = lab.fault_json(&["jump", "a", "-1h"]);
    let at = change["at_ns"].as_i64().expect("an instant");
    let program = lab.target("probe").path().display().to_string();
    let process = entry(&lab.status("a"), &program);
    assert_eq!(process["unread"][0], change["change"], "it has not read since: {process}");
    probe.wall_after(at).expect_skew(-3_600_000_000_000);
    let status = lab.status("a");
    let process = entry(&status, &program);
    assert!(has_mark(&process, &change["change"]), "{status}");
    assert_eq!(process["unknown"], false, "{status}");
    let pids = pids_of(process["pid"].as_i64().expect("a pid"));
    assert!(pids.len() > 1 && pids.last() == Some(&1), "it has the pids {pids:?}: {status}");
    assert!(status["not_reached"].as_array().is_some_and(Vec::is_empty), "{status}");
    probe.quit();
}

fn by_its_row_alone(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let lines = lab.falseticker(["env", "a"]).expect_code(0);
    let ticker = "$|=1; print qq(up\\n); while (1) { time; select undef, undef, undef, 0.001 }";
    let in_node = ["env"].into_iter().chain(lines.text().lines()).chain(["perl", "-e", ticker]);
    let mut live = lab.command(UNSHARED[0], UNSHARED[1..].iter().copied().chain(in_node)).live();
    live.line();
    let said = lab.falseticker(["jump", "a", "-1h", "--wait", "10s", "--json"]).expect_code(0).json();
    let asked = said["evidence"].as_array().cloned().unwrap_or_default();
    let pid = entry(&lab.status("a"), "perl")["pid"].as_i64().expect("a pid");
    assert!(asked.len() == 1 && asked[0]["pid"] == pid && asked[0]["state"] == "read", "{said}");
    let pid = i32::try_from(pid).expect("a pid");
    lab.falseticker(["freeze", "a"]).expect_code(0);
    assert_eq!(state_of(pid), Some('T'));
    lab.falseticker(["thaw", "a"]).expect_code(0);
    assert_ne!(state_of(pid), Some('T'));
    live.signal(nix::sys::signal::Signal::SIGTERM);
    lab.clear();
    live.end();
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn forked_after_unshare(lab: &Lab) {
    // SYS_unshare with CLONE_NEWPID: what is forked from now on has its pid in a namespace of its own, and nothing is executed.
    let script = "$|=1; syscall(272, 0x20000000) == 0 or die; \
                  for (1, 2) { if (!fork) { print qq($$\\n); <STDIN>; exit } } print qq($$\\n); <STDIN>; wait; wait";
    let mut live = lab.run("a", &[], ["perl", "-e", script]).live();
    let mut told: Vec<i64> = (0..3).map(|_| live.line().parse().expect("a pid")).collect();
    told.sort_unstable();
    let status = lab.status("a");
    let processes = status["processes"].as_array().cloned().unwrap_or_default();
    let here: Vec<i64> = processes.iter().filter_map(|process| process["pid"].as_i64()).collect();
    let mut there: Vec<i64> = here.iter().filter_map(|pid| pids_of(*pid).last().copied()).collect();
    there.sort_unstable();
    assert_eq!(there, told, "{status}");
    assert!(processes.iter().all(|process| process["unknown"] == false), "{status}");
    // Their parent is in the namespace that whoever runs this is in, so their pids there are anybody's here: the machine's first process's.
    let members = lab.node("a").members().expect("its members can be told");
    let mut members: Vec<i64> = members.iter().map(|member| i64::from(member.pid)).collect();
    members.sort_unstable();
    let mut here = here;
    here.sort_unstable();
    assert_eq!(members, here, "the node has members that are not its own");
    live.finish();
}

fn seeing_everybody() -> Result<(), String> {
    let own = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    if own.as_os_str() == "pid:[4026531836]" && nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err("other namespaces' processes are not all seen here: in the machine's own root can".to_owned())
}

fn rows_given_back(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let lines = lab.falseticker(["env", "a"]).expect_code(0);
    // More than half of all rows, held at one time; they end with their first process.
    let script = "$|=1; for (1 .. 600) { if (!fork) { sleep; exit } } print qq(up\\n); <STDIN>";
    for _ in 0..2 {
        let in_node = ["env"].into_iter().chain(lines.text().lines()).chain(["perl", "-e", script]);
        let mut live = lab.command(UNSHARED[0], UNSHARED[1..].iter().copied().chain(in_node)).live();
        live.line();
        lab.status_until("a", "all of them have rows", |status| {
            let processes = status["processes"].as_array()?;
            let known = processes.iter().filter(|process| process["unknown"] == false);
            (known.count() == 601).then_some(())
        });
        live.finish();
        assert_eq!(lab.status("a")["processes"], Value::Array(vec![]));
    }
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn left_to_its_own(lab: &Lab) {
    let mut live = lab.run("a", &[], ["sleep", "1000"]).live();
    let pid = lab.status_until("a", "it is reached", |status| status["processes"][0]["pid"].as_i64());
    let pid = i32::try_from(pid).expect("a pid");
    lab.falseticker(["freeze", "a"]).expect_code(0);
    for _ in 0..2 {
        let words = UNSHARED[1..].iter().copied().chain([binary(), "status", "--json"]);
        let done = lab.command(UNSHARED[0], words).done().expect_code(0);
        assert_eq!(done.json()["nodes"][0]["name"], "a", "{}", done.report());
        assert_eq!(state_of(pid), Some('T'));
    }
    lab.falseticker(["thaw", "a"]).expect_code(0);
    assert_eq!(lab.status("a")["processes"][0]["pid"], pid);
    live.signal(nix::sys::signal::Signal::SIGTERM);
    live.end();
}

fn swept(lab: &Lab) {
    // It makes a node, and ends with its whole namespace: nobody is left to remove that.
    let script = format!("{} run --node a -- perl -e '$|=1; print qq(up\\n); sleep' & read line", binary());
    let words = UNSHARED[1..].iter().copied().chain(["sh", "-c", script.as_str()]);
    let mut live = lab.command(UNSHARED[0], words).live();
    live.line();
    assert_eq!(entry(&lab.status("a"), "perl")["state"], "sleeping");
    live.say("");
    live.end();
    eventually("it is swept", || {
        lab.falseticker(["status"]).expect_code(0);
        lab.left_in_nodes().is_empty().then_some(())
    });
}

fn held_at_a_read(lab: &Lab) {
    let mut probe = unshared_probe(lab, &[]);
    let program = lab.target("probe").path().display().to_string();
    let pid = entry(&lab.status("a"), &program)["pid"].as_i64().expect("a pid");
    let words = ["freeze", "a", "--on-read", "wall", "--for", "2s"];
    let mut freeze = lab.command(binary(), words).live();
    freeze.line_where(|line| line.contains("armed"));
    probe.wall();
    let line = freeze.line_where(|line| line.contains("held"));
    assert!(
        line.contains(&format!("process {pid}, thread {pid}, after read 1: {}", &program[..10])),
        "{line}"
    );
    assert_eq!(freeze.end(), 0);
    probe.quit();
}

fn reported(lab: &Lab) {
    let file = lab.path("report.json");
    let mut probe = unshared_probe(lab, &["--jump", "-1h", "--report", file.to_str().expect("a path")]);
    let program = lab.target("probe").path().display().to_string();
    let pid = entry(&lab.status("a"), &program)["pid"].clone();
    probe.wall();
    assert_eq!(probe.quit(), 0);
    let text = std::fs::read_to_string(&file).expect("there is a report");
    let report: Value = serde_json::from_str(&text).expect("it is JSON");
    // Whoever was not seen while it lived has no command, and the pid that it had there.
    let processes = report["processes"].as_array().cloned().unwrap_or_default();
    for process in processes.iter().filter(|process| process["command"].is_string()) {
        let command = process["command"].as_str().unwrap_or_default();
        let is_unshare = process["pid"] == report["pid"];
        assert!(command.contains(&program) && (is_unshare || process["pid"] == pid), "{report}");
    }
    assert!(processes.iter().any(|process| has_mark(process, &report["changes"][0]["id"])), "{report}");
}
