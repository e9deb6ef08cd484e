//! A read makes no system call that a sandbox could refuse: a program that locks itself in after its start stays skewed.

use libtest_mimic::Trial;

use crate::harness::{Lab, MILLISECOND, SECOND, mono, spec};

const HOUR: i64 = 3600 * SECOND;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("sandboxes: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        trials.push(
            of("where only read, write and exit are allowed, changes arrive and are marked")
                .shown_by(move |lab| strict(lab, libc)),
        );
        trials.push(
            of("a rate, a stall and a strobe arrive there too").shown_by(move |lab| every_kind(lab, libc)),
        );
    }
    trials
}

/// The skew as told from two clocks of the same sandboxed process, of which one is true.
#[track_caller]
fn skew_now(probe: &mut crate::harness::Probe, offset: i64) -> i64 {
    let reading = probe.ask("blind", 0).remove(0);
    reading.shown - reading.mono - offset
}

fn strict(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &[], &lab.target("probe").of(libc));
    let true_offset = probe.first.shown - probe.first.mono;
    probe.ask("sandbox", 0);
    let mut expected = 0;
    for (by, nanos) in [("-1h", -HOUR), ("+3h", 3 * HOUR), ("-10m", -HOUR / 6)] {
        let change = lab.fault_json(&["jump", "a", by]);
        let at = change["at_ns"].as_i64().expect("an instant");
        while mono() <= at {}
        expected += nanos;
        let off = skew_now(&mut probe, true_offset) - expected;
        assert!(off.abs() < 20 * MILLISECOND, "off by {off} ns after {by}");
        let status = lab.status("a");
        let evidence = status["processes"][0]["evidence"].as_array().cloned().unwrap_or_default();
        assert!(
            evidence.iter().any(|mark| mark["change"] == change["change"]),
            "no mark of {change} in {status}"
        );
    }
    probe.quit();
}

fn every_kind(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &[], &lab.target("probe").of(libc));
    let true_offset = probe.first.shown - probe.first.mono;
    probe.ask("sandbox", 0);
    lab.fault(&["drift", "a", "1.5x"]);
    skew_now(&mut probe, true_offset);
    let at = lab.fault(&["stall", "a"]);
    while mono() <= at {}
    let first = probe.ask("blind", 0).remove(0);
    let second = probe.ask("blind", 0).remove(0);
    assert_eq!(first.shown, second.shown, "a stalled clock moved");
    assert!(second.mono > first.mono);
    let at = lab.fault(&["strobe", "a", "--amplitude", "1h", "--period", "2ms"]);
    while mono() <= at {}
    let skews: Vec<i64> = (0..400).map(|_| skew_now(&mut probe, true_offset)).collect();
    let (low, high) = (skews.iter().min(), skews.iter().max());
    let apart = high.zip(low).map_or(0, |(high, low)| high - low);
    assert!((apart - HOUR).abs() < 60 * SECOND, "the strobe's ends are {apart} ns apart");
    probe.quit();
}
