//! No thread goes on in the midst of bytes that were overwritten: where one would, the process is left alone.

use libtest_mimic::Trial;

use super::{HOUR, attach, detach, numbers, says_pid, sweep, vdso_of};
use crate::harness::{Lab, SECOND, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("attach: {sentence}")).needs("cc", "gcc");
    vec![
        of("while a handler will return into the bytes that would be overwritten it is refused, and taken afterwards")
            .shown_by(|lab| framed(lab, &[])),
        of("a handler with a stack of its own holds it off as well").shown_by(|lab| framed(lab, &["own-stack"])),
        of("one that is in vfork now and again is taken between two of them").shown_by(forks),
        of("one that stays in vfork is refused, and its other threads run on").shown_by(stays_in_vfork),
    ]
}

fn forks(lab: &Lab) {
    let mut live = lab.bare_live(lab.target("vforks").path(), ["60"]);
    let pid = says_pid(&mut live, "ready");
    for _ in 0..3 {
        attach(lab, "a", pid);
        lab.fault(&["jump", "a", "-1h"]);
        live.say("");
        let skew = numbers(&mut live, "skew")[0];
        assert!((skew + HOUR).abs() < SECOND, "{skew}");
        detach(lab, pid);
        sweep(lab);
    }
    assert_eq!(live.finish(), 0);
}

fn stays_in_vfork(lab: &Lab) {
    let mut live = lab.bare_live(lab.target("vforks").path(), ["60000"]);
    let pid = says_pid(&mut live, "ready");
    let own = vdso_of(pid);
    let refused = lab.falseticker(["attach", "--pid", &pid.to_string()]).expect_code(3);
    refused.expect_error("(vfork, a disk)").expect_error("runs on untouched");
    assert_eq!(vdso_of(pid), own);
    live.say("");
    assert_eq!(numbers(&mut live, "skew")[0] / SECOND, 0);
    live.signal(nix::sys::signal::Signal::SIGKILL);
    live.end();
    // Its child has outlived it.
    lab.clear();
}

fn framed(lab: &Lab, arguments: &[&str]) {
    let mut live = lab.bare_live(lab.target("framed").path(), arguments);
    let line = live.line();
    let pid = live.pid();
    if line.starts_with("none") {
        // On this kernel no instruction begins there: then nobody can be interrupted there either.
        live.finish();
        return;
    }
    let own = vdso_of(pid);
    let refused = lab.falseticker(["attach", "--pid", &pid.to_string()]).expect_code(3);
    refused.expect_error("will return into the instructions").expect_error("runs on untouched");
    assert_eq!(vdso_of(pid), own, "it was changed");
    assert!(lab.left_in_nodes().is_empty(), "{:?}", lab.left_in_nodes());
    live.say("");
    assert_eq!(says_pid(&mut live, "read"), pid);
    attach(lab, "a", pid);
    assert_ne!(vdso_of(pid), own);
    assert_eq!(live.finish(), 0);
    sweep(lab);
}
