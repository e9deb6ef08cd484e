//! What each fault does to a clock, how faults compose, how they end, and what is refused. Skews are computed inside the
//! program, and expected ones from the instants that the commands report: nothing depends on how long anything took.

use libtest_mimic::Trial;

use crate::harness::{Lab, MILLISECOND, Probe, SECOND, mono, spec};

const HOUR: i64 = 3600 * SECOND;

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("faults: {sentence}")).needs("cc", "gcc");
    vec![
        of("jumps add up, from the instant that the command reports").shown_by(jumps_add_up),
        of("set shows the instant, replaces what jumps added, and runs on").shown_by(set_replaces),
        of("drift replaces the rate, 2x twice is 2x, and moves no clock by itself").shown_by(drift_replaces),
        of("a slew gains its span at its rate and then holds").shown_by(slew_gains),
        of("a stall for a time leaves the clock behind by its length").shown_by(stall_leaves_behind),
        of("a strobe is off by its amplitude in the first half of each period").shown_by(strobe_alternates),
        of("a new temporary fault ends the old one, and then the base rate is in force again")
            .shown_by(one_temporary),
        of("--for undoes a jump, a set and a drift at the instant that was planned with it")
            .shown_by(for_a_time),
        of("all faults can be given to run, and are in force at the first read").shown_by(given_to_run),
        of("--faketime speaks libfaketime's syntax").shown_by(faketime),
        of("heal steps the wall clock back to true").shown_by(heal_by_step),
        of("heal --slew brings the wall clock home without a step").shown_by(heal_by_slew),
        of("heal without a name heals every node, and cancels what is planned").shown_by(heal_all),
        of("heal ends the rates of the monotonic clocks, and they keep what they gained")
            .shown_by(heal_monotonic),
        of("with --clock all no clock runs backward while rates change").shown_by(monotonic_rates),
        of("every process of a node has the same clock").shown_by(one_clock),
    ]
}

fn probe(lab: &Lab, flags: &[&str]) -> Probe {
    lab.probe("a", flags, &lab.target("probe"))
}

fn jumps_add_up(lab: &Lab) {
    let mut probe = probe(lab, &[]);
    probe.first.expect_skew(0);
    let mut expected = 0;
    for (by, nanos) in
        [("-1h", -HOUR), ("+250ms", SECOND / 4), ("+1h30m", 3 * HOUR / 2), ("-1.5s", -3 * SECOND / 2)]
    {
        let at = lab.fault(&["jump", "a", by]);
        expected += nanos;
        probe.wall_after(at).expect_skew(expected);
    }
    probe.quit();
}

fn set_replaces(lab: &Lab) {
    let mut probe = probe(lab, &["--jump", "-1h"]);
    for (text, unix) in [("2030-06-01T12:00:00Z", 1_906_545_600), ("@1000000000.5", 1_000_000_000)] {
        let at = lab.fault(&["set", "a", text]);
        let reading = probe.wall_after(at);
        let shown_at = unix * SECOND + if unix == 1_000_000_000 { SECOND / 2 } else { 0 };
        let off = reading.shown - shown_at - (reading.mono - at);
        assert!(off.abs() < 2 * MILLISECOND, "after set {text} the clock is off by {off} ns");
    }
    probe.quit();
}

fn drift_replaces(lab: &Lab) {
    let mut probe = probe(lab, &[]);
    let at = lab.fault(&["drift", "a", "2x"]);
    let again = lab.fault(&["drift", "a", "2x"]);
    let reading = probe.wall_after(again + 50 * MILLISECOND);
    reading.expect_skew(reading.mono - at);
    let slow = lab.fault(&["drift", "a", "0.5x"]);
    let reading = probe.wall_after(slow + 50 * MILLISECOND);
    let gained = slow - at;
    reading.expect_skew(gained - (reading.mono - slow) / 2);
    let end = lab.fault(&["drift", "a", "1x"]);
    probe.wall_after(end).expect_skew(gained - (end - slow) / 2);
    probe.wall_after(end + 100 * MILLISECOND).expect_skew(gained - (end - slow) / 2);
    probe.quit();
}

fn slew_gains(lab: &Lab) {
    let mut probe = probe(lab, &[]);
    let slew = lab.fault_json(&["slew", "a", "-100ms", "--rate", "50%"]);
    let (at, until) = (slew["at_ns"].as_i64().expect("from"), slew["until_ns"].as_i64().expect("until"));
    assert!((until - at - 200 * MILLISECOND).abs() < MILLISECOND, "{slew}");
    let reading = probe.wall_after(at + 60 * MILLISECOND);
    reading.expect_skew((-(reading.mono - at) / 2).max(-100 * MILLISECOND));
    probe.wall_after(until).expect_skew(-100 * MILLISECOND);
    probe.wall_after(until + 50 * MILLISECOND).expect_skew(-100 * MILLISECOND);
    probe.quit();
}

fn stall_leaves_behind(lab: &Lab) {
    let mut probe = probe(lab, &[]);
    let stall = lab.fault_json(&["stall", "a", "--for", "300ms"]);
    let (at, until) = (stall["at_ns"].as_i64().expect("from"), stall["until_ns"].as_i64().expect("until"));
    assert_eq!(until - at, 300 * MILLISECOND);
    let one = probe.wall_after(at);
    let two = probe.wall_after(at + 10 * MILLISECOND);
    assert!(two.mono > until || one.shown == two.shown, "it moved: {one:?} {two:?}");
    probe.wall_after(until).expect_skew(-300 * MILLISECOND);
    probe.quit();
}

fn strobe_alternates(lab: &Lab) {
    let mut probe = probe(lab, &["--jump", "-1h"]);
    let at = lab.fault(&["strobe", "a", "--amplitude", "1m", "--period", "200ms"]);
    for half in 0..6 {
        // In the middle of each half; a reading that came late counts for the half that it came in.
        let reading = probe.wall_after(at + half * 100 * MILLISECOND + 50 * MILLISECOND);
        let (came_in, phase) =
            ((reading.mono - at) / (100 * MILLISECOND), (reading.mono - at) % (100 * MILLISECOND));
        if (5 * MILLISECOND..95 * MILLISECOND).contains(&phase) {
            reading.expect_skew(if came_in % 2 == 0 { 60 * SECOND - HOUR } else { -HOUR });
        }
    }
    probe.quit();
}

fn one_temporary(lab: &Lab) {
    let mut probe = probe(lab, &["--drift", "2x"]);
    let stall = lab.fault(&["stall", "a"]);
    let before = probe.wall_after(stall);
    let strobe = lab.fault_json(&["strobe", "a", "--amplitude", "-1h", "--period", "10h", "--for", "100ms"]);
    let (at, until) = (strobe["at_ns"].as_i64().expect("from"), strobe["until_ns"].as_i64().expect("until"));
    let reading = probe.wall_after(at);
    // The stall is over and the base rate of 2x runs on from where the clock stood; the strobe is beside it.
    let shown = before.shown + 2 * (reading.mono - at) - if reading.mono < until { HOUR } else { 0 };
    assert!((reading.shown - shown).abs() < 2 * MILLISECOND, "off by {} ns", reading.shown - shown);
    let reading = probe.wall_after(until + 10 * MILLISECOND);
    let off = reading.shown - before.shown - 2 * (reading.mono - at);
    assert!(off.abs() < 2 * MILLISECOND, "off by {off} ns after the strobe");
    probe.quit();
}

fn for_a_time(lab: &Lab) {
    let mut probe = probe(lab, &[]);
    for fault in [["jump", "a", "-1h"], ["set", "a", "@1000000000"]] {
        let said = lab.fault_json(&[fault[0], fault[1], fault[2], "--for", "150ms"]);
        let (at, until) = (said["at_ns"].as_i64().expect("from"), said["until_ns"].as_i64().expect("until"));
        assert_eq!(until - at, 150 * MILLISECOND, "{said}");
        let during = probe.wall_after(at);
        assert!(during.mono > until || during.skew < -HOUR / 2, "{during:?}");
        probe.wall_after(until).expect_skew(0);
    }
    let drift = lab.fault_json(&["drift", "a", "3x", "--for", "100ms"]);
    let until = drift["until_ns"].as_i64().expect("until");
    probe.wall_after(until).expect_skew(200 * MILLISECOND);
    probe.wall_after(until + 50 * MILLISECOND).expect_skew(200 * MILLISECOND);
    probe.quit();
}

fn given_to_run(lab: &Lab) {
    for (flags, expected) in [
        (vec!["--jump", "-1h"], -HOUR),
        (vec!["--jump=+1h30m"], 3 * HOUR / 2),
        (vec!["--jump", "2h", "--drift", "200ppm"], 2 * HOUR),
    ] {
        probe(lab, &flags).first.expect_skew(expected);
    }
    let mut set = probe(lab, &["--set", "2031-01-01T00:00:00Z", "--drift", "0x"]);
    let unix = 1_924_992_000 * SECOND;
    assert!((set.first.shown - unix).abs() < 5 * SECOND, "{:?}", set.first);
    let later = set.wall_after(mono() + 20 * MILLISECOND);
    assert_eq!(later.shown, set.first.shown, "it stands still");
    set.quit();
    let mut all = probe(lab, &["--monotonic", "--clock", "all", "--jump", "+1h"]);
    for reading in all.all_after(0) {
        reading.expect_skew(if reading.is_cpu_time() { 0 } else { HOUR });
    }
    all.quit();
}

fn faketime(lab: &Lab) {
    let day = 24 * HOUR;
    for (spec, expected) in [("-15d", -15 * day), ("+1y x2", 365 * day), ("+2h", 2 * HOUR)] {
        let probe = probe(lab, &["--faketime", spec]);
        let lag = if spec.contains('x') { 5 * SECOND } else { MILLISECOND };
        assert!((probe.first.skew - expected).abs() < lag, "{spec}: {:?}", probe.first);
        probe.quit();
    }
    let done =
        lab.run("a", &["--faketime", "@2020-12-24 20:30:00"], ["date", "-u", "+%F %H:%M"]).env("TZ", "UTC");
    assert_eq!(done.done().expect_code(0).text(), "2020-12-24 20:30");
    let stands = lab
        .run("a", &["--faketime", "2020-12-24 20:30:00"], ["date", "-u", "+%F %H:%M:%S.%N"])
        .env("TZ", "UTC");
    assert_eq!(stands.done().expect_code(0).text(), "2020-12-24 20:30:00.000000000");
    for bad in ["-1h30m", "%", "i2.0"] {
        lab.run("a", &["--faketime", bad], ["true"]).done().expect_code(125).expect_error(bad);
    }
}

fn heal_by_step(lab: &Lab) {
    let mut probe = probe(lab, &["--jump", "-1h", "--drift", "2x"]);
    let healed = lab.falseticker(["heal", "a", "--json"]).expect_code(0);
    drop(healed);
    probe.wall_after(mono() + 5 * MILLISECOND).expect_skew(0);
    probe.wall_after(mono() + 50 * MILLISECOND).expect_skew(0);
    let status = lab.status("a");
    assert_eq!(status["clocks"]["wall"]["state"], "true", "{status}");
    // Nothing is left of the old rate for the faults to come.
    let at = lab.fault(&["jump", "a", "+1h"]);
    probe.wall_after(at + 20 * MILLISECOND).expect_skew(HOUR);
    probe.quit();
}

fn heal_by_slew(lab: &Lab) {
    let mut probe = probe(lab, &["--jump", "+100ms"]);
    let begun = mono();
    lab.falseticker(["heal", "a", "--slew", "50%"]).expect_code(0);
    let mut last = probe.wall();
    while last.mono < begun + 150 * MILLISECOND {
        let next = probe.wall();
        assert!(next.shown >= last.shown, "the clock was stepped back: {last:?} {next:?}");
        last = next;
    }
    let home = probe.wall_after(mono() + 200 * MILLISECOND);
    home.expect_skew(0);
    probe.quit();
}

fn heal_all(lab: &Lab) {
    let target = lab.target("probe");
    let mut one = lab.probe("a", &["--jump", "-1h"], &target);
    let mut two = lab.probe("b", &["--jump", "+1h"], &target);
    let planned = lab.fault_json(&["jump", "b", "+1h", "--for", "200ms"]);
    lab.falseticker(["heal"]).expect_code(0);
    let after = mono() + 5 * MILLISECOND;
    one.wall_after(after).expect_skew(0);
    two.wall_after(after).expect_skew(0);
    two.wall_after(planned["until_ns"].as_i64().expect("until") + 10 * MILLISECOND).expect_skew(0);
    // A name that no node has changes nothing, whatever stands beside it.
    let at = lab.fault(&["jump", "a", "-1h"]);
    one.wall_after(at).expect_skew(-HOUR);
    lab.falseticker(["heal", "nobody", "a"]).expect_code(2).expect_error("no such node");
    one.wall_after(mono() + 5 * MILLISECOND).expect_skew(-HOUR);
    one.quit();
    two.quit();
}

fn heal_monotonic(lab: &Lab) {
    let mut probe = probe(lab, &["--monotonic"]);
    lab.fault(&["jump", "a", "+1h", "--clock", "all"]);
    lab.fault(&["drift", "a", "2x", "--clock", "all"]);
    lab.falseticker(["heal", "a"]).expect_code(0);
    let after = mono() + 5 * MILLISECOND;
    let find = |readings: Vec<crate::harness::Reading>, name: &str| {
        readings.into_iter().find(|reading| reading.name == name).expect("a reading")
    };
    let one = find(probe.all_after(after), "monotonic");
    let two = find(probe.all_after(one.mono + 20 * MILLISECOND), "monotonic");
    assert!(one.skew >= HOUR, "{one:?}");
    assert!((two.skew - one.skew).abs() < MILLISECOND, "its rate is not true: {one:?} {two:?}");
    find(probe.all_after(0), "realtime").expect_skew(0);
    let status = lab.status("a");
    assert!(status["clocks"]["mono"]["offset_ns"].as_i64() >= Some(HOUR), "{status}");
    probe.quit();
}

fn monotonic_rates(lab: &Lab) {
    let mut probe = probe(lab, &["--monotonic"]);
    let mut last = std::collections::HashMap::new();
    for rate in ["3x", "0.1x", "0x", "1x", "1000ppm", "0.5x"] {
        let at = lab.fault(&["drift", "a", rate, "--clock", "all"]);
        for reading in probe.ask("all", at) {
            if reading.is_monotonic() {
                // All ways of one clock are one clock, but for ticks and for a raw clock's own rate.
                let clock =
                    reading.name.contains("boottime").to_string() + &reading.name.contains("raw").to_string();
                let clock = clock + &reading.name.contains("coarse").to_string();
                let before = last.insert(clock, reading.shown).unwrap_or(i64::MIN);
                assert!(
                    reading.shown >= before,
                    "{rate}: {} ran back by {} ns",
                    reading.name,
                    before - reading.shown
                );
            }
        }
    }
    probe.quit();
}

fn one_clock(lab: &Lab) {
    let target = lab.target("probe");
    lab.falseticker(["create", "a"]).expect_code(0);
    let mut probes: Vec<Probe> = (0..3).map(|_| lab.probe_in_node("a", &target)).collect();
    probes.push(lab.probe("a", &[], &target));
    let at = lab.fault(&["jump", "a", "-1h"]);
    for probe in &mut probes {
        probe.wall_after(at).expect_skew(-HOUR);
    }
    for probe in probes {
        probe.quit();
    }
    lab.falseticker(["remove", "a"]).expect_code(0);
}
