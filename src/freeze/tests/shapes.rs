//! Trees that are hard to stop.

use super::*;
use crate::process::{State, stat};

#[test]
fn a_tree_that_forks_while_it_is_frozen_ends_fully_stopped() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    // Each round's subshell outlives its own children, so that nobody is orphaned out of the tree.
    let storm = "while :; do ( (sleep 0.02) & (sleep 0.03) & wait ) & (sleep 0.005); done";
    let storms: Vec<Target> = (0..3).map(|_| Target::shell(storm)).collect();
    let roots: Vec<ProcessId> = storms.iter().map(|storm| storm.id).collect();
    let members = families(&roots);
    until("the storms rise", || members().unwrap().len() > 12);
    for round in 0..10 {
        let frozen = begin(dir.path(), &members, &Plan::default()).unwrap();
        let all = members().unwrap();
        host_clock::sleep(Span::from_millis(20));
        assert_eq!(members().unwrap(), all, "round {round}: somebody was born in a frozen tree");
        let moving: Vec<_> =
            all.iter().filter(|id| matches!(stillness(**id), Stillness::Moving(_))).collect();
        assert!(moving.is_empty(), "round {round}: {moving:?}");
        let held = frozen.report().processes.len();
        println!("fork storm, round {round}: {held} processes held");
        drop(frozen);
        host_clock::sleep(Span::from_millis(7));
    }
}

#[test]
fn a_parent_in_vfork_counts_as_stopped() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let parent = Target::helper("vfork", dir.path(), &[]);
    let members = families(&[parent.id]);
    // The threads that are in `vfork`: D, stopped or not.
    let in_vfork = || {
        let all = members().unwrap().into_iter().flat_map(|id| {
            let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
            tasks.flatten().map(move |task| (id.pid, task.file_name().to_str().unwrap().parse().unwrap()))
        });
        all.filter(|&(pid, tid)| {
            let mut buffer = stat::Buffer::new();
            stat::read_task(pid, tid, &mut buffer).is_some_and(|task| task.state == State::DISK)
        })
        .count()
    };
    until("both are in vfork", || members().unwrap().len() == 4 && in_vfork() == 2);
    let frozen = begin(dir.path(), &members, &Plan::default()).unwrap();
    assert_eq!(frozen.report().processes.len(), 4);
    assert_eq!(in_vfork(), 2);
    assert!(members().unwrap().into_iter().all(is_stopped));
    frozen.thaw().unwrap();
    assert!(members().unwrap().into_iter().all(|id| !is_stopped(id)));
}

#[test]
fn a_stop_that_a_resume_discards_is_sent_again() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sleeper();
    let own = std::process::id();
    // A member that resumes another one for as long as it runs.
    let busybody = Target::shell(&format!("while kill -0 {own}; do kill -CONT {}; done", target.id.pid));
    for _ in 0..20 {
        let frozen = begin(dir.path(), &families(&[target.id, busybody.id]), &Plan::default()).unwrap();
        assert!(is_stopped(busybody.id));
        drop(frozen);
    }
}

#[test]
fn a_thousand_processes() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let script = "i=0; while [ $i -lt 1000 ]; do sleep 1000 & i=$((i+1)); done; wait";
    let shell = Target::shell(script);
    let members = families(&[shell.id]);
    until("all are there", || {
        let table = Table::scan().unwrap();
        table.family(&[shell.id]).iter().filter(|process| process.comm == "sleep").count() == 1000
    });
    let before = host_clock::monotonic();
    let frozen = begin(dir.path(), &members, &Plan::default()).unwrap();
    let whole = host_clock::monotonic().saturating_since(before);
    let report = frozen.report();
    assert_eq!(report.processes.len(), 1001);
    let stopping = report.last_confirmed.saturating_since(report.first_stop);
    assert!(members().unwrap().into_iter().all(is_stopped));
    let before = host_clock::monotonic();
    frozen.thaw().unwrap();
    let thawing = host_clock::monotonic().saturating_since(before);
    println!(
        "1,000 processes: first stop to last confirmed {:.1} ms; begin {:.1} ms; thaw {:.1} ms",
        millis(stopping),
        millis(whole),
        millis(thawing)
    );
    assert!(members().unwrap().into_iter().all(|id| !is_stopped(id)));
}
