//! What a cell of the suite does not show, and each reach has to do all the same: reads at whatever instruction, in a sandbox, in
//! forked children with evidence of their own, over a suspend.

use libtest_mimic::Trial;
use serde_json::Value;

use super::programs::Kind;
use super::{HOUR, Means, cell_spec, cells, enter, entry, join, pid_of};
use crate::harness::{Lab, MILLISECOND, Probe, Reading, SECOND};

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (means, kind) in cells() {
        let of = |sentence: &str| cell_spec(means, kind, sentence);
        trials.push(
            of("its monotonic clock does not count a suspend")
                .shown_by(move |lab| suspended(lab, means, kind)),
        );
        if kind.is_go() {
            continue;
        }
        trials
            .push(of("timers read it at whatever instruction").shown_by(move |lab| storm(lab, means, kind)));
        trials
            .push(of("in a sandbox of its own it reads on").shown_by(move |lab| sandboxed(lab, means, kind)));
        trials
            .push(of("a forked child leaves marks of its own").shown_by(move |lab| forked(lab, means, kind)));
    }
    trials
}

fn end(lab: &Lab, probe: Probe) {
    assert_eq!(probe.quit(), 0);
    // A node that was made to attach goes with its last process, at the next command.
    lab.falseticker(["status"]).expect_code(0);
}

fn storm(lab: &Lab, means: Means, kind: Kind) {
    let mut probe = enter(lab, means, kind, &["--jump", "-1h"]);
    let storm = probe.ask("storm", 0).remove(0);
    // It says the worst deviation in place of a value, and what its clock should have been off by in place of the skew.
    assert!((storm.skew + HOUR).abs() < MILLISECOND, "{storm:?}");
    assert!(storm.shown < MILLISECOND, "a read was off by {} ns", storm.shown);
    end(lab, probe);
}

fn sandboxed(lab: &Lab, means: Means, kind: Kind) {
    let mut probe = enter(lab, means, kind, &["--jump", "-1h"]);
    probe.live.say("sandbox");
    assert_eq!(probe.live.line(), "done");
    let jump = lab.fault(&["jump", "a", "-1h"]);
    let now = crate::harness::mono();
    assert!(jump > now - 10 * SECOND);
    // Past the jump, which is a millisecond ahead.
    let true_now = falseticker::host_clock::realtime();
    let mut shown = 0;
    for _ in 0..3 {
        shown = probe.ask("blind", 0).remove(0).shown;
        std::thread::yield_now();
    }
    let off = shown - (true_now - 2 * HOUR);
    assert!(off.abs() < 10 * SECOND, "it shows what is off by {off} ns");
    end(lab, probe);
}

fn forked(lab: &Lab, means: Means, kind: Kind) {
    let mut probe = enter(lab, means, kind, &["--jump", "-1h"]);
    let parent = pid_of(&mut probe);
    assert!(probe.ask("forked", 0).is_empty());
    let child = pid_of(&mut probe);
    assert_ne!(parent, child);
    // A command that looks at the node gives a child of a program without the shim its row.
    lab.status("a");
    let jump = lab.fault_json(&["jump", "a", "-1h"]);
    let at = jump["at_ns"].as_i64().expect("an instant");
    probe.wall_after(at).expect_skew(-2 * HOUR);
    let id = jump["change"].as_i64().expect("an id");
    let is_marked = |process: &Value| {
        process["evidence"].as_array().is_some_and(|marks| marks.iter().any(|mark| mark["change"] == id))
    };
    let (of_child, of_parent) = (entry(lab, child), entry(lab, parent));
    assert!(is_marked(&of_child), "{of_child}");
    assert!(!is_marked(&of_parent), "its parent waits, and has read nothing: {of_parent}");
    end(lab, probe);
}

fn suspended(lab: &Lab, means: Means, kind: Kind) {
    const LENGTH: i64 = 500 * MILLISECOND;
    let mut probe = if means == Means::Attach {
        lab.falseticker(["create", "a", "--monotonic"]).expect_code(0);
        join(lab, Probe::new(lab.bare_live(kind.probe(lab), [""; 0])), &[])
    } else {
        enter(lab, means, kind, &["--monotonic"])
    };
    let before: Reading = probe.ask("mono", 0).remove(0);
    lab.falseticker(["suspend", "a", "--for", "500ms"]).expect_code(0);
    let after: Reading = probe.ask("mono", 0).remove(0);
    let (shown, passed) = (after.shown - before.shown, after.mono - before.mono);
    assert!(passed >= LENGTH, "{passed}");
    let counted = shown - (passed - LENGTH);
    // What it ran on for before the processes stood still is not lost.
    assert!(counted.abs() < LENGTH / 2, "of {LENGTH} ns it has counted {counted}");
    assert_eq!(probe.quit(), 0);
    if means == Means::Attach {
        lab.falseticker(["remove", "a"]).expect_code(0);
    }
    lab.falseticker(["status"]).expect_code(0);
}
