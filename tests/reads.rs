//! Every way to read a clock from a dynamic program shows the node's time, once, and errors are those of the bare program.

use libtest_mimic::Trial;

use crate::harness::{Lab, MILLISECOND, Reading, SECOND, mono, spec};

const HOUR: i64 = 3600 * SECOND;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("reads: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        trials.push(of("every way to read the wall clock is off by the jump, once and not twice").shown_by(
            move |lab| {
                every_wall_clock_jumps(lab, libc);
            },
        ));
        trials.push(of("with --clock all the monotonic clocks jump too, each once").shown_by(move |lab| {
            every_clock_jumps(lab, libc);
        }));
        trials.push(
            of("an idle node shows the truth, and so does a healed one").shown_by(move |lab| idle(lab, libc)),
        );
        trials.push(of("bad ids, bad pointers and errno are those of the bare program").shown_by(
            move |lab| {
                errors(lab, libc);
            },
        ));
        trials
            .push(of("at 2x every wall clock runs at twice the rate").shown_by(move |lab| rates(lab, libc)));
        trials
            .push(of("a stalled clock shows one value by every way").shown_by(move |lab| stalled(lab, libc)));
    }
    trials
}

fn every_wall_clock_jumps(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &["--jump", "-1h"], &lab.target("probe").of(libc));
    probe.first.expect_skew(-HOUR);
    expect_wall(&probe.all_after(0), -HOUR);
    let at = lab.fault(&["jump", "a", "+90m"]);
    expect_wall(&probe.all_after(at), HOUR / 2);
    probe.quit();
}

/// All of the wall clock are off by `expected`, everything else is true; and nothing was forgotten.
#[track_caller]
fn expect_wall(readings: &[Reading], expected: i64) {
    let mut walls = 0;
    for reading in readings {
        let untouched = reading.is_monotonic() || reading.is_cpu_time();
        walls += u32::from(!untouched);
        reading.expect_skew(if untouched { 0 } else { expected });
    }
    assert!(walls >= 25, "only {walls} ways to read the wall clock were tried");
}

fn every_clock_jumps(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &["--monotonic"], &lab.target("probe").of(libc));
    let at = lab.fault(&["jump", "a", "+1h", "--clock", "all"]);
    let readings = probe.all_after(at);
    for reading in &readings {
        reading.expect_skew(if reading.is_cpu_time() { 0 } else { HOUR });
    }
    assert!(readings.iter().filter(|reading| reading.is_monotonic()).count() >= 8);
    probe.quit();
}

fn idle(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &[], &lab.target("probe").of(libc));
    expect_wall(&probe.all_after(0), 0);
    lab.fault(&["jump", "a", "-1h"]);
    let healed = lab.falseticker(["heal", "a"]).expect_code(0);
    drop(healed);
    expect_wall(&probe.all_after(mono() + 5 * MILLISECOND), 0);
    probe.quit();
}

fn errors(lab: &Lab, libc: &str) {
    let errors = lab.target("errors").of(libc).path();
    let bare = lab.bare([&errors]).expect_code(0).stdout;
    let idle = lab.run("idle", &[], [&errors]).done().expect_code(0).stdout;
    let jumped = lab.run("jumped", &["--jump", "-1h"], [&errors]).done().expect_code(0).stdout;
    let drifting = lab.run("drifting", &["--drift", "2x", "--monotonic", "--clock", "all"], [&errors]).done();
    let drifting = drifting.expect_code(0).stdout;
    for (kind, under) in [("idle", idle), ("jumped", jumped), ("drifting", drifting)] {
        let differing: Vec<String> = bare
            .lines()
            .zip(under.lines())
            .filter(|(bare, under)| bare != under)
            .map(|(bare, under)| format!("bare {bare}\nunder {under}\n"))
            .collect();
        assert!(differing.is_empty(), "{kind}:\n{}", differing.concat());
        assert_eq!(bare.lines().count(), under.lines().count(), "{kind}");
    }
}

fn rates(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &[], &lab.target("probe").of(libc));
    let at = lab.fault(&["drift", "a", "2x"]);
    // The longer it runs the further off a clock would be that does not take part.
    for reading in probe.all_after(at + 200 * MILLISECOND) {
        let gained = reading.mono - at;
        let untouched = reading.is_monotonic() || reading.is_cpu_time();
        reading.expect_skew(if untouched { 0 } else { gained });
    }
    probe.quit();
}

fn stalled(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &[], &lab.target("probe").of(libc));
    let at = lab.fault(&["stall", "a"]);
    let stands_at = probe.wall_after(at).shown;
    for reading in probe.all_after(at + 50 * MILLISECOND) {
        let is_fine = reading.grain == 0 && !reading.is_monotonic() && !reading.is_cpu_time();
        // Microseconds are the finest that some ways show; TAI may be ahead by whole seconds.
        let off = (reading.shown - stands_at) % SECOND;
        assert!(!is_fine || off.abs() < 1000, "{}: off by {off} ns from the standstill", reading.name);
    }
    probe.quit();
}
