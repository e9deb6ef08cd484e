//! What `status` says not to be covered is the machine's, and all else the node's: as a program finds it.

use std::path::Path;

use libtest_mimic::Trial;

use super::Means;
use crate::harness::{Lab, Live, Target, mono, spec};

/// What the program calls a part, and how `status` begins to name it.
const PARTS: [(&str, &str); 5] = [
    ("syscall", "clock reads by syscall()"),
    ("raw", "clock reads by the syscall instruction"),
    ("deadline", "waits for an instant of the wall clock"),
    ("timer", "timers set to an instant of the wall clock"),
    ("setting", "calls that set the machine's clock"),
];

pub fn trials() -> Vec<Trial> {
    let of = |means: Means, libc: &'static str, flags: &'static [&'static str], reason: &'static str| {
        let how = if flags.is_empty() { "dynamic" } else { "static" };
        let (program, package) = if libc == "musl" { ("musl-gcc", "musl-tools") } else { ("cc", "gcc") };
        let sentence = "what is not covered is the machine's, as status says, and the rest the node's";
        spec(format!("reaches: {} reaches {how} {libc}: {sentence}", means.name()))
            .needs(program, package)
            .shown_by(move |lab| {
                as_status_says(lab, means, reason, Target::new("parts").of(libc).flags(flags.iter().copied()))
            })
    };
    vec![
        of(Means::Preload, "glibc", &[], "loaded the shim"),
        of(Means::Preload, "musl", &[], "loaded the shim"),
        of(Means::Vdso, "glibc", &[], "without LD_PRELOAD"),
        of(Means::Vdso, "glibc", &["-static"], "linked statically (static)"),
        of(Means::Vdso, "musl", &["-static"], "linked statically (static)"),
        of(Means::Attach, "glibc", &[], "it ran already"),
    ]
}

/// The program in node `a`, an hour behind the machine.
fn enter(lab: &Lab, means: Means, program: &Path) -> Live {
    if means != Means::Attach {
        let mut live = lab.run("a", &["--jump", "-1h", "--reach", means.name()], [program]).live();
        assert_eq!(live.line(), "up");
        return live;
    }
    let mut live = lab.bare_live(program, [""; 0]);
    assert_eq!(live.line(), "up");
    lab.falseticker(["attach", "--pid", &live.pid().to_string(), "--node", "a"]).expect_code(0);
    let at = lab.fault(&["jump", "a", "-1h"]);
    while mono() <= at {}
    live
}

fn as_status_says(lab: &Lab, means: Means, reason: &str, target: Target) {
    let mut live = enter(lab, means, &target.path());
    let process = lab.status("a")["processes"][0].clone();
    assert_eq!(process["reach"], means.name(), "{process}");
    assert!(process["reach_why"].as_str().is_some_and(|why| why.contains(reason)), "{process}");
    let gaps = process["not_covered"].as_array().expect("a list");
    live.say("");
    for (part, name) in PARTS {
        let is_gap = gaps.iter().any(|gap| gap.as_str().is_some_and(|gap| gap.starts_with(name)));
        assert_eq!(live.line(), format!("{part} {}", if is_gap { "machine" } else { "node" }), "{process}");
    }
    assert_eq!(live.end(), 0);
    // A node that was made to attach to it goes with it, at the next command.
    lab.falseticker(["status"]).expect_code(0);
}
