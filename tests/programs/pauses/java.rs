//! java: a JVM with an executor that ticks and a lease that is renewed, through a pause three times as long as the lease.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::{Pause, SIDES};
use crate::harness::{Lab, Live, eventually, source, spec};
use crate::programs::interpreters::OPENJDK_17;
use crate::programs::waits::JAVAC;

const LENGTH: Duration = Duration::from_secs(6);
/// As in `tests/targets/Lease.java`: between two ticks, and how long a lease lasts after it was last renewed; ms.
const TICK: u64 = 20;
const LEASE: u64 = 2000;

pub fn trials() -> Vec<Trial> {
    let sentence = "pauses: java, frozen for 6 s, sees the gap, finds its lease ended, and goes on";
    vec![spec(sentence).needs(JAVAC, "openjdk-17-jdk-headless").shown_by(lease)]
}

/// What it says of itself; times in ms.
#[derive(Clone, Copy, Debug, Default)]
struct Report {
    ticks: u64,
    gap: u64,
    burst: u64,
    renewals: u64,
    losses: u64,
    late: u64,
}

#[track_caller]
fn heard(live: &mut Live) -> Report {
    let (line, mut report) = (live.line(), Report::default());
    for word in line.split(' ') {
        let number = word.split_once(':').and_then(|(name, number)| Some((name, number.parse().ok()?)));
        match number {
            Some(("ticks", number)) => report.ticks = number,
            Some(("gap", number)) => report.gap = number,
            Some(("burst", number)) => report.burst = number,
            Some(("renewals", number)) => report.renewals = number,
            Some(("losses", number)) => report.losses = number,
            Some(("late", number)) => report.late = number,
            _ => panic!("it says {line:?}"),
        }
    }
    report
}

#[track_caller]
fn ask(live: &mut Live) -> Report {
    live.say("report");
    heard(live)
}

fn lease(lab: &Lab) {
    let classes = lab.path("classes");
    let classes = classes.to_str().expect("a path");
    lab.command(JAVAC, ["-d", classes]).arg(source("Lease.java")).done().expect_code(0);
    let words = [OPENJDK_17, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classes, "Lease"];
    let mut lives = [lab.bare_live(words[0], &words[1..]), lab.run("a", &[], words).live()];
    for live in &mut lives {
        assert_eq!(live.line(), "ready");
        eventually("it ticks, and has renewed its lease", || {
            let report = ask(live);
            (report.ticks > 20 && report.renewals > 2).then_some(())
        });
    }
    let before = lives.each_mut().map(ask);

    let pause = Pause::lasting(lab, lives[0].pid(), "a", LENGTH);
    for live in &mut lives {
        live.say("report");
        assert_eq!(live.line_within(Duration::from_millis(100)), None, "a frozen JVM answers");
    }
    pause.expect_on();
    let woken = pause.end();

    let mut report = String::new();
    for (at, live) in lives.iter_mut().enumerate() {
        let side = SIDES[at];
        heard(live);
        let after = eventually("it ticks and renews its lease again", || {
            let after = ask(live);
            (after.losses > before[at].losses && after.renewals > before[at].renewals + 2).then_some(after)
        });
        let healthy = woken[at].elapsed();
        let length = u64::try_from(LENGTH.as_millis()).expect("a few seconds");
        assert!(after.gap >= length, "{side}: its ticks have a gap of {} ms", after.gap);
        // It had at most the whole of its lease left, and read its clock after the pause.
        assert!(after.late >= length - LEASE, "{side}: it is only {} ms late", after.late);
        assert!(after.ticks > before[at].ticks, "{side}: it does not tick");
        report += &format!(
            "\n  {side}: {} ticks of every {TICK} ms, then a gap of {} ms, then at most {} within 100 ms (before {}); lease ended {} ms \
             before it looked, renewed 3 times {healthy:.1?} after waking",
            before[at].ticks, after.gap, after.burst, before[at].burst, after.late
        );
    }
    eprintln!("java, frozen for {LENGTH:?}, with a lease of {LEASE} ms:{report}");
    // Healthy is: as regular from now on as any, for a second.
    let begin = (Instant::now(), lives.each_mut().map(ask));
    std::thread::sleep(Duration::from_secs(1));
    let end = lives.each_mut().map(ask);
    let took = begin.0.elapsed();
    for (at, side) in SIDES.iter().enumerate() {
        let ticks = end[at].ticks - begin.1[at].ticks;
        let due = took.as_millis() / u128::from(TICK);
        assert!(u128::from(ticks) >= due / 2, "{side}: {ticks} ticks in {took:?}");
        assert_eq!(end[at].losses, begin.1[at].losses, "{side}: it loses its lease without a pause");
    }
    for mut live in lives {
        assert_eq!(live.finish(), 0);
    }
}
