//! Many threads that wait: they cost nothing while they do, and a jump past their deadlines wakes all of them in time.
//!
//! Figures are of one run, bare beside in a node, the quietest of a few rounds: the machine has other things to do.

use libtest_mimic::Trial;

use crate::harness::{Lab, Live, MILLISECOND, SECOND, mono, spec};

const ROUNDS: usize = 5;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("wait crowd: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        trials.push(
            of("100 threads at 100 deadlines wake within 20 ms of a jump past them all")
                .shown_by(move |lab| hundred(lab, libc)),
        );
        trials.push(
            of("1000 threads at one deadline wake at most 60 ms later than bare")
                .shown_by(move |lab| thousand(lab, libc)),
        );
        trials.push(
            of("1000 threads that wait cost at most 1 % of a core, also once a jump has been followed")
                .shown_by(move |lab| idle(lab, libc)),
        );
    }
    trials
}

/// What a crowd says when all have ended.
struct Ended {
    first: i64,
    last: i64,
    due: i64,
}

#[track_caller]
fn ended(crowd: &mut Live) -> Ended {
    let line = crowd.line_where(|line| line.starts_with("ended "));
    let numbers: Vec<i64> = line.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
    let [first, last, due, wrong] = numbers[..] else { panic!("it says {line:?}") };
    assert_eq!(wrong, 0, "so many did not time out");
    Ended { first, last, due }
}

/// A round in a node: all wait for an hour, their clock jumps past it. How long after the jump the last one woke.
#[track_caller]
fn jumped(lab: &Lab, crowd: &mut Live, between: i64) -> i64 {
    crowd.say(&format!("wait 3600000 {between}"));
    crowd.line_where(|line| line == "waiting");
    let at = lab.fault(&["jump", "a", "+2h"]);
    let ended = ended(crowd);
    assert!(ended.first >= at, "one woke {} ns before the jump", at - ended.first);
    ended.last - at
}

fn milliseconds(ns: i64) -> f64 {
    ns as f64 / 1e6
}

fn hundred(lab: &Lab, libc: &str) {
    let program = lab.target("wait_crowd").of(libc).path();
    let mut crowd = lab.run("a", &[], [program.as_os_str(), "100".as_ref()]).live();
    let late: Vec<i64> = (0..ROUNDS).map(|_| jumped(lab, &mut crowd, 1000)).collect();
    let quietest = late.iter().min().copied().unwrap_or(i64::MAX);
    eprintln!("{libc}, 100 at 100 deadlines: the last {:.1} ms after a jump", milliseconds(quietest));
    assert!(quietest <= 20 * MILLISECOND, "{late:?} ns late");
    assert_eq!(crowd.finish(), 0);
}

fn thousand(lab: &Lab, libc: &str) {
    let program = lab.target("wait_crowd").of(libc).path();
    let mut bare = lab.bare_live(&program, ["1000"]);
    let mut crowd = lab.run("a", &[], [program.as_os_str(), "1000".as_ref()]).live();
    let (mut in_node, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.say("wait 1500 0");
        bare.line_where(|line| line == "waiting");
        let ended = ended(&mut bare);
        assert!(ended.first >= ended.due, "bare, one woke too early");
        alone.push(ended.last - ended.due);
        in_node.push(jumped(lab, &mut crowd, 0));
    }
    let quietest = |late: &[i64]| late.iter().min().copied().unwrap_or(i64::MAX);
    let (alone, in_node) = (quietest(&alone), quietest(&in_node));
    let (bare_ms, node_ms) = (milliseconds(alone), milliseconds(in_node));
    eprintln!(
        "{libc}, 1000 at one deadline: the last {node_ms:.1} ms after a jump, bare {bare_ms:.1} ms late"
    );
    assert!(in_node <= alone + 60 * MILLISECOND, "{node_ms} ms, bare {bare_ms} ms");
    assert_eq!(crowd.finish(), 0);
}

/// Processor time that the crowd takes, as a part of a core.
#[track_caller]
fn share(crowd: &mut Live, time: std::time::Duration) -> f64 {
    let mut read = || {
        crowd.say("cpu");
        let line = crowd.line_where(|line| line.starts_with("cpu "));
        (line[4..].parse::<i64>().expect("nanoseconds"), mono())
    };
    let (spent, begun) = read();
    std::thread::sleep(time);
    let (spent_then, now) = read();
    (spent_then - spent) as f64 / (now - begun) as f64
}

fn idle(lab: &Lab, libc: &str) {
    let program = lab.target("wait_crowd").of(libc).path();
    let mut crowd = lab.run("a", &[], [program.as_os_str(), "1000".as_ref()]).live();
    crowd.say("wait 3600000 0");
    crowd.line_where(|line| line == "waiting");
    let idle = share(&mut crowd, std::time::Duration::from_secs(3));
    lab.fault(&["jump", "a", "+10m"]);
    let after = share(&mut crowd, std::time::Duration::from_secs(2));
    let later = share(&mut crowd, std::time::Duration::from_secs(4));
    eprintln!(
        "{libc}, 1000 threads: idle {:.2} % of a core, in the 2 s after a jump {:.2} %, in the 4 s after that {:.2} %",
        100.0 * idle,
        100.0 * after,
        100.0 * later
    );
    assert!(idle <= 0.01 && later <= 0.01, "{idle} idle, {later} once a jump was followed");
    let at = lab.fault(&["jump", "a", "+1h"]);
    let ended = ended(&mut crowd);
    assert!(ended.first >= at && ended.last < at + SECOND, "{} ns late", ended.last - at);
    assert_eq!(crowd.finish(), 0);
}
