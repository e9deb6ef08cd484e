//! One conformance suite for all reaches: each kind of program, by each means that can reach it, under each kind of fault.
//!
//! A cell shows: the offset at the first read, a jump back and one forward while it runs, a drift, a standstill, the
//! monotonic clock left alone, evidence, children by fork, the program after an exec.

mod follow;
mod gaps;
mod more;
pub mod programs;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Lab, MILLISECOND, Probe, Reading, SECOND, Spec, binary, mono, spec};
use programs::{ALL, Kind};

const HOUR: i64 = 3600 * SECOND;

/// By which means a program is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Preload,
    Vdso,
    Attach,
}

impl Means {
    const ALL: [Means; 3] = [Means::Preload, Means::Vdso, Means::Attach];

    fn name(self) -> &'static str {
        match self {
            Means::Preload => "preload",
            Means::Vdso => "vdso",
            Means::Attach => "attach",
        }
    }

    fn reaches(self, kind: Kind) -> bool {
        self != Means::Preload || kind.loads_shim
    }
}

/// Each kind of program by each means that reaches it.
fn cells() -> impl Iterator<Item = (Means, Kind)> {
    Means::ALL.into_iter().flat_map(|means| {
        ALL.into_iter().filter(move |kind| means.reaches(*kind)).map(move |kind| (means, kind))
    })
}

fn cell_spec(means: Means, kind: Kind, sentence: &str) -> Spec {
    let (program, package) = kind.needs();
    spec(format!("reaches: {} reaches {}: {sentence}", means.name(), kind.name)).needs(program, package)
}

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (means, kind) in cells() {
        let of = |sentence: &str| cell_spec(means, kind, sentence);
        trials.push(
            of("offset, jumps, drift, standstill, evidence, fork, exec")
                .shown_by(move |lab| cell(lab, means, kind)),
        );
        trials.push(of("a thread is held at its read").shown_by(move |lab| held(lab, means, kind)));
    }
    trials.extend(more::trials());
    trials.extend(follow::trials());
    trials.extend(gaps::trials());
    trials
}

/// The probe in node `a`, with these faults from its first read on, or, if it ran already, from now on.
#[track_caller]
fn enter(lab: &Lab, means: Means, kind: Kind, faults: &[&str]) -> Probe {
    let program = kind.probe(lab);
    if means == Means::Attach {
        return join(lab, Probe::new(lab.bare_live(program, [""; 0])), faults);
    }
    let mut all = vec!["--reach", means.name()];
    all.extend(faults);
    Probe::new(lab.run("a", &all, [program]).live())
}

/// Has a probe that runs join node `a`. What is asked of `run` as `--jump -1h` is `jump a -1h` here.
#[track_caller]
fn join(lab: &Lab, mut probe: Probe, faults: &[&str]) -> Probe {
    probe.first.expect_skew(0);
    let pid = pid_of(&mut probe).to_string();
    lab.falseticker(["attach", "--pid", &pid, "--node", "a"]).expect_code(0);
    let (words, _) = faults.as_chunks::<2>();
    let at = words.iter().map(|[fault, by]| lab.fault(&[fault.trim_start_matches('-'), "a", by])).max();
    probe.first = probe.wall_after(at.unwrap_or(0));
    probe
}

fn cell(lab: &Lab, means: Means, kind: Kind) {
    let mut probe = enter(lab, means, kind, &["--jump", "-1h"]);
    probe.first.expect_skew(-HOUR);
    let back = lab.fault(&["jump", "a", "-30m"]);
    probe.wall_after(back).expect_skew(-HOUR - HOUR / 2);
    let forward = lab.fault(&["jump", "a", "+2h"]);
    probe.wall_after(forward).expect_skew(HOUR / 2);
    drifts(lab, &mut probe);
    stands_still(lab, &mut probe);
    let healed = lab.falseticker(["heal", "a", "--json"]).expect_code(0).json();
    probe
        .wall_after(healed["healed"][0]["at_ns"].as_i64().expect("a heal says when it takes effect"))
        .expect_skew(0);
    leaves_evidence(lab, &mut probe, means);
    has_children(&mut probe, means, kind);
    executes(&mut probe, means);
    assert_eq!(probe.quit(), 0);
    // A node that was made to attach to it goes with it, at the next command.
    lab.falseticker(["status"]).expect_code(0);
}

/// What its clock has gained between two readings, and how long that was.
fn gained(one: &Reading, other: &Reading) -> (i64, i64) {
    (other.skew - one.skew, other.mono - one.mono)
}

fn drifts(lab: &Lab, probe: &mut Probe) {
    let at = lab.fault(&["drift", "a", "1.5x"]);
    let one = probe.wall_after(at);
    let other = probe.wall_after(one.mono + 100 * MILLISECOND);
    let (gained, passed) = gained(&one, &other);
    let off = gained - passed / 2;
    assert!(off.abs() <= one.width + other.width + MILLISECOND, "gained {gained} ns in {passed} ns");
    let mono = probe.ask("mono", 0).remove(0);
    assert!(mono.shows(0), "the monotonic clock drifts along: {mono:?}");
    lab.fault(&["drift", "a", "0ppm"]);
}

fn stands_still(lab: &Lab, probe: &mut Probe) {
    let at = lab.fault(&["stall", "a"]);
    let one = probe.wall_after(at);
    let other = probe.wall_after(one.mono + 20 * MILLISECOND);
    assert_eq!(one.shown, other.shown, "it does not stand still");
}

/// The process's entry in `status`, by its pid here.
fn entry(lab: &Lab, pid: i64) -> Value {
    let status = lab.status("a");
    let processes = status["processes"].as_array().cloned().unwrap_or_default();
    let found = processes.into_iter().find(|process| process["pid"] == pid);
    found.unwrap_or_else(|| panic!("process {pid} is not listed as reached: {status}"))
}

fn pid_of(probe: &mut Probe) -> i64 {
    probe.ask("pid", 0).remove(0).shown
}

fn leaves_evidence(lab: &Lab, probe: &mut Probe, means: Means) {
    let pid = pid_of(probe);
    let jump = lab.fault_json(&["jump", "a", "-10s"]);
    let id = jump["change"].as_i64().expect("a change has an id");
    let is_marked = |process: &Value| {
        process["evidence"].as_array().is_some_and(|marks| marks.iter().any(|mark| mark["change"] == id))
    };
    probe.wall_after(jump["at_ns"].as_i64().expect("an instant")).expect_skew(-10 * SECOND);
    let process = entry(lab, pid);
    assert_eq!(process["reach"], means.name(), "{process}");
    assert!(is_marked(&process), "no mark of {id}: {process}");
}

fn has_children(probe: &mut Probe, means: Means, kind: Kind) {
    let children = probe.ask("children", 0);
    assert!(!children.is_empty(), "it had no children");
    // Go forks to execute, and nothing else.
    let executed = kind.is_go() && means == Means::Attach;
    for child in children {
        child.expect_skew(if executed { 0 } else { -10 * SECOND });
    }
}

fn executes(probe: &mut Probe, means: Means) {
    probe.live.say("exec");
    let line = probe.live.line();
    let first = Reading::parse(&line).unwrap_or_else(|| panic!("the probe says {line:?}"));
    // What a process executes that was attached is followed only if that was asked for.
    first.expect_skew(if means == Means::Attach { 0 } else { -10 * SECOND });
}

fn held(lab: &Lab, means: Means, kind: Kind) {
    let mut probe = enter(lab, means, kind, &[]);
    let pid = pid_of(&mut probe);
    let freeze = ["freeze", "a", "--on-read", "wall", "--for", "300ms"];
    let mut trap = lab.command(binary(), freeze).live();
    // Its own word: `status` shows a trap from the moment on at which readers are being sent there.
    trap.line_where(|line| line.contains("armed:"));
    let before = mono();
    let read = probe.wall();
    let length = read.mono - before;
    // Go's collector reads the clock too, and may be who is held.
    assert!(length >= 300 * MILLISECOND || kind.is_go(), "held for {length} ns");
    trap.line_where(|line| line.contains("held: process") && line.contains(&pid.to_string()));
    assert_eq!(trap.finish(), 0);
    assert_eq!(probe.quit(), 0);
    lab.falseticker(["status"]).expect_code(0);
}
