//! Under write-execute policies the detour of the vDSO is made all the same, or the symbols alone do, and `status` says so.

use libtest_mimic::Trial;

use crate::harness::{Lab, Probe, SECOND, spec};

const HOUR: i64 = 3600 * SECOND;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("policies: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        trials.push(
            of("under PR_SET_MDWE every way is skewed once, the program lives")
                .shown_by(move |lab| every_way(lab, libc, "mdwe")),
        );
        trials.push(
            of("under systemd's MemoryDenyWriteExecute every way is skewed once, the program lives")
                .shown_by(move |lab| every_way(lab, libc, "systemd")),
        );
        trials.push(
            of("where code cannot be written, the symbols are skewed and status says why the detour is missing")
                .shown_by(move |lab| symbols_alone(lab, libc)),
        );
    }
    trials
}

fn start(lab: &Lab, libc: &str, policy: &str) -> Probe {
    let (launcher, probe) = (lab.target("launcher").path(), lab.target("probe").of(libc).path());
    Probe::new(
        lab.run("a", &["--jump", "-1h"], [launcher.as_os_str(), policy.as_ref(), probe.as_os_str()]).live(),
    )
}

/// What `status` says of the probe's detour.
fn detour(lab: &Lab) -> String {
    let status = lab.status("a");
    let processes = status["processes"].as_array().cloned().unwrap_or_default();
    assert_eq!(processes.len(), 1, "{status}");
    processes[0]["detour"].as_str().unwrap_or_default().to_owned()
}

fn every_way(lab: &Lab, libc: &str, policy: &str) {
    let mut probe = start(lab, libc, policy);
    for reading in probe.all_after(0) {
        let untouched = reading.is_monotonic() || reading.is_cpu_time();
        reading.expect_skew(if untouched { 0 } else { -HOUR });
    }
    assert_eq!(detour(lab), "in place");
    probe.quit();
}

fn symbols_alone(lab: &Lab, libc: &str) {
    let mut probe = start(lab, libc, "no-code");
    for reading in probe.all_after(0) {
        let by_symbol = ["vdso", "next", "dlopen"].iter().all(|way| !reading.name.starts_with(way));
        let untouched = reading.is_monotonic() || reading.is_cpu_time();
        if by_symbol || untouched {
            reading.expect_skew(if untouched { 0 } else { -HOUR });
        } else {
            // It must be either: the truth, or skewed once.
            assert!(reading.shows(0) || reading.shows(-HOUR), "{reading:?}");
        }
    }
    let why = detour(lab);
    assert!(!why.is_empty() && why != "in place", "status says {why:?}");
    probe.quit();
}
