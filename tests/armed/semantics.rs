//! Copies, children, reuse of numbers, handlers, threads: `tests/targets/armed.c` says what is armed, and what has expired.

use libtest_mimic::Trial;

use crate::harness::{Lab, MILLISECOND, SECOND, spec};

/// By how much later than the jump past it a timer may expire here, where it matters that it does; a timer that nobody
/// moved expires after a minute.
const SOON: i64 = SECOND;

/// A scenario of the target, and what is shown by it.
const SCENARIOS: [(&str, &str); 8] = [
    ("copies", "a descriptor's copies outlive it, made by dup, dup2, dup3 and fcntl"),
    ("reused", "a descriptor that is closed is forgotten, whatever gets its number"),
    ("children", "a descriptor is shared with a forked child, whichever of the two goes first"),
    ("daemons", "a descriptor follows in a child whose parent is gone"),
    ("handlers", "a signal handler sets the timer again, also while its thread is setting it"),
    ("forks", "POSIX timers are not inherited, and a child has its own"),
    ("threads", "two threads set one timer"),
    ("thousand", "a thousand timers come and go"),
];

pub fn trials() -> Vec<Trial> {
    let of = |libc: &'static str| {
        SCENARIOS.iter().map(move |(name, shown)| {
            let spec = spec(format!("armed timers: {shown} ({libc})"));
            let spec =
                if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") };
            spec.shown_by(move |lab| show(lab, libc, name))
        })
    };
    let exec = ["glibc", "musl"].map(|libc| {
        let spec = spec(format!("armed timers: setitimer's goes on over exec, as it was set ({libc})"));
        let spec =
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") };
        spec.shown_by(move |lab| over_exec(lab, libc))
    });
    of("glibc").chain(of("musl")).chain(exec).collect()
}

/// Bare a second; half of it where all clocks run twice as fast.
fn over_exec(lab: &Lab, libc: &str) {
    let target = lab.target("armed").of(libc);
    let words = [target.path().display().to_string(), "outlives".to_owned()];
    let fast = ["--monotonic", "--clock", "all", "--drift", "2x"];
    for (done, expected) in [(lab.bare(&words), SECOND), (lab.run("a", &fast, &words).done(), SECOND / 2)] {
        let took = done.text().strip_prefix("took ").and_then(|took| took.parse::<i64>().ok());
        let took = took.unwrap_or_else(|| panic!("{}", done.report()));
        // The kernel takes microseconds.
        assert!(
            (expected - 1000..expected + SECOND / 3).contains(&took),
            "{} ms\n{}",
            ms(took),
            done.report()
        );
    }
}

fn show(lab: &Lab, libc: &str, name: &str) {
    let target = lab.target("armed").of(libc);
    let mut live = lab.run("a", &[], [target.path().to_str().expect("a path"), name]).live();
    let mut jumped = None;
    let mut report = String::new();
    loop {
        let line = live.line();
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["armed", ..] => jumped = Some(lab.fault(&["jump", "a", "+1h"])),
            [what @ ("move" | "pass"), ..] => {
                lab.fault(&["jump", "a", if what == "move" { "+1s" } else { "+1h" }]);
                live.say("jumped");
            }
            ["fired", name, at] => {
                let Some(jumped) = jumped else {
                    // A timer of the machine's own, for which nothing was done.
                    continue;
                };
                let late = at.parse::<i64>().expect("an instant") - jumped;
                report += &format!(" {name} {:.1}", ms(late));
                assert!(late >= 0, "{name} expires {} ms before the jump", ms(-late));
                assert!(late < SOON, "{name} expires {} ms after the jump", ms(late));
            }
            ["ready", ..] => {}
            ["end", ..] => break,
            _ => panic!("the target says {line:?}"),
        }
    }
    eprintln!("{name} ({libc}), ms from jump to expiry:{report}");
    live.finish();
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn ms(nanos: i64) -> f64 {
    nanos as f64 / MILLISECOND as f64
}
