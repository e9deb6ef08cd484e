//! A program that wants to know when its clock is set is told of each step of the node's, once, and of nothing else.

use std::collections::BTreeMap;

use falseticker::fault::{Clocks, Drift, Jump, Set, Slew, Stall};
use falseticker::node::Applied;
use falseticker::{Heal, HostInstant, NodeInstant, Rate, Span, host_clock};
use libtest_mimic::Trial;

use crate::harness::{Lab, Live, MILLISECOND, SECOND, spec};
use crate::waits::starved::Sentinels;

/// Within which a step is noticed.
const ALLOWED: i64 = 20 * MILLISECOND;
/// How long nothing may come after what is no step.
const QUIET: Span = Span::from_millis(150);
/// The ways of the target, of which the last closes its timer at the first notice.
const WAYS: [&str; 4] = ["sets", "reads", "blocks", "closes"];

pub fn trials() -> Vec<Trial> {
    let of = |libc: &'static str| {
        let sentence = format!(
            "armed timers: TFD_TIMER_CANCEL_ON_SET tells of each step of the node's clock, once, and of no drift ({libc})"
        );
        let spec = spec(sentence);
        let spec =
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") };
        spec.shown_by(move |lab| notices(lab, libc))
    };
    vec![of("glibc"), of("musl")]
}

/// The target, and what it has been told.
struct Watcher {
    live: Live,
    report: String,
}

impl Watcher {
    /// Waits until every way has noticed a step, each once.
    fn expect_step(&mut self, what: &str, applied: &Applied, sentinels: Sentinels) {
        let mut seen: BTreeMap<String, i64> = BTreeMap::new();
        let ways = if self.report.is_empty() { &WAYS[..] } else { &WAYS[..WAYS.len() - 1] };
        while !ways.iter().all(|way| seen.contains_key(*way)) {
            let line = self.live.line();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["set", way, at] => {
                    let before = seen.insert(way.to_owned(), at.parse().expect("an instant"));
                    assert_eq!(before, None, "{way} is told twice of {what}");
                }
                _ => panic!("to {what} the target says {line:?}"),
            }
        }
        let starved = sentinels.withdraw();
        self.report += &format!("\n  {what}:");
        for (way, at) in seen {
            let late = at - applied.at.as_nanos();
            let machine =
                2 * starved.between(applied.at, HostInstant::from_nanos(at)) + applied.late_by.as_nanos();
            self.report += &format!(" {way} {} us", late / 1000);
            assert!(late >= 0, "{way} is told of {what} {} us before it", -late / 1000);
            assert!(
                late <= ALLOWED + machine,
                "{way} is told of {what} {} us after it; the machine was late by {} us",
                late / 1000,
                machine / 1000
            );
        }
    }

    /// Nobody is told of anything for a while: neither once more of the last step, nor of what is no step.
    fn expect_quiet(&mut self, what: &str) {
        host_clock::sleep_until(host_clock::monotonic().saturating_add(QUIET));
        self.live.say("look");
        let line = self.live.line();
        assert_eq!(line, "seen", "{what} is no step");
    }
}

fn notices(lab: &Lab, libc: &str) {
    let live = lab.run("a", &[], [lab.target("notices").of(libc).path()]).live();
    let mut watcher = Watcher { live, report: String::new() };
    assert_eq!(watcher.live.line(), "ready");
    let node = lab.node("a");
    let fault = |fault: falseticker::fault::Fault, lasts| {
        node.fault(fault, Clocks::Wall, lasts).expect("it is applied")
    };
    let jump = |by: Span| fault(Jump { by }.into(), None);
    let ppm = |ppm| Rate::from_ppm(ppm).expect("a rate");
    watcher.expect_quiet("nothing");
    for (what, by) in [
        ("jump +1h", Span::from_secs(3600)),
        ("jump -2h", Span::from_secs(-7200)),
        ("jump +1ms", Span::from_millis(1)),
        ("jump -30ms", Span::from_millis(-30)),
    ] {
        let sentinels = Sentinels::post();
        let applied = jump(by);
        watcher.expect_step(what, &applied, sentinels);
        watcher.expect_quiet("the same step again");
    }
    fault(Drift { rate: ppm(500.0) }.into(), None);
    watcher.expect_quiet("a drift");
    fault(Slew::new(Span::from_millis(5), ppm(50_000.0)).expect("a slew").into(), None);
    watcher.expect_quiet("a slew");
    fault(Stall.into(), Some(Span::from_millis(100)));
    watcher.expect_quiet("a stall");
    let shows = NodeInstant::from_nanos(1_000_000_000 * SECOND);
    let sentinels = Sentinels::post();
    let applied = fault(Set { to: shows }.into(), None);
    watcher.expect_step("set", &applied, sentinels);
    // Not only what is done, also what is planned: the end of a fault.
    let sentinels = Sentinels::post();
    let applied = fault(Jump { by: Span::from_secs(60) }.into(), Some(Span::from_millis(300)));
    watcher.expect_step("jump for a time", &applied, Sentinels::post());
    let ends = Applied { at: applied.at.saturating_add(Span::from_millis(300)), ..applied };
    watcher.expect_step("its end", &ends, sentinels);
    watcher.expect_quiet("the same step again");
    let sentinels = Sentinels::post();
    let healed = node.heal_clocks(Heal::Step).expect("it is applied").expect("there is a fault");
    watcher.expect_step("heal", &healed, sentinels);
    eprintln!("notices ({libc}):{}", watcher.report);
    assert_eq!(watcher.live.finish(), 0);
}
