//! What reports are made of: curves between samples, faults and what came of them, what is put together; and the library that is
//! carried along.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{How, Kind, Report};
use crate::history::Verdict;

const SECOND: i64 = 1_000_000_000;

/// A history of lines that each have an instant, in nanoseconds from the start.
fn report(lines: &[(i64, Value)]) -> Report {
    let header = json!({
        "format": "falseticker-history", "version": 1, "tool": "t", "scenario": "s", "seed": 1, "started": "x",
        "duration_ns": 1, "recovery_ns": 1, "clocks": ["mono"],
        "nodes": [{ "name": "a", "command": ["x"], "monotonic": false }],
    });
    let start =
        json!({ "at_ns": 0, "wall_ns": 0, "event": "start", "heal_ns": 10 * SECOND, "end_ns": 11 * SECOND });
    let mut text = format!("{header}\n{start}\n");
    for (at, event) in lines {
        let mut line = json!({ "at_ns": at, "wall_ns": at, "node": "a" });
        for (key, value) in event.as_object().unwrap() {
            line[key] = value.clone();
        }
        text.push_str(&format!("{line}\n"));
    }
    Report::read(text.as_bytes(), "h", &[]).unwrap()
}

fn sample(off: i64, ppm: f64) -> Value {
    json!({ "event": "sample", "wall_off_ns": off, "mono_off_ns": 0, "boot_off_ns": 0, "wall-ppm": ppm })
}

fn applied(id: Option<u32>, change: u32, what: &str, until: Option<i64>) -> Value {
    json!({ "event": "applied", "id": id, "change": change, "what": what, "clocks": ["wall"], "until_ns": until,
        "late_by_ns": 0 })
}

fn op(name: &str, phase: &str, process: &str, at: i64) -> (i64, Value) {
    let op = json!({ "event": "op", "op": name, "phase": phase, "process": process, "from_ns": at, "until_ns": at,
        "by": "mono" });
    (at, op)
}

#[test]
fn a_step_is_where_it_was_applied_and_a_straight_line_has_two_points() {
    let off = |at: i64| if at >= 450 { 7_000 } else { 0 };
    let mut lines: Vec<_> = (0..100).map(|at| (at * 10, sample(off(at * 10), 0.0))).collect();
    lines.push((450, applied(Some(1), 1, "jump +7us", None)));
    let curves = report(&lines).curves;
    let points: Vec<_> = curves.at.iter().copied().zip(curves.off[0].iter().copied().flatten()).collect();
    assert_eq!(points, [(0, 0.0), (449, 0.0), (450, 7_000.0), (990, 7_000.0)]);
}

#[test]
fn between_samples_a_drift_begins_at_its_change() {
    let lines = [
        (0, sample(0, 0.0)),
        (SECOND, sample(0, 0.0)),
        (3 * SECOND / 2, applied(Some(1), 1, "drift 200ppm", None)),
        (2 * SECOND, sample(100_000, 200.0)),
        (3 * SECOND, sample(300_000, 200.0)),
    ];
    let curves = report(&lines).curves;
    let at = curves.at.iter().position(|at| *at == 3 * SECOND / 2).unwrap();
    assert_eq!(
        (curves.off[0][at], curves.ppm[0][at], curves.ppm[0][at - 1]),
        (Some(0.0), Some(200.0), Some(0.0))
    );
}

#[test]
fn a_strobe_is_thinned_and_keeps_its_heights() {
    let off = |index: i64| if index == 7_777 { 900 } else { (index % 2) * 100 };
    let lines: Vec<_> = (0..20_000).map(|index| (index * 1_000, sample(off(index), 0.0))).collect();
    let curves = report(&lines).curves;
    assert!(curves.at.len() < 4_000, "{}", curves.at.len());
    assert_eq!(curves.off[0].iter().flatten().copied().fold(0.0, f64::max), 900.0);
}

#[test]
fn a_fault_has_its_plan_its_instants_and_its_readers() {
    let planned = json!({ "event": "planned", "id": 1, "entry": 0, "fault": { "jump": { "by": "5s" } }, "due_ns": 100,
        "optional": false });
    let evidence = |pid, latency| json!({ "event": "evidence", "id": 1, "change": 4, "pid": pid, "latency_ns": latency });
    let report = report(&[
        (0, planned),
        (100, applied(Some(1), 4, "jump +5s", None)),
        (130, evidence(7, 30)),
        (190, evidence(8, 90)),
        (500, applied(None, 5, "end of 4", None)),
        (900, applied(None, 6, "heal", None)),
    ]);
    let fault = &report.faults[0];
    assert_eq!((fault.planned, fault.readers.len(), fault.latency), (Some(100), 2, Some((30, 90))));
    assert_eq!((fault.taken[0].how, fault.taken[0].from, fault.taken[0].until), (How::Clock, 100, Some(500)));
    assert_eq!(report.faults[1].name(), "heal of a");
    assert_eq!(report.faults.len(), 2);
    let bars: Vec<_> = report.bars.iter().map(|bar| (bar.kind, bar.from, bar.until)).collect();
    assert_eq!(bars, [(Kind::Clock, 100, 500)]);
}

#[test]
fn a_heal_ends_what_is_in_force_and_a_pause_without_end_lasts() {
    let frozen = json!({ "event": "frozen", "id": 2, "means": "signal", "first_stop_ns": 200, "confirmed_ns": 210,
        "processes": [] });
    let report = report(&[
        (100, applied(Some(1), 1, "drift 200ppm", None)),
        (210, frozen),
        (900, applied(None, 2, "heal", None)),
        (950, sample(0, 0.0)),
    ]);
    let bars: Vec<_> = report.bars.iter().map(|bar| (bar.kind, bar.from, bar.until)).collect();
    assert_eq!(bars, [(Kind::Clock, 100, 900), (Kind::Frozen, 210, 950)]);
}

#[test]
fn leases_and_leaders_are_bars_from_word_to_word() {
    let report = report(&[
        op("acquire", "ok", "x", 100),
        op("hold", "ok", "x", 300),
        op("release", "invoke", "x", 400),
        op("release", "ok", "x", 450),
        op("lead", "ok", "x", 500),
        op("lead", "ok", "x", 600),
        op("lead", "ok", "y", 700),
        op("lead", "ok", "x", 800),
        op("acquire", "ok", "z", 900),
        op("hold", "ok", "z", 950),
        op("write", "ok", "x", 990),
    ]);
    let bars = |kind| {
        let of_kind = report.bars.iter().filter(move |bar| bar.kind == kind);
        of_kind.map(|bar| (report.lanes[bar.lane].label.as_str(), bar.from, bar.until)).collect::<Vec<_>>()
    };
    assert_eq!(bars(Kind::Lease), [("lease: x", 100, 400), ("lease: z", 900, 950)]);
    // Nobody has heard that it was given back.
    assert_eq!(bars(Kind::MaybeLease), [("lease: z", 900, 990)]);
    assert_eq!(
        bars(Kind::Leader),
        [("leader: x", 500, 600), ("leader: y", 700, 700), ("leader: x", 800, 800)]
    );
}

#[test]
fn of_very_many_operations_those_near_a_witness_are_shown_one_by_one() {
    let mut lines: Vec<_> = (0..30_000).map(|index| op("write", "ok", "x", index * 1_000)).collect();
    let witness = json!([{ "from_ns": 5_000_000, "until_ns": 5_000_000, "line": 5_003, "what": "x: write" }]);
    lines.push((
        SECOND,
        json!({ "event": "verdict", "check": "c", "verdict": "violated", "why": [], "witness": witness }),
    ));
    let report = report(&lines);
    let alone = report.bars.iter().filter(|bar| bar.kind == Kind::Ok);
    let alone: Vec<i64> = alone.map(|bar| bar.from).collect();
    assert_eq!((alone.len(), alone.first(), alone.last()), (10_000, Some(&0), Some(&9_999_000)));
    assert!(report.bars.len() < 11_100 && report.notes.iter().any(|note| note.contains("20000 of 30000")));
    let witness = &report.witnesses()[0];
    assert_eq!(witness.lane.map(|lane| report.lanes[lane].label.as_str()), Some("ops: x"));
}

#[test]
fn recorded_verdicts_stay_unless_they_are_judged_again() {
    let verdict =
        |check: &str| json!({ "event": "verdict", "check": check, "verdict": "violated", "why": ["w"] });
    let lines = [
        (1, verdict("arrived")),
        (2, verdict("fencing")),
        (3, json!({ "event": "end", "reason": "complete" })),
    ];
    let found = |report: Report| -> Vec<_> {
        report.checks.into_iter().map(|check| (check.check, check.verdict)).collect()
    };
    let violated = |check: &str| (check.to_owned(), Verdict::Violated);
    assert_eq!(found(report(&lines)), [violated("arrived"), violated("fencing")]);
    let again = {
        let header = report(&lines).header.unwrap();
        let text = serde_json::to_string(&header).unwrap();
        let lines: String = lines
            .iter()
            .map(|(at, event)| {
                let mut line = event.clone();
                (line["at_ns"], line["wall_ns"]) = (json!(at), json!(at));
                format!("\n{line}")
            })
            .collect();
        Report::read(format!("{text}{lines}\n").as_bytes(), "h", &["fencing".parse().unwrap()]).unwrap()
    };
    assert_eq!(found(again), [violated("arrived"), ("fencing".to_owned(), Verdict::Unknown)]);
    // Where nothing was judged, every rule that needs nothing further does.
    assert!(report(&lines[2..]).checks.len() > 5);
}

#[test]
fn the_library_is_what_npm_has() {
    let readme = include_str!("vendor/README.md");
    for bytes in [
        include_bytes!("vendor/uPlot.iife.min.js").as_slice(),
        include_bytes!("vendor/uPlot.min.css"),
        include_bytes!("vendor/LICENSE-uPlot"),
    ] {
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(readme.contains(&digest), "{digest} is not in vendor/README.md");
    }
}
