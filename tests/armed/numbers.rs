//! A descriptor's number that is another timer's while the helper is about to set it: strace lets the helper's looks at timers take long.

use libtest_mimic::Trial;

use crate::harness::{Lab, Live, eventually, spec, tracer_of};

/// How long a look at a timer takes, in microseconds. The target gives numbers anew in steps of half of that.
const DELAY: &str = "inject=timerfd_gettime:delay_exit=20000";

pub fn trials() -> Vec<Trial> {
    let sentence =
        "armed timers: a number that is given to another timer meanwhile is not set for the one before";
    vec![spec(sentence).needs("cc", "gcc").needs("strace", "strace").shown_by(renumbered)]
}

fn renumbered(lab: &Lab) {
    let target = lab.target("armed").path();
    let mut live = lab.run("a", &[], [target.to_str().expect("a path"), "renumbered"]).live();
    let line = live.line();
    let pid = line.split(' ').nth(1).and_then(|pid| pid.parse().ok());
    let mut strace = slow_down(lab, pid.unwrap_or_else(|| panic!("the target says {line:?}")));
    live.say("slowed");
    while live.line().starts_with("pass ") {
        lab.fault(&["jump", "a", "+1h"]);
        live.say("jumped");
    }
    assert_eq!(live.finish(), 0, "a timer expires days too early");
    strace.end();
}

/// Lets the looks of a process's helper at timers take long.
fn slow_down(lab: &Lab, pid: i32) -> Live {
    let helper = eventually("there is a helper", || {
        std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.find_map(|task| {
            let task = task.ok()?;
            let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
            let tid = task.file_name().into_string().ok()?;
            (name == "falseticker\n").then_some(tid)
        })
    });
    let words = ["-q", "-o", "/dev/null", "-e", "trace=timerfd_gettime", "-e", DELAY, "-p", &helper];
    let strace = lab.bare_live("strace", words);
    eventually("strace is attached", || tracer_of(helper.parse().ok()?));
    strace
}
