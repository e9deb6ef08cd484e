//! Freezing: all of a node stands still, is known to, and goes on again whatever dies.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Lab, Live, alive, binary, count_of, eventually, spec, state_of};

/// Within which everything runs again when whoever held it is killed. A busy machine may keep a process that is free to run
/// from running: so three of four times are asked to be within it.
const RESUMED_WITHIN: Duration = Duration::from_millis(100);

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("freeze: {sentence}")).needs("cc", "gcc");
    vec![
        of("everything stands still once the command returns, until thaw").shown_by(until_thaw),
        of("with --for it stays in the foreground and everything runs again at its end").shown_by(for_a_time),
        of("heal thaws").shown_by(heal_thaws),
        of("killing the foreground command by SIGKILL resumes everything within 100 ms").shown_by(killed),
        of("killing it by SIGINT or SIGTERM resumes everything").shown_by(interrupted),
        of("killing a guard resumes the node, or another takes its place and thaw works")
            .shown_by(guard_killed),
        of("the command's output can be captured by a shell that waits for its end").shown_by(captured),
        of("SIGKILL of run while its program is frozen leaves the whole tree alive").shown_by(run_killed),
        of("a process that was stopped before stays stopped after the thaw").shown_by(stopped_before),
        of("a node that forks all the time is frozen whole").shown_by(forking),
        of("freezes that overlap are counted, and one thaw ends all; thawing what is not frozen says so")
            .shown_by(counted),
        of("the wall clock runs on while a node is frozen").shown_by(clock_runs_on),
        of("a node without processes cannot be frozen").shown_by(nobody),
        of("threads are held though the command was started with SIGCHLD ignored").shown_by(children_ignored),
    ]
}

struct Tree {
    live: Live,
    pids: Vec<i32>,
}

impl Tree {
    fn start(lab: &Lab, processes: usize) -> Self {
        let program = lab.target("tree").path();
        Tree::from(
            lab.run("a", &[], [program.as_os_str(), processes.to_string().as_ref(), "2".as_ref()]).live(),
        )
    }

    fn from(mut live: Live) -> Self {
        let line = live.line_where(|line| line.starts_with("pids"));
        let pids: Vec<i32> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        Tree { live, pids }
    }

    #[track_caller]
    fn expect_stopped(&self) {
        for pid in &self.pids {
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its tasks can be listed");
            for task in tasks.flatten() {
                let state = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                let letter = state.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
                assert!(
                    matches!(letter, Some('T' | 't')),
                    "task {:?} of {pid} is in {letter:?}",
                    task.file_name()
                );
            }
        }
    }

    fn is_running(&self) -> bool {
        self.pids.iter().all(|pid| state_of(*pid).is_some_and(|state| !"Tt".contains(state)))
    }

    #[track_caller]
    fn expect_running(&self) {
        eventually("the tree runs", || self.is_running().then_some(()));
    }

    fn end(mut self) {
        self.expect_running();
        self.live.finish();
    }
}

fn until_thaw(lab: &Lab) {
    let mut tree = Tree::start(lab, 6);
    let said = lab.falseticker(["freeze", "a", "--json"]).expect_code(0);
    tree.expect_stopped();
    tree.live.say("counts");
    assert_eq!(
        tree.live.line_within(Duration::from_millis(100)),
        None,
        "it answers while frozen:\n{}",
        said.report()
    );
    assert!(!lab.status("a")["frozen"].is_null());
    lab.falseticker(["thaw", "a"]).expect_code(0);
    tree.live.line_where(|line| line.starts_with("counts"));
    assert!(lab.status("a")["frozen"].is_null());
    tree.end();
}

fn for_a_time(lab: &Lab) {
    let tree = Tree::start(lab, 4);
    let begun = Instant::now();
    lab.falseticker(["freeze", "a", "--for", "300ms"]).expect_code(0);
    assert!(begun.elapsed() >= Duration::from_millis(300), "it returned after {:?}", begun.elapsed());
    assert!(tree.is_running(), "it returned before all ran again");
    tree.end();
}

fn heal_thaws(lab: &Lab) {
    let tree = Tree::start(lab, 3);
    lab.falseticker(["freeze", "a"]).expect_code(0);
    tree.expect_stopped();
    lab.falseticker(["heal", "a"]).expect_code(0);
    assert!(tree.is_running());
    tree.end();
}

/// A foreground freeze, once everything is stopped.
fn foreground(lab: &Lab, tree: &Tree) -> Live {
    let mut live = lab.bare_live(crate::harness::binary(), ["freeze", "a", "--for", "1h"]);
    eventually("the freeze", || {
        assert!(!live.has_ended(), "the freeze has ended by itself");
        (!lab.status("a")["frozen"].is_null() && tree.pids.iter().all(|pid| state_of(*pid) == Some('T')))
            .then_some(())
    });
    live
}

fn killed(lab: &Lab) {
    let tree = Tree::start(lab, 4);
    let mut times = Vec::new();
    for round in 0..count_of("FALSETICKER_KILLS", 10) {
        let mut live = foreground(lab, &tree);
        // At another point of whatever it does next each time.
        std::thread::sleep(Duration::from_micros(200 * round as u64));
        live.signal(Signal::SIGKILL);
        let killed = Instant::now();
        tree.expect_running();
        times.push(killed.elapsed());
        live.end();
    }
    times.sort();
    assert!(times[times.len() * 3 / 4] < RESUMED_WITHIN, "everything ran again after {times:?}");
    tree.end();
}

fn interrupted(lab: &Lab) {
    let tree = Tree::start(lab, 3);
    for (signal, code) in [(Signal::SIGINT, Some(130)), (Signal::SIGTERM, None), (Signal::SIGHUP, None)] {
        let mut live = foreground(lab, &tree);
        live.signal(signal);
        let ended = live.end();
        assert!(code.is_none_or(|code| code == ended), "{signal}: exit code {ended}");
        tree.expect_running();
    }
    tree.end();
}

fn guards(lab: &Lab) -> Vec<i32> {
    let status = lab.status("a");
    let guards = status["frozen"]["guards"].as_array().cloned().unwrap_or_default();
    guards.iter().filter_map(|pid| pid.as_i64()?.try_into().ok()).collect()
}

fn guard_killed(lab: &Lab) {
    let tree = Tree::start(lab, 3);
    for which in 0..2 {
        lab.falseticker(["freeze", "a"]).expect_code(0);
        let guards = guards(lab);
        assert!(!guards.is_empty(), "status names no guard");
        kill(Pid::from_raw(guards[which % guards.len()]), Signal::SIGKILL).expect("the guard can be killed");
        // Either everything runs by now, or the node is still frozen with a guard, and thaws.
        std::thread::sleep(Duration::from_millis(150));
        if !tree.is_running() {
            tree.expect_stopped();
            lab.falseticker(["thaw", "a"]).expect_code(0);
        }
        tree.expect_running();
        lab.falseticker(["heal", "a"]).expect_code(0);
    }
    // All of them at once (stopped first, or each would replace the other): the next command of any kind puts it right.
    lab.falseticker(["freeze", "a"]).expect_code(0);
    let guards = guards(lab);
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for guard in &guards {
            kill(Pid::from_raw(*guard), signal).expect("the guard is there");
        }
    }
    eventually("the end of the guards", || {
        guards.iter().all(|guard| matches!(state_of(*guard), None | Some('Z'))).then_some(())
    });
    lab.falseticker(["status"]).expect_code(0);
    tree.expect_running();
    tree.end();
}

fn captured(lab: &Lab) {
    let tree = Tree::start(lab, 2);
    let script = format!("text=$({} freeze a) && echo \"got: $text\"", crate::harness::binary());
    let mut live = lab.bare_live("sh", ["-c", &script]);
    let line = live.line();
    assert!(line.starts_with("got: "), "{line}");
    assert_eq!(live.end(), 0);
    tree.expect_stopped();
    lab.falseticker(["thaw", "a"]).expect_code(0);
    tree.end();
}

fn run_killed(lab: &Lab) {
    // As from an interactive shell: a session of its own, a terminal, and a process group for the job.
    let program = lab.target("tree").path();
    let job = format!(
        "set -m; {} run --node a -- {} 3 1 < <(exec sleep 1000) & echo \"run $!\"; wait; sleep 1000",
        crate::harness::binary(),
        program.display()
    );
    let shell = lab.command("script", ["-qec", &format!("bash -c '{job}'"), "/dev/null"]).live();
    let mut tree = Tree { live: shell, pids: Vec::new() };
    let mut run = 0;
    while run == 0 || tree.pids.is_empty() {
        let line = tree.live.line();
        if let Some(pid) = line.trim().strip_prefix("run ") {
            run = pid.parse().expect("a pid");
        } else if let Some(pids) = line.trim().strip_prefix("pids ") {
            tree.pids = pids.split(' ').filter_map(|pid| pid.parse().ok()).collect();
        }
    }
    lab.falseticker(["freeze", "a"]).expect_code(0);
    tree.expect_stopped();
    kill(Pid::from_raw(run), Signal::SIGKILL).expect("run can be killed");
    eventually("the end of run", || (!alive(run)).then_some(()));
    // The kernel's SIGHUP, had it come, would come with that end.
    std::thread::sleep(Duration::from_millis(200));
    for pid in &tree.pids {
        assert!(alive(*pid), "{pid} did not survive");
    }
    lab.falseticker(["thaw", "a"]).expect_code(0);
    tree.expect_running();
    std::thread::sleep(Duration::from_millis(100));
    assert!(tree.pids.iter().all(|pid| alive(*pid)));
    drop(tree);
    lab.clear();
    lab.falseticker(["status"]).expect_code(0);
}

fn stopped_before(lab: &Lab) {
    let tree = Tree::start(lab, 3);
    let stopped = tree.pids[1];
    kill(Pid::from_raw(stopped), Signal::SIGSTOP).expect("it can be stopped");
    eventually("the stop", || (state_of(stopped) == Some('T')).then_some(()));
    lab.falseticker(["freeze", "a"]).expect_code(0);
    lab.falseticker(["thaw", "a"]).expect_code(0);
    assert_eq!(state_of(stopped), Some('T'));
    assert_ne!(state_of(tree.pids[2]), Some('T'));
    kill(Pid::from_raw(stopped), Signal::SIGCONT).expect("it can be continued");
    tree.end();
}

fn forking(lab: &Lab) {
    let script = "for (1..4) { last unless fork } $|=1; print qq(on\\n); while (1) { my $pid = fork; if (!$pid) { select undef, undef, undef, 0.002; exit } wait }";
    let mut live = lab.run("a", &[], ["perl", "-e", script]).live();
    live.line();
    for _ in 0..count_of("FALSETICKER_FREEZES", 10) {
        lab.falseticker(["freeze", "a"]).expect_code(0);
        let all: Vec<_> = lab.processes().into_iter().filter(|p| p.command.starts_with("perl")).collect();
        let moving: Vec<_> = all.iter().filter(|process| !matches!(process.state, 'T' | 't')).collect();
        assert!(moving.is_empty(), "these move: {moving:?}");
        assert!(!all.is_empty());
        lab.falseticker(["thaw", "a"]).expect_code(0);
    }
    live.signal(Signal::SIGTERM);
    live.end();
    lab.clear();
    lab.falseticker(["status"]).expect_code(0);
}

fn counted(lab: &Lab) {
    let tree = Tree::start(lab, 2);
    assert!(lab.falseticker(["thaw", "a"]).expect_code(0).stdout.contains("not frozen"));
    lab.falseticker(["freeze", "a"]).expect_code(0);
    let second = lab.falseticker(["freeze", "a", "--for", "50ms", "--json"]).expect_code(0).json();
    assert_eq!(
        second["found_stopped"],
        serde_json::json!([]),
        "a stop of our own was taken for somebody else's"
    );
    tree.expect_stopped();
    let mut third = foreground(lab, &tree);
    assert_eq!(lab.status("a")["frozen"]["pauses"].as_array().map(Vec::len), Some(2));
    third.signal(Signal::SIGINT);
    assert_eq!(third.end(), 130);
    tree.expect_stopped();
    lab.falseticker(["thaw", "a"]).expect_code(0);
    tree.end();
}

fn clock_runs_on(lab: &Lab) {
    let mut probe = lab.probe("a", &["--jump", "-1h"], &lab.target("probe"));
    lab.falseticker(["freeze", "a", "--for", "200ms"]).expect_code(0);
    probe.wall().expect_skew(-3600 * crate::harness::SECOND);
    probe.quit();
}

fn nobody(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["freeze", "a"]).expect_code(3);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn children_ignored(lab: &Lab) {
    let _tree = Tree::start(lab, 10);
    let frozen = ["--ignore-signal=CHLD", binary(), "freeze", "a", "--how", "thread", "--for", "50ms"];
    // The first stops may be there already when the holder first looks, of which no signal needs to tell.
    for _ in 0..5 {
        lab.command("env", frozen).done().expect_code(0);
    }
}
