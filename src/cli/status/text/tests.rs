//! A made-up node, as it is shown.

use falseticker::node::Pause;
use falseticker::node::status::{Clocks, Mark};

use falseticker::freeze::Means as By;
use falseticker::reach::elf::{Kind, Libc};
use falseticker::reach::means::Gap;

use super::*;

const DYNAMIC: Kind = Kind::Dynamic(Libc::Glibc);

fn clock(shows: &str, offset_ns: i64, rate_ppm: f64) -> ClockStatus {
    let state = if offset_ns == 0 && rate_ppm == 0.0 { "true" } else { "faulted" };
    ClockStatus { shows: shows.to_owned(), offset_ns, rate_ppm, state }
}

fn change(id: u32, fault: &str, state: &'static str, at_ns: i64, until_ns: Option<i64>) -> ChangeStatus {
    ChangeStatus { id, fault: fault.to_owned(), clocks: vec!["wall"], at_ns, until_ns, state, late_by_ns: 0 }
}

pub fn status() -> Status {
    Status {
        name: "a".to_owned(),
        directory: "/dev/shm/falseticker-0/a".to_owned(),
        made_by: MadeBy::Run,
        monotonic: false,
        share: true,
        allow_settime: false,
        only: vec![],
        skip: vec![],
        now_ns: 60_000_000_000,
        host_step_ns: None,
        clocks: Clocks {
            wall: clock("2026-11-23T11:00:00.123456789Z", -3_599_999_999_958, 199.999_893_084_168_43),
            mono: clock("3d2h5.25s", 0, 0.0),
            boot: clock("3d2h5.25s", 0, 0.0),
        },
        changes: vec![
            change(1, "stall", "healed", 1, Some(2)),
            change(2, "heal", "ended", 2, None),
            change(3, "jump -1h", "in force", 48_000_000_000, Some(65_000_000_000)),
            change(4, "end of 3", "planned", 65_000_000_000, None),
            change(5, "drift 200ppm", "in force", 59_000_000_000, None),
        ],
        frozen: None,
        trap: None,
        last_pause: None,
        choices: Vec::new(),
        processes: vec![
            ProcessStatus {
                pid: 1234,
                command: "/usr/bin/redis-server 127.0.0.1:6379 --appendonly yes --maxmemory 100mb".to_owned(),
                state: "sleeping",
                reach: Means::Preload,
                reach_why: "it has loaded the shim".to_owned(),
                detour: "in place".to_owned(),
                not_covered: Means::Preload.reach().covers(DYNAMIC).gaps(false),
                evidence: vec![
                    Mark { change: 3, latency_ns: 1_200_000 },
                    Mark { change: 5, latency_ns: 808_499 },
                ],
                unread: vec![],
                unknown: false,
                overflow: 0,
                refused_settings: 3,
                waits: "kicked",
                waits_refused: None,
            },
            ProcessStatus {
                pid: 99,
                command: "sleep 100".to_owned(),
                state: "sleeping",
                reach: Means::Preload,
                reach_why: "it has loaded the shim".to_owned(),
                not_covered: vec![Gap::OF_SYMBOLS_ALONE],
                detour: "code may not be written there: EPERM".to_owned(),
                evidence: vec![],
                unread: vec![3, 5],
                unknown: false,
                overflow: 12,
                refused_settings: 0,
                waits: "sliced",
                waits_refused: Some("EPERM".to_owned()),
            },
        ],
        not_reached: vec![Escaped {
            pid: 77,
            command: "./static".to_owned(),
            chosen: true,
            why: "it is statically linked".to_owned(),
        }],

        refused_settings: 4,
    }
}

#[test]
fn a_node_in_80_columns() {
    let expected = "\
node a: made by run; shared
  clock  shows                     offset  rate
  wall   2026-11-23T11:00:00.123Z  -1h     200ppm
  mono   3d2h5.25s                 true
  boot   3d2h5.25s                 true
  change  fault         clocks  in force
  3       jump -1h      wall    since 12s, for another 5s
  5       drift 200ppm  wall    since 1s
  over: 2 heal (ended), and 1 earlier
  pid   reach    state     evidence                      command
  1234  preload  sleeping  5 after 808us, 3 after 1.2ms  /usr/bin/redis-server \u{2026}
  99    preload  sleeping  5 not read, 3 not read        sleep 100
  1234: refused 3 calls to set the clock (--allow-settime passes them on)
  99: symbols alone are taken over: code may not be written there: EPERM
  99: 12 older marks were overwritten
  99: waits: in slices of 10 ms, clone refused (EPERM)
  others: refused 1 call to set the clock (--allow-settime passes them on)
  not reached, and reading true time: 1
    77 ./static: it is statically linked
";
    let text = of(&status());
    assert_eq!(text, expected, "\n{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn what_the_means_do_not_cover_is_said_once_for_all_of_which_it_is_true() {
    let covered = |means: Means, kind| (means, means.reach().covers(kind).gaps(false));
    let with = |all: &[(Means, Vec<Gap>)]| {
        let mut status = status();
        let one = status.processes[0].clone();
        let of = |(pid, (means, gaps)): (i32, &(Means, Vec<Gap>))| ProcessStatus {
            pid,
            reach: *means,
            reach_why: format!("because of {pid}"),
            not_covered: gaps.clone(),
            refused_settings: 0,
            ..one.clone()
        };
        status.processes = (11..).zip(all).map(of).collect();
        of_text(&processes(&status, WIDTH))
    };
    let shim = covered(Means::Preload, DYNAMIC);
    assert_eq!(with(std::slice::from_ref(&shim)), "");
    let vdso = covered(Means::Vdso, Kind::Static);
    let text = with(&[vdso.clone(), vdso.clone()]);
    assert!(text.starts_with("  11: by vdso: because of 11\n  12: by vdso: because of 12\n"), "{text}");
    assert!(text.contains("\n  not covered by vdso: clock reads by syscall(); waits for"), "{text}");
    let attached = covered(Means::Attach, DYNAMIC);
    let text = with(&[vdso.clone(), shim, attached, vdso]);
    assert!(
        text.contains("  not covered by vdso of 11, 14: ") && text.contains("by attach of 13: "),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

/// What is said below the table of processes.
fn of_text(text: &str) -> String {
    text.lines()
        .skip_while(|line| !line.contains(": by ") && !line.contains("not covered"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn programs_that_are_left_out_are_told_apart_from_those_that_escape() {
    let left_out = |pid, command: &str| Escaped {
        pid,
        command: command.to_owned(),
        chosen: false,
        why: "left out by --skip sh --skip sleep".to_owned(),
    };
    let mut status = Status { skip: vec!["sh".to_owned(), "sleep".to_owned()], ..status() };
    status.not_reached.extend([left_out(7, "sh -c ./static"), left_out(8, "sleep 60")]);
    let text = of(&status);
    assert!(text.starts_with("node a: made by run; shared; all but sh, sleep\n"), "{text}");
    let end = "  not reached, and reading true time: 1\n    77 ./static: it is statically linked\n  \
               left out, and reading true time: 2\n    7 sh -c ./static\n    8 sleep 60\n";
    assert!(text.ends_with(end), "{text}");
    let only = Status { skip: vec![], only: vec!["etcd".to_owned()], ..status };
    assert!(of(&only).starts_with("node a: made by run; shared; only etcd\n"));
}

#[test]
fn a_frozen_node_says_so_first() {
    let pause = |how, why: Option<&str>| Pause {
        how,
        why: why.map(str::to_owned),
        held: vec![],
        found_stopped: vec![],
        requested_ns: Some(4_000_000_000),
        actual_ns: None,
        first_stop_ns: Some(58_999_000_000),
        since_ns: Some(59_000_000_000),
        until_ns: Some(63_500_000_000),
        first_resume_ns: None,
        last_resume_ns: None,
        controller: Some(3),
        guards: vec![1, 2],
    };
    let frozen = |pauses: Vec<Pause>| FrozenStatus {
        pids: vec![1234, 99],
        since_ns: Some(59_000_000_000),
        until_ns: Some(63_500_000_000),
        guards: vec![1, 2],
        pauses,
    };
    let with = |pauses| {
        let frozen = Some(frozen(pauses));
        of(&Status { frozen, monotonic: true, made_by: MadeBy::Create, ..status() })
    };
    let text = with(vec![pause(By::Signal, None)]);
    let first =
        "node a: made by create; monotonic; shared; frozen, 2 processes, since 1s, for another 3.5s\n";
    assert!(text.starts_with(first), "{text}");
    let text = with(vec![pause(By::Cgroup, Some("cgroup: it can be written"))]);
    assert!(text.contains("2 processes (by cgroup), since 1s"), "{text}");
    assert!(text.contains("\n  frozen by cgroup: it can be written\n"), "{text}");
    let text = with(vec![pause(By::Signal, None), pause(By::Thread, None)]);
    assert!(text.contains("2 processes (by 2 pauses)"), "{text}");
    let over = Pause {
        actual_ns: Some(4_001_500_000),
        first_resume_ns: Some(50_000_000_000),
        last_resume_ns: Some(50_001_000_000),
        ..pause(By::Signal, None)
    };
    let text = of(&Status { last_pause: Some(over), ..status() });
    assert!(text.contains("\n  last pause: 4.002s (4s asked for), signal, until "), "{text}");
}

#[test]
fn a_node_without_processes_or_changes_is_short() {
    let idle = Status {
        changes: Vec::new(),
        processes: Vec::new(),
        not_reached: Vec::new(),
        host_step_ns: Some(-2_500_000_000),
        refused_settings: 0,
        ..status()
    };
    let text = of(&idle);
    assert!(text.ends_with("true\n  no process is reached\n"), "{text}");
    assert!(text.contains("the host was stepped by -2.5s"), "{text}");
}
