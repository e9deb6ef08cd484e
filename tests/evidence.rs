//! Evidence: each process's own mark that it has read its clock under a change; and nobody has it who has not.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Lab, count_of, eventually, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("evidence: {sentence}")).needs("cc", "gcc");
    vec![
        of("a process that reads its clock has a mark, and its latency").shown_by(reader),
        of("a process that sleeps has none until it reads").shown_by(sleeper),
        of("a process that is frozen has none until it is thawed and reads").shown_by(frozen),
        of("a read of the monotonic clock is no mark of a change of the wall clock").shown_by(other_clock),
        of("a process started without LD_PRELOAD is listed as not reached").shown_by(preload_cleared),
        of("a static descendant is listed as not reached, with the reason").shown_by(static_child),
        of("a forked child has marks of its own, and its parent's are not its").shown_by(forked),
        of("a child of a raw clone, which no hook saw, is skewed and its evidence unknown, never no")
            .needs("perl", "perl")
            .shown_by(raw_clone),
        of("--wait is 0 when all have read, and 1 when one that could has not").shown_by(waiting),
        of("--wait in a node without processes is 1").shown_by(waiting_for_nobody),
        of("marks beyond the ring's room are counted, and the newest stay").shown_by(overflow),
        of("a mark names the change that was in force, not the last that was published").shown_by(planned),
    ]
}

/// The entry of a process in `status`.
fn entry(status: &Value, part: &str) -> Option<Value> {
    let processes = status["processes"].as_array()?;
    processes
        .iter()
        .find(|process| process["command"].as_str().is_some_and(|command| command.contains(part)))
        .cloned()
}

fn marks(process: &Value) -> Vec<i64> {
    let evidence = process["evidence"].as_array().cloned().unwrap_or_default();
    evidence.iter().filter_map(|mark| mark["change"].as_i64()).collect()
}

fn unread(process: &Value) -> Vec<i64> {
    process["unread"].as_array().cloned().unwrap_or_default().iter().filter_map(Value::as_i64).collect()
}

fn reader(lab: &Lab) {
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    let change = lab.fault_json(&["jump", "a", "-1h"]);
    let (id, at) = (change["change"].as_i64().expect("an id"), change["at_ns"].as_i64().expect("an instant"));
    let read_at = probe.wall_after(at).mono;
    let status = lab.status("a");
    let process = entry(&status, "probe").expect("the probe is reached");
    assert_eq!(process["reach"], "preload", "{status}");
    assert_eq!(process["detour"], "in place", "{status}");
    let evidence = process["evidence"].as_array().cloned().unwrap_or_default();
    let mark = evidence
        .iter()
        .find(|mark| mark["change"] == id)
        .unwrap_or_else(|| panic!("no mark of {id} in {status}"));
    let latency = mark["latency_ns"].as_i64().expect("a latency");
    assert!(
        (0..=read_at - at).contains(&latency),
        "a latency of {latency} ns, read {} ns after",
        read_at - at
    );
    assert_eq!(unread(&process), Vec::<i64>::new());
    probe.quit();
}

fn sleeper(lab: &Lab) {
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    let change = lab.fault_json(&["jump", "a", "-1h"]);
    let id = change["change"].as_i64().expect("an id");
    let process = entry(&lab.status("a"), "probe").expect("the probe is reached");
    assert!(!marks(&process).contains(&id) && unread(&process).contains(&id), "{process}");
    assert_eq!(process["state"], "sleeping");
    probe.wall_after(change["at_ns"].as_i64().expect("an instant"));
    let process = entry(&lab.status("a"), "probe").expect("the probe is reached");
    assert!(marks(&process).contains(&id) && unread(&process).is_empty(), "{process}");
    probe.quit();
}

fn frozen(lab: &Lab) {
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    lab.falseticker(["freeze", "a"]).expect_code(0);
    let change = lab.fault_json(&["jump", "a", "-1h"]);
    probe.live.say("wall 0");
    let process = entry(&lab.status("a"), "probe").expect("the probe is reached");
    assert_eq!(process["state"], "frozen");
    assert_eq!(unread(&process), vec![change["change"].as_i64().expect("an id")]);
    lab.falseticker(["thaw", "a"]).expect_code(0);
    probe.live.line_where(|line| line == "done");
    let process = entry(&lab.status("a"), "probe").expect("the probe is reached");
    assert_eq!(unread(&process), Vec::<i64>::new(), "{process}");
    probe.quit();
}

fn other_clock(lab: &Lab) {
    let mut live = lab
        .run("a", &[], ["perl", "-e", "$|=1; while (<>) { syscall(228, 1, $x = ' ' x 16); print qq(ok\\n) }"])
        .live();
    live.say("");
    live.line();
    let change = lab.fault_json(&["jump", "a", "-1h"]);
    live.say("");
    live.line();
    let process = entry(&lab.status("a"), "perl").expect("perl is reached");
    assert_eq!(unread(&process), vec![change["change"].as_i64().expect("an id")], "{process}");
    live.finish();
}

fn preload_cleared(lab: &Lab) {
    let probe = lab.target("probe").path();
    let script = format!("exec 3<&0; env -u LD_PRELOAD {} 0<&3 & wait", probe.display());
    let mut live = lab.run("a", &["--reach", "preload", "--jump", "-1h"], ["sh", "-c", &script]).live();
    let status = lab.status_until("a", "the escaped process is listed", |status| {
        let escaped = status["not_reached"].as_array()?;
        // The shell and env, whose command lines name the probe too, are themselves listed until they have loaded the shim.
        let is_probe = |command: &str| command.starts_with('/') && command.contains("probe");
        let all_probes = escaped.iter().all(|process| process["command"].as_str().is_some_and(is_probe));
        (!escaped.is_empty() && all_probes).then(|| status.clone())
    });
    assert!(
        status["not_reached"][0]["why"].as_str().is_some_and(|why| why.contains("LD_PRELOAD")),
        "{status}"
    );
    assert!(
        entry(&status, "probe").is_none_or(|process| process["command"].as_str() != Some("probe")),
        "{status}"
    );
    live.finish();
}

fn static_child(lab: &Lab) {
    let probe = lab.target("probe").flags(["-static"]).path();
    let script = format!("exec 3<&0; {} 0<&3 & wait", probe.display());
    let mut live = lab.run("a", &["--reach", "preload", "--jump", "-1h"], ["sh", "-c", &script]).live();
    lab.status_until("a", "the static process is listed with the reason", |status| {
        let escaped = status["not_reached"].as_array()?;
        escaped
            .iter()
            .any(|process| process["why"].as_str().is_some_and(|why| why.contains("static")))
            .then_some(())
    });
    live.finish();
}

fn forked(lab: &Lab) {
    let script = "$|=1; time; my $pid = fork; if (!$pid) { <STDIN>; print time, qq(\\n); <STDIN>; exit } print qq($$ $pid\\n); wait";
    let mut live = lab.run("a", &["--jump", "-1h"], ["perl", "-e", script]).live();
    let pids: Vec<i64> = live.line().split(' ').filter_map(|pid| pid.parse().ok()).collect();
    let change = lab.fault_json(&["jump", "a", "+2h"]);
    let id = change["change"].as_i64().expect("an id");
    let of = |status: &Value, pid: i64| {
        let processes = status["processes"].as_array().cloned().unwrap_or_default();
        processes
            .into_iter()
            .find(|process| process["pid"] == pid)
            .unwrap_or_else(|| panic!("no {pid} in {status}"))
    };
    let status = lab.status("a");
    let child = of(&status, pids[1]);
    assert!(marks(&child).is_empty(), "the child has its parent's marks: {status}");
    assert!(
        unread(&child).contains(&id) && child["unknown"] == false,
        "it has not read, and that is known: {status}"
    );
    live.say("");
    live.line();
    let status = lab.status("a");
    assert_eq!(marks(&of(&status, pids[1])), vec![id], "{status}");
    assert!(!marks(&of(&status, pids[0])).contains(&id), "the parent has its child's marks: {status}");
    live.finish();
}

fn raw_clone(lab: &Lab) {
    // SYS_clone with SIGCHLD alone: a fork, past every library.
    let script = "$|=1; my $pid = syscall(56, 17, 0, 0, 0, 0); if (!$pid) { print time, qq(\\n); <STDIN>; exit } \
                  wait";
    let mut live = lab.run("a", &["--jump", "-1h"], ["perl", "-e", script]).live();
    let shown: i64 = live.line().trim().parse().expect("a time");
    let now = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs();
    assert!((i64::try_from(now).expect("a time") - 3600 - shown).abs() <= 2, "the child shows {shown}");
    let status = lab.status("a");
    let processes = status["processes"].as_array().cloned().unwrap_or_default();
    let unknown: Vec<_> = processes.iter().filter(|process| process["unknown"] == true).collect();
    assert!(unknown.len() == 1 && processes.len() == 2, "{status}");
    assert!(unread(unknown[0]).is_empty() && marks(unknown[0]).is_empty(), "{status}");
    let said = lab.falseticker(["jump", "a", "+2h", "--wait", "50ms", "--json"]).expect_code(1).json();
    let states = said["evidence"].as_array().cloned().unwrap_or_default();
    assert!(states.iter().any(|asked| asked["state"] == "unknown"), "{said}");
    live.finish();
}

fn waiting(lab: &Lab) {
    let target = lab.target("probe");
    let ticker = "while (1) { time; select undef, undef, undef, 0.01 }";
    let mut live = lab.run("a", &[], ["perl", "-e", ticker]).live();
    lab.status_until("a", "the ticker is reached", |status| entry(status, "perl"));
    let said = lab.falseticker(["jump", "a", "-1h", "--wait", "10s", "--json"]).expect_code(0).json();
    let evidence = said["evidence"].as_array().cloned().unwrap_or_default();
    assert_eq!(evidence.len(), 1, "{said}");
    assert_eq!(evidence[0]["state"], "read", "{said}");
    assert!(evidence[0]["latency_ns"].as_i64().is_some(), "{said}");
    // Beside one that reads, one that does not.
    let probe = lab.probe("a", &[], &target);
    let said = lab.falseticker(["jump", "a", "-1h", "--wait", "100ms", "--json"]).expect_code(1).json();
    let states: Vec<String> = said["evidence"]
        .as_array()
        .cloned()
        .unwrap_or_default()
        .iter()
        .map(|e| e["state"].to_string())
        .collect();
    assert!(states.contains(&"\"read\"".to_owned()) && states.contains(&"\"not-read\"".to_owned()), "{said}");
    probe.quit();
    // Frozen processes are not asked.
    lab.falseticker(["freeze", "a"]).expect_code(0);
    let said = lab.falseticker(["jump", "a", "-1h", "--wait", "50ms", "--json"]).json();
    assert_eq!(said["evidence"][0]["state"], "frozen", "{said}");
    lab.falseticker(["thaw", "a"]).expect_code(0);
    live.signal(nix::sys::signal::Signal::SIGTERM);
    live.end();
}

fn waiting_for_nobody(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["jump", "a", "-1h", "--wait", "50ms"]).expect_code(1);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn overflow(lab: &Lab) {
    let changes = count_of("FALSETICKER_CHANGES", 1100);
    // One strobe's worth of changes: each jump for a time is two; the ticker reads under all of them.
    let mut live = lab.run("a", &[], ["perl", "-e", "1 while time"]).live();
    lab.status_until("a", "the ticker is reached", |status| entry(status, "perl"));
    let mut last = 0;
    for _ in 0..changes {
        let said = lab.fault_json(&["jump", "a", "+1ms"]);
        last = said["change"].as_i64().expect("an id");
    }
    let process = eventually("the last change is read", || {
        entry(&lab.status("a"), "perl").filter(|process| marks(process).contains(&last))
    });
    let overflow = process["overflow"].as_u64().unwrap_or(0);
    assert!(overflow > 0 && overflow <= changes as u64, "{overflow} marks of {changes} were overwritten");
    live.signal(nix::sys::signal::Signal::SIGKILL);
    live.end();
    lab.clear();
    lab.falseticker(["status"]).expect_code(0);
}

fn planned(lab: &Lab) {
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    let change = lab.fault_json(&["jump", "a", "-1h", "--for", "1h"]);
    let id = change["change"].as_i64().expect("an id");
    probe.wall_after(change["at_ns"].as_i64().expect("an instant"));
    let status = lab.status("a");
    let process = entry(&status, "probe").expect("the probe is reached");
    // The end is planned already, and nobody has read a clock under it.
    assert_eq!(marks(&process), vec![id], "{status}");
    let changes = status["changes"].as_array().cloned().unwrap_or_default();
    assert!(changes.iter().any(|change| change["state"] == "planned"), "{status}");
    probe.quit();
}
