//! What a process that was attached has of its node, and what is left when it is detached.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{HOUR, attach, bare_probe, detach, numbers, says_pid, sweep, vdso_of};
use crate::harness::{Lab, Live, Probe, alive, eventually, spec, state_of};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("attach: {sentence}")).needs("cc", "gcc");
    vec![
        of("detached, a process has its own clock and its vDSO its own bytes, and can be attached again")
            .shown_by(detached),
        of("remove gives those who are still attached their own vDSO back").shown_by(removed),
        of("a process has a node of its own where none is named, which goes with it").shown_by(unnamed),
        of("twice into one node is once, and from one node into another goes by detach").shown_by(again),
        of("--tree takes children and grandchildren, and each of them is detached with the node")
            .shown_by(tree),
        of("a child that is forked later is a member, and keeps the node when its parent is gone")
            .shown_by(forked),
        of("all children that are forked later have evidence, from the first look on")
            .needs("perl", "perl")
            .shown_by(forked_often),
        of("it is frozen and thawed with its node").shown_by(frozen),
        of("one that was stopped is stopped afterwards, and skewed when it runs").shown_by(stopped),
        of("one that has locked itself into a seccomp sandbox is reached all the same, by root")
            .where_possible(root)
            .shown_by(sandboxed),
        of("one under PR_SET_MDWE, which forbids code that was written, is reached")
            .shown_by(|lab| policy(lab, "mdwe")),
        of("one under systemd's MemoryDenyWriteExecute is reached, by root")
            .where_possible(root)
            .shown_by(|lab| policy(lab, "systemd")),
        of("a restartable sequence that it stops in the midst of is begun anew").shown_by(restarts),
        of("one in other mount and pid namespaces is reached, and sees no path of the node's")
            .where_possible(namespaces)
            .shown_by(contained),
    ]
}

fn root() -> Result<(), String> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err("only root may suspend a filter".to_owned()) }
}

fn namespaces() -> Result<(), String> {
    crate::harness::cgroups::mount_namespaces()
}

fn detached(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let pid = probe.live.pid();
    let own = vdso_of(pid);
    lab.falseticker(["create", "a"]).expect_code(0);
    let mut at = lab.fault(&["jump", "a", "-1h"]);
    for _ in 0..3 {
        let said = attach(lab, "a", pid);
        assert_eq!((&said["already"], &said["threads"]), (&false.into(), &1.into()), "{said}");
        assert!(said["stopped_ns"].as_i64().is_some_and(|nanos| nanos > 0), "{said}");
        probe.wall_after(at).expect_skew(-HOUR);
        assert_ne!(vdso_of(pid), own, "it is detoured");
        let status = lab.status("a");
        assert_eq!(
            (&status["processes"][0]["pid"], &status["processes"][0]["reach"]),
            (&pid.into(), &"attach".into())
        );
        at = lab.fault(&["jump", "a", "-1h"]);
        probe.wall_after(at).expect_skew(-2 * HOUR);
        detach(lab, pid);
        probe.wall_after(at).expect_skew(0);
        assert_eq!(vdso_of(pid), own, "it has its own bytes");
        let status = lab.status("a");
        assert_eq!(status["processes"].as_array().map(Vec::len), Some(0), "{status}");
        at = lab.fault(&["jump", "a", "+1h"]);
    }
    lab.falseticker(["remove", "a"]).expect_code(0);
    assert_eq!(probe.quit(), 0);
}

fn removed(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let own = vdso_of(probe.live.pid());
    attach(lab, "a", probe.live.pid());
    let at = lab.fault(&["jump", "a", "-1h"]);
    probe.wall_after(at).expect_skew(-HOUR);
    lab.falseticker(["remove", "a"]).expect_code(0);
    probe.wall().expect_skew(0);
    assert_eq!(vdso_of(probe.live.pid()), own);
    assert_eq!(probe.quit(), 0);
}

fn unnamed(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let pid = probe.live.pid().to_string();
    let said = lab.falseticker(["attach", "--pid", &pid, "--json"]).expect_code(0).json();
    let node = format!("pid-{pid}");
    assert_eq!((&said["node"], &said["made"]), (&node.as_str().into(), &true.into()), "{said}");
    let at = lab.fault(&["jump", &node, "-1h"]);
    probe.wall_after(at).expect_skew(-HOUR);
    assert_eq!(probe.quit(), 0);
    sweep(lab);
    assert!(lab.left_in_nodes().is_empty(), "{:?}", lab.left_in_nodes());
}

fn again(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let pid = probe.live.pid();
    attach(lab, "a", pid);
    let said = attach(lab, "a", pid);
    assert_eq!((&said["already"], &said["stops"]), (&true.into(), &0.into()), "{said}");
    let at = lab.fault(&["jump", "a", "-1h"]);
    probe.wall_after(at).expect_skew(-HOUR);
    let other = ["attach", "--pid", &pid.to_string(), "--node", "b"];
    lab.falseticker(other)
        .expect_code(3)
        .expect_error("it is in node a already")
        .expect_error("falseticker detach");
    assert!(!lab.left_in_nodes().contains(&"b".to_owned()), "a node that nobody joined is left");
    detach(lab, pid);
    attach(lab, "b", pid);
    probe.wall().expect_skew(0);
    let at = lab.fault(&["jump", "b", "+1h"]);
    probe.wall_after(at).expect_skew(HOUR);
    assert_eq!(probe.quit(), 0);
    sweep(lab);
}

fn tree(lab: &Lab) {
    // A shell, below it another, and below that the probe.
    let script = format!("sh -c '{}; :' ; :", lab.target("probe").path().display());
    let mut probe = Probe::new(lab.bare_live("sh", ["-c", &script]));
    let top = probe.live.pid();
    let said = lab.falseticker(["attach", "--pid", &top.to_string(), "--tree", "--node", "a", "--json"]);
    let said = said.expect_code(0).json();
    assert_eq!(said["attached"].as_array().map(Vec::len), Some(3), "{said}");
    let at = lab.fault(&["jump", "a", "-1h"]);
    probe.wall_after(at).expect_skew(-HOUR);
    let detached = lab.falseticker(["detach", "--node", "a", "--json"]).expect_code(0).json();
    assert_eq!(detached["detached"].as_array().map(Vec::len), Some(3), "{detached}");
    probe.wall_after(at).expect_skew(0);
    probe.quit();
    sweep(lab);
}

fn forked_often(lab: &Lab) {
    let script = "$|=1; print qq(up\\n); <STDIN>; for (1 .. 5) { my $pid = fork; if (!$pid) { sleep; exit } push @all, $pid } \
                  print qq(forked\\n); <STDIN>; kill 9, @all; wait for @all";
    let mut live = lab.bare_live("perl", ["-e", script]);
    live.line_where(|line| line == "up");
    attach(lab, "a", live.pid());
    live.say("");
    live.line_where(|line| line == "forked");
    let status = lab.status("a");
    let processes = status["processes"].as_array().cloned().unwrap_or_default();
    let unknown = processes.iter().filter(|process| process["unknown"] == true).count();
    assert_eq!((processes.len(), unknown), (6, 0), "{status}");
    live.say("");
    assert_eq!(live.end(), 0);
    sweep(lab);
}

fn forked(lab: &Lab) {
    let fifo = lab.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a fifo can be made");
    // The child is forked and executes nothing; it waits for somebody to write to the fifo.
    let child = format!("echo child $(exec sh -c 'echo $PPID'); read x < {}", fifo.display());
    let mut live = lab.bare_live("sh", ["-c", &format!("read a; ({child}) & wait")]);
    let parent = live.pid();
    attach(lab, "a", parent);
    live.say("fork");
    let child = says_pid(&mut live, "child");
    lab.falseticker(["jump", "a", "-1h"]).expect_code(0);
    let members = |status: &serde_json::Value| {
        let all = status["processes"].as_array()?.iter().map(|process| process["pid"].as_i64().unwrap_or(0));
        Some(all.collect::<Vec<_>>()).filter(|all| all.contains(&child.into()))
    };
    lab.status_until("a", "the child is a member", members);
    live.signal(Signal::SIGKILL);
    live.end();
    eventually("the parent is gone", || (!alive(parent)).then_some(()));
    let left = lab.status_until("a", "the child keeps the node", members);
    assert_eq!(left, [i64::from(child)]);
    lab.falseticker(["remove", "a"]).expect_code(0);
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), Signal::SIGKILL);
}

fn frozen(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let pid = probe.live.pid();
    attach(lab, "a", pid);
    lab.falseticker(["freeze", "a"]).expect_code(0);
    eventually("it stands still", || matches!(state_of(pid), Some('T' | 'S')).then_some(()));
    let frozen = lab.status("a");
    assert!(!frozen["frozen"].is_null(), "{frozen}");
    lab.falseticker(["thaw", "a"]).expect_code(0);
    probe.wall().expect_skew(0);
    assert_eq!(probe.quit(), 0);
    sweep(lab);
}

fn stopped(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let pid = probe.live.pid();
    probe.live.signal(Signal::SIGSTOP);
    eventually("it is stopped", || (state_of(pid) == Some('T')).then_some(()));
    attach(lab, "a", pid);
    eventually("it is stopped again", || (state_of(pid) == Some('T')).then_some(()));
    let at = lab.fault(&["jump", "a", "-1h"]);
    assert_eq!(state_of(pid), Some('T'));
    probe.live.signal(Signal::SIGCONT);
    probe.wall_after(at).expect_skew(-HOUR);
    assert_eq!(probe.quit(), 0);
    sweep(lab);
}

fn sandboxed(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let true_offset = probe.first.shown - probe.first.mono;
    probe.ask("sandbox", 0);
    attach(lab, "a", probe.live.pid());
    let jump = lab.fault_json(&["jump", "a", "-1h"]);
    eventually("it is skewed", || {
        let reading = probe.ask("blind", 0).remove(0);
        ((reading.shown - reading.mono - true_offset + HOUR).abs() < HOUR / 60).then_some(())
    });
    let change = jump["change"].clone();
    let marks = lab.status("a")["processes"][0]["evidence"].clone();
    assert!(
        marks.as_array().is_some_and(|marks| marks.iter().any(|mark| mark["change"] == change)),
        "{marks}"
    );
    detach(lab, probe.live.pid());
    let reading = probe.ask("blind", 0).remove(0);
    assert!((reading.shown - reading.mono - true_offset).abs() < HOUR / 60, "{reading:?}");
    assert_eq!(probe.quit(), 0);
    sweep(lab);
}

fn policy(lab: &Lab, policy: &str) {
    let (launcher, probe) = (lab.target("launcher").path(), lab.target("probe").path());
    let mut probe = Probe::new(lab.bare_live(launcher, [policy.as_ref(), probe.as_os_str()]));
    attach(lab, "a", probe.live.pid());
    let at = lab.fault(&["jump", "a", "-1h"]);
    probe.wall_after(at).expect_skew(-HOUR);
    detach(lab, probe.live.pid());
    probe.wall().expect_skew(0);
    assert_eq!(probe.quit(), 0);
    sweep(lab);
}

fn restarts(lab: &Lab) {
    let mut live = lab.bare_live(lab.target("restarts").path(), [""; 0]);
    if live.line() == "none" {
        return; // This libc has none, and nobody else uses them.
    }
    let ask = |live: &mut Live| {
        // It is counted after the handler, and the next signal is to find it inside again.
        std::thread::sleep(std::time::Duration::from_millis(20));
        live.signal(Signal::SIGUSR1);
        numbers(live, "restarts")[0]
    };
    let before = ask(&mut live);
    attach(lab, "a", live.pid());
    // The kernel knows that it is inside: so the signal that is taken there begins it anew.
    let after = ask(&mut live);
    assert!(ask(&mut live) > after && after > before);
    detach(lab, live.pid());
    live.signal(Signal::SIGKILL);
    live.end();
    sweep(lab);
}

fn contained(lab: &Lab) {
    let probe = lab.target("probe").path();
    let hidden = format!("mount -t tmpfs none /dev/shm && exec {}", probe.display());
    let words = ["-m", "-p", "--fork", "--kill-child", "sh", "-c", &hidden];
    let mut probe = Probe::new(lab.bare_live("unshare", words));
    let outside = probe.live.pid();
    let pid: i32 = std::fs::read_to_string(format!("/proc/{outside}/task/{outside}/children"))
        .ok()
        .and_then(|children| children.trim().parse().ok())
        .expect("unshare has one child");
    attach(lab, "a", pid);
    let at = lab.fault(&["jump", "a", "-1h"]);
    probe.wall_after(at).expect_skew(-HOUR);
    assert!(!std::path::Path::new(&format!("/proc/{pid}/root{}", lab.nodes().display())).exists());
    let status = lab.status("a");
    assert_eq!(status["processes"][0]["evidence"].as_array().map(Vec::len), Some(1), "{status}");
    detach(lab, pid);
    probe.wall().expect_skew(0);
    probe.quit();
    sweep(lab);
}
