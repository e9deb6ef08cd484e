//! Many who write to one node at once, writers that are killed in the middle, and readers that never see a step that is none.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::harness::{Lab, SECOND, binary, count_of, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("writers: {sentence}")).needs("cc", "gcc");
    vec![
        of("faults given by many commands at once are all in force").shown_by(all_at_once),
        of("a command killed at any moment has changed all or nothing, and the next one works")
            .shown_by(killed),
        of("a command that is stopped in the middle keeps nobody else from changing the node")
            .shown_by(stopped),
        of("no thread sees a clock run backward while rates, stalls and slews come and go")
            .shown_by(no_backward_read),
        of("a node takes thousands of changes, planned ends included").shown_by(many_changes),
    ]
}

fn all_at_once(lab: &Lab) {
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    let rounds = count_of("FALSETICKER_ROUNDS", 5);
    for _ in 0..rounds {
        let mut writers: Vec<_> = (0..8).map(|_| lab.bare_live(binary(), ["jump", "a", "+1s"])).collect();
        for writer in &mut writers {
            assert_eq!(writer.end(), 0);
        }
    }
    let expected = i64::try_from(rounds * 8).unwrap_or(0) * SECOND;
    probe.wall().expect_skew(expected);
    probe.quit();
}

fn killed(lab: &Lab) {
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    let mut before = 0;
    for round in 0..count_of("FALSETICKER_KILLS", 40) {
        let mut writer = lab.bare_live(binary(), ["jump", "a", "+1s"]);
        std::thread::sleep(std::time::Duration::from_micros(200 * (round as u64 % 40)));
        writer.signal(Signal::SIGKILL);
        writer.end();
        let at = lab.fault(&["jump", "a", "+1m"]);
        let reading = probe.wall_after(at);
        let gained = reading.skew - before;
        let seconds = (gained + SECOND / 2).div_euclid(SECOND);
        assert!(seconds == 60 || seconds == 61, "the clock moved by {gained} ns");
        reading.expect_skew(before + seconds * SECOND);
        before += seconds * SECOND;
    }
    probe.quit();
}

fn stopped(lab: &Lab) {
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    let mut held = Vec::new();
    for round in 0..3 {
        let writer = lab.bare_live(binary(), ["jump", "a", "+1s"]);
        std::thread::sleep(std::time::Duration::from_micros(900 + 700 * round));
        writer.signal(Signal::SIGSTOP);
        held.push(writer);
    }
    let before = probe.wall().skew;
    let at = lab.fault(&["jump", "a", "+1h"]);
    let gained = probe.wall_after(at).skew - before;
    // One that was stopped just after it published may take effect in between.
    let (seconds, off) =
        ((gained + SECOND / 2).div_euclid(SECOND), (gained + SECOND / 2).rem_euclid(SECOND) - SECOND / 2);
    assert!((3600..=3603).contains(&seconds) && off.abs() < SECOND / 100, "the clock moved by {gained} ns");
    for mut writer in held {
        writer.signal(Signal::SIGCONT);
        assert_eq!(writer.end(), 0);
    }
    probe.wall().expect_skew(3603 * SECOND);
    probe.quit();
}

fn no_backward_read(lab: &Lab) {
    let program = lab.target("backward").path();
    let mut live = lab.run("a", &["--monotonic"], [&program]).live();
    live.say("");
    live.line();
    let faults: [&[&str]; 6] = [
        &["drift", "a", "3x"],
        &["stall", "a", "--for", "20ms"],
        &["slew", "a", "-10ms", "--rate", "50%"],
        &["drift", "a", "0.6x"],
        &["jump", "a", "+1ms"],
        &["drift", "a", "200ppm"],
    ];
    for round in 0..count_of("FALSETICKER_ROUNDS", 5) {
        for fault in faults {
            let all = if round % 2 == 0 { "all" } else { "wall" };
            let late = lab.fault_json(&[fault, &["--clock", all][..]].concat());
            assert_eq!(late["late_by_ns"], 0, "this one was published late, and may be seen: {late}");
        }
    }
    live.say("");
    let line = live.line();
    let counts: Vec<i64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(counts[0] > 10_000, "only {} reads", counts[0]);
    assert!(
        counts[1..].iter().all(|count| *count == 0),
        "reads, then backward reads and the worst for each clock: {line}"
    );
    live.finish();
}

fn many_changes(lab: &Lab) {
    let changes = count_of("FALSETICKER_CHANGES", 300);
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    for _ in 0..changes {
        lab.fault(&["jump", "a", "+1s", "--for", "1h"]);
    }
    probe.wall().expect_skew(i64::try_from(changes).unwrap_or(0) * SECOND);
    lab.falseticker(["heal", "a"]).expect_code(0);
    probe.wall_after(crate::harness::mono() + 5_000_000).expect_skew(0);
    probe.quit();
}
