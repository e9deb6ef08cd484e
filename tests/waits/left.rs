//! What is left of timers, and of waits that a signal interrupts, is in the node's time, as the node's own clock has it.

use falseticker::{Span, host_clock};

use super::columns::Deed;
use crate::harness::{Lab, Live, MILLISECOND};

/// For how long timers and waits go on before they are looked at.
const A_WHILE: Span = Span::from_millis(600);
/// A wait may begin so much later than its thread says. What is read of the wrong clock is off by more.
const SLACK: i64 = 250 * MILLISECOND;
/// What clocks are rounded by.
const ROUNDING: i64 = 1_000;

/// What `run` is told, and what is done once all are armed.
const CASES: [(&[&str], Option<Deed>); 8] = [
    (&[], None),
    (&["--jump", "+1h"], Some(Deed::Jump(Span::from_secs(-3600)))),
    (&["--monotonic"], None),
    (&["--monotonic", "--clock", "all", "--drift", "2x"], None),
    (&["--monotonic", "--clock", "all", "--drift", "0.5x"], None),
    (&["--monotonic"], Some(Deed::DriftAll(200))),
    (&["--monotonic"], Some(Deed::JumpAll(Span::from_secs(50)))),
    (&["--monotonic"], Some(Deed::StallAllFor(Span::from_secs(60)))),
];

pub fn show(lab: &Lab, libc: &str) {
    let target = lab.target("wait_left").of(libc).path();
    let said = ask(lab.bare_live(&target, [""; 0]), || ());
    check("bare", &said);
    for (at, (flags, deed)) in CASES.iter().enumerate() {
        let name = format!("n{at}");
        let live = lab.run(&name, flags, [&target]).live();
        let fault = || {
            if let Some(deed) = deed {
                let applied = deed.apply(&lab.node(&name)).expect("it is applied");
                host_clock::sleep_until(applied.at);
            }
        };
        check(&format!("{flags:?}, then {deed:?}"), &ask(live, fault));
    }
}

/// What it says, a while after it has armed all, and something was done.
fn ask(mut live: Live, deed: impl FnOnce()) -> Vec<String> {
    live.line_where(|line| line == "armed");
    deed();
    host_clock::sleep(A_WHILE);
    live.say("look");
    let lines = std::iter::from_fn(|| Some(live.line()).filter(|line| line != "done")).collect();
    assert_eq!(live.end(), 0, "the target's exit code");
    lines
}

fn check(case: &str, lines: &[String]) {
    let wrong: Vec<&String> = lines.iter().filter(|line| !is_right(line)).collect();
    assert!(wrong.is_empty(), "{case}: name, what is left, at least, at most, unit: {wrong:#?}");
    assert!(lines.len() >= 15, "{case}: only {} answers", lines.len());
}

fn is_right(line: &str) -> bool {
    let numbers: Vec<i64> = line.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
    let [left, least, most, unit] = numbers[..] else { return false };
    (least - unit - ROUNDING..=most + unit + SLACK).contains(&left)
}
