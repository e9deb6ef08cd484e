//! A clock is false from the first read on, wherever and whenever that read is: before `main`, in handlers, in children.

use libtest_mimic::Trial;

use crate::harness::{Lab, MILLISECOND, Reading, SECOND, mono, spec};

const HOUR: i64 = 3600 * SECOND;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("places: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        trials.push(
            of("an IFUNC resolver, a constructor and its thread read the false clock before main")
                .shown_by(move |lab| before_main(lab, libc)),
        );
        trials.push(of("a signal handler reads the false clock").shown_by(move |lab| handlers(lab, libc)));
        trials.push(
            of("a handler that interrupts reads at any instruction sees the same skew as they")
                .shown_by(move |lab| storm(lab, libc)),
        );
        trials.push(
            of("children of fork, vfork, raw clone and clone(CLONE_VM) read the false clock")
                .shown_by(move |lab| children(lab, libc)),
        );
        trials.push(
            of("a program that clears its environment stays skewed").shown_by(move |lab| cleared(lab, libc)),
        );
        trials.push(
            of("a program with a getenv of its own, in an allocator's place, stays skewed")
                .shown_by(move |lab| own_getenv(lab, libc)),
        );
    }
    trials
}

fn before_main(lab: &Lab, libc: &str) {
    let library = lab.target("early").of(libc).flags(["-shared", "-fPIC", "-Wl,-z,now"]).path();
    let program =
        lab.target("early_main").of(libc).flags([library.to_string_lossy(), "-Wl,-z,now".into()]).path();
    let done = lab.run("a", &["--jump", "-1h"], [&program]).done().expect_code(0);
    let readings: Vec<Reading> = done.stdout.lines().filter_map(Reading::parse).collect();
    assert!(readings.len() >= if libc == "musl" { 3 } else { 4 }, "{}", done.report());
    for reading in readings {
        reading.expect_skew(-HOUR);
    }
}

fn handlers(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &["--jump", "-1h"], &lab.target("probe").of(libc));
    let mut expected = -HOUR;
    for command in ["handler", "small-stack"] {
        probe.ask(command, 0).remove(0).expect_skew(expected);
        // And the long way of the first read after a change, on that stack too.
        let at = lab.fault(&["jump", "a", "+10m"]);
        expected += HOUR / 6;
        probe.ask(command, at).remove(0).expect_skew(expected);
    }
    probe.quit();
}

fn storm(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &["--jump", "-1h", "--drift", "100ppm"], &lab.target("probe").of(libc));
    for flags in [["jump", "a", "+1h"], ["jump", "a", "-1h"]] {
        let at = lab.fault(&flags);
        let reading = probe.ask("storm", at).remove(0);
        assert!(reading.shown < 2 * MILLISECOND, "a read was off by {} ns", reading.shown);
    }
    probe.quit();
}

fn children(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &["--jump", "-1h"], &lab.target("probe").of(libc));
    let expect = |readings: Vec<Reading>, skew: i64| {
        assert_eq!(readings.len(), 5);
        for reading in readings {
            reading.expect_skew(skew);
        }
    };
    expect(probe.ask("children", 0), -HOUR);
    let at = lab.fault(&["jump", "a", "+2h"]);
    expect(probe.ask("children", at), HOUR);
    probe.quit();
}

fn cleared(lab: &Lab, libc: &str) {
    let mut probe = lab.probe("a", &["--jump", "-1h"], &lab.target("probe").of(libc));
    probe.ask("clear-environment", 0);
    probe.wall().expect_skew(-HOUR);
    let at = lab.fault(&["jump", "a", "+2h"]);
    for reading in probe.ask("children", at) {
        reading.expect_skew(HOUR);
    }
    probe.quit();
}

fn own_getenv(lab: &Lab, libc: &str) {
    let program = lab.target("own_getenv").of(libc);
    let mut probe = lab.probe("a", &["--jump", "-1h"], &program);
    probe.first.expect_skew(-HOUR);
    let at = lab.fault(&["jump", "a", "+2h"]);
    probe.wall_after(at.max(mono())).expect_skew(HOUR);
    probe.quit();
}
