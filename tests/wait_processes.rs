//! Waits follow the clock in every process of a node, wherever it came from, and wherever /proc, files or threads are refused.

use libtest_mimic::Trial;

use crate::harness::{Lab, MILLISECOND, SECOND, spec, thread_of, until_blocked};

/// What happens around a wait: the sentence, the scenario of `wait_processes`, how many threads wait, and the exit code.
const SCENARIOS: [(&str, &str, usize, i32); 7] = [
    ("two processes wait for shared objects, wake each other, and both follow a jump", "shared", 5, 0),
    (
        "a child that was forked while another thread waits follows a jump, and so does its parent",
        "fork",
        3,
        0,
    ),
    ("a child of a raw clone waits and follows a jump", "raw-clone", 2, 0),
    ("a child that was forked in a handler that interrupted a wait follows a jump", "handler", 2, 0),
    ("a program executed by vfork while a thread waits follows a jump", "vfork", 2, 0),
    ("when the first thread has exited the others follow a jump, and the process ends", "main-exits", 4, 0),
    ("a program that is executed while threads wait has waits of its own", "xec", 1, 0),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("wait processes: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        for (sentence, scenario, threads, code) in SCENARIOS {
            trials.push(of(sentence).shown_by(move |lab| follows_a_jump(lab, libc, scenario, threads, code)));
        }
        trials.push(
            of("a deadline that the clock will show when a fault ends as planned comes then, and not before")
                .shown_by(move |lab| planned(lab, libc)),
        );
        trials.push(
            of("a process that exits while threads wait is gone").shown_by(move |lab| exits(lab, libc)),
        );
        trials.push(
            of("a program has no more tasks before its first wait, and can unshare what it could bare")
                .shown_by(move |lab| unshares(lab, libc)),
        );
        trials.push(
            of("where clone is refused every wait still follows a jump, in slices, and status says so")
                .shown_by(move |lab| refused(lab, libc)),
        );
        trials.push(
            of("where nothing but waiting is allowed, no file is opened, every wait follows a jump")
                .shown_by(move |lab| every_wait(lab, libc, "strict")),
        );
        trials.push(
            of("all but waiting may be forbidden at once after the first wait, before the helper has run")
                .shown_by(move |lab| forbids_at_once(lab, libc)),
        );
        trials.push(
            of("in a chroot without /proc every wait follows a jump")
                .shown_by(move |lab| every_wait(lab, libc, "chroot")),
        );
    }
    trials
}

/// "NAME ended INSTANT RESULT": the name, how long after `at` it was, and the result.
#[track_caller]
fn ended(line: &str, at: i64) -> (String, i64, String) {
    let words: Vec<&str> = line.split(' ').collect();
    let instant = words.get(2).and_then(|word| word.parse::<i64>().ok());
    let instant = instant.unwrap_or_else(|| panic!("no instant in {line:?}"));
    (words[0].to_owned(), instant - at, words.get(3).copied().unwrap_or_default().to_owned())
}

/// Everyone waits on through a jump back, and ends with a jump past the deadline, not before.
fn follows_a_jump(lab: &Lab, libc: &str, scenario: &str, threads: usize, code: i32) {
    let program = lab.target("wait_processes").of(libc).path();
    let mut live = lab.run("a", &[], [program.as_os_str(), scenario.as_ref()]).live();
    // Threads that are executed away never say when they ended.
    live.until_waiting_as(if scenario == "xec" { "after-exec" } else { "" }, threads);
    lab.fault(&["jump", "a", "-1h"]);
    let at = lab.fault(&["jump", "a", "+3h"]);
    let timed_out = |line: &str, at| {
        let (name, late, result) = ended(line, at);
        assert_eq!(result, "ETIMEDOUT", "{line}");
        assert!(late >= 0, "{name} ended {} ns too early", -late);
        assert!(late < SECOND, "{name} ended {late} ns late");
    };
    let (mut ends, mut later) = (0, Vec::new());
    // In the scenario `fork` a child of the child begins to wait when its parent has seen the jump.
    let grandchildren = usize::from(scenario == "fork");
    while ends < threads || later.len() < grandchildren {
        let line = live.line_where(|line| line.contains(" ended ") || line.starts_with("waits "));
        if line.starts_with("waits ") {
            later.push(thread_of(&line));
        } else {
            timed_out(&line, at);
            ends += 1;
        }
    }
    if !later.is_empty() {
        until_blocked(&later);
        let at = lab.fault(&["jump", "a", "+2h"]);
        timed_out(&live.line_where(|line| line.contains(" ended ")), at);
    }
    assert_eq!(live.end(), code);
}

/// An hour ahead of a clock that is two hours behind, and will be true.
fn planned(lab: &Lab, libc: &str) {
    let program = lab.target("wait_processes").of(libc).path();
    lab.falseticker(["create", "a"]).expect_code(0);
    let jump = lab.fault_json(&["jump", "a", "-2h", "--for", "2s"]);
    let until = jump["until_ns"].as_i64().expect("it ends");
    let mut live = lab.in_node("a", [program.as_os_str(), "once".as_ref(), "planned".as_ref()]).live();
    let (_, late, result) = ended(&live.line_where(|line| line.contains(" ended ")), until);
    assert_eq!(result, "ETIMEDOUT");
    assert!((0..SECOND).contains(&late), "{late} ns late");
    assert_eq!(live.end(), 0);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn exits(lab: &Lab, libc: &str) {
    let program = lab.target("wait_processes").of(libc).path();
    for (how, code) in [("exit", 7), ("_exit", 8)] {
        let words = [program.as_os_str(), how.as_ref()];
        lab.bare(words).expect_code(code);
        lab.run("a", &[], words).done().expect_code(code);
    }
}

fn unshares(lab: &Lab, libc: &str) {
    let program = lab.target("wait_processes").of(libc).path();
    let words = [program.as_os_str(), "unshare".as_ref()];
    let bare = lab.bare(words).expect_code(0);
    let under = lab.run("a", &[], words).done().expect_code(0);
    let (first, last) = bare.text().rsplit_once(' ').expect("a line");
    assert!(first.starts_with("tasks 1,") && last == "0", "{}", bare.report());
    assert_eq!(under.text(), format!("{first} 1"), "the helper is one task, from the first wait on");
}

fn names_of_threads(pid: &serde_json::Value) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    tasks.flatten().flat_map(name).map(|name| name.trim_end().to_owned()).collect()
}

/// The waits of `wait_follow` in a mode go on through a jump back and end with a jump past their deadlines; `expected` is what
/// status says of how they follow.
fn follow(lab: &Lab, libc: &str, words: &[&str], expected: [&str; 2]) {
    let calls = if libc == "musl" { 17 } else { 23 };
    let program = lab.target("wait_follow").of(libc).path();
    let all = std::iter::once(program.as_os_str()).chain(words.iter().map(|word| word.as_ref()));
    let mut live = lab.run("a", &[], all).live();
    live.until_waiting(calls);
    let status = lab.status("a");
    let process = &status["processes"][0];
    let says = ["waits", "waits_refused"].map(|key| process[key].as_str().unwrap_or_default());
    assert_eq!(says, expected, "{status}");
    let (helpers, others): (Vec<_>, Vec<_>) =
        names_of_threads(&process["pid"]).into_iter().partition(|name| name == "falseticker");
    assert_eq!(helpers.len(), usize::from(expected[0] == "kicked"));
    assert!(others.iter().all(|name| name.starts_with("wait_follow")), "{others:?}");
    lab.fault(&["jump", "a", "-1h"]);
    let at = lab.fault(&["jump", "a", "+3h"]);
    let mut ends = Vec::new();
    loop {
        let line = live.line();
        if line == "done" {
            break;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| words.get(index).and_then(|word| word.parse::<i64>().ok());
        let (Some(result), Some(instant)) = (number(1), number(3)) else { panic!("it says {line:?}") };
        let sleeps = words[0].ends_with("clock_nanosleep");
        let timed_out = result == 110 || result == 4 || words[2] == "ETIMEDOUT" || sleeps && result == 0;
        assert!(timed_out, "{line}");
        ends.push((words[0].to_owned(), instant - at));
    }
    assert_eq!(ends.len(), calls);
    let mut late: Vec<i64> = ends.iter().map(|(_, late)| *late).collect();
    late.sort_unstable();
    let millis = |ns: i64| ns as f64 / 1e6;
    let (median, last) = (late[calls / 2], late[calls - 1]);
    eprintln!("{libc} {}: median {:.1} ms, last {:.1} ms late", words[0], millis(median), millis(last));
    for (name, late) in &ends {
        assert!(*late >= 0, "{name} ended {} ns too early", -late);
        assert!(*late < SECOND, "{name} ended {late} ns late");
    }
    // The machine may be busy with others; half of them are not all unlucky.
    assert!(median < 60 * MILLISECOND, "{late:?}");
    assert_eq!(live.end(), 0);
}

fn forbids_at_once(lab: &Lab, libc: &str) {
    let program = lab.target("wait_follow").of(libc).path();
    let words = [program.as_os_str(), "at-once".as_ref()];
    lab.bare(words).expect_code(0);
    lab.run("a", &[], words).done().expect_code(0);
}

fn refused(lab: &Lab, libc: &str) {
    follow(lab, libc, &["refused"], ["sliced", "EPERM"]);
}

fn every_wait(lab: &Lab, libc: &str, mode: &str) {
    let folder = lab.path("empty");
    std::fs::create_dir_all(&folder).expect("a folder");
    let folder = folder.to_string_lossy().into_owned();
    follow(lab, libc, &[mode, &folder], ["kicked", ""]);
}
