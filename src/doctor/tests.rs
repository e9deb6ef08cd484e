//! What this machine, its programs and its processes are said to allow.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::*;
use crate::reach::Wanted;

/// A machine on which all is well.
fn well() -> Vec<Finding> {
    ["kernel", "proc", "nodes", "vdso", "tracing", "following"].map(|check| Finding::good(check, "")).into()
}

fn without(check: &'static str, stops: &[Means]) -> Vec<Finding> {
    let mut machine = well();
    machine.retain(|finding| finding.check != check);
    machine.push(Finding::missing(check, "not here", "so", "do that", stops));
    machine
}

fn of(command: &str, machine: &[Finding]) -> ProgramReport {
    program(OsStr::new(command), Wanted::Auto, machine).unwrap()
}

#[test]
fn every_check_has_its_own_name_and_what_is_amiss_says_what_follows_and_what_helps() {
    let machine = machine();
    let mut names: Vec<&str> = machine.iter().map(|finding| finding.check).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), machine.len());
    for finding in &machine {
        let is_good = finding.state == State::Good;
        assert_eq!(finding.consequence.is_none(), is_good, "{finding:?}");
        assert_eq!(finding.remedy.is_none(), is_good, "{finding:?}");
        assert!(finding.stops.is_empty() || finding.state == State::Missing, "{finding:?}");
    }
}

#[test]
fn a_dynamic_program_is_reached_by_the_shim_unless_the_machine_is_in_the_way() {
    let report = of("true", &well());
    assert_eq!((report.reach, report.arrives), (Some(Means::Preload), true));
    assert_eq!(report.stopped_by, Vec::<&str>::new());
    let report = of("true", &without("nodes", &ALL));
    assert_eq!((report.stopped_by, report.arrives), (vec!["nodes"], false));
    assert_eq!(report.remedies, ["do that"]);
    let report = of("true", &without("tracing", &TRACING));
    assert!(report.arrives, "{report:?}");
}

#[test]
fn what_is_not_there_is_bad_input_and_what_cannot_run_is_told_why() {
    let missing = program(OsStr::new("falseticker-no-such"), Wanted::Auto, &well()).unwrap_err();
    assert_eq!(missing.kind(), crate::ErrorKind::BadInput);
    let report = of("/etc/passwd", &well());
    assert_eq!((report.reach, report.arrives), (None, false));
    assert!(report.why.contains("execute permission") && !report.remedies.is_empty(), "{report:?}");
}

#[test]
fn means_that_are_asked_for_are_kept_to() {
    let report = program(OsStr::new("true"), Wanted::Vdso, &well()).unwrap();
    assert_eq!(report.reach, Some(Means::Vdso));
    assert!(report.remedies.iter().any(|remedy| remedy.contains("--reach preload")), "{report:?}");
    let report = program(OsStr::new("true"), Wanted::Vdso, &without("tracing", &TRACING)).unwrap();
    assert_eq!((report.stopped_by, report.arrives), (vec!["tracing"], false));
}

#[test]
fn symbols_alone_are_said_to_be_so() {
    let mut machine = well();
    machine.retain(|finding| finding.check != "vdso");
    machine.push(Finding::limited("vdso", "may not be written", "so", "do that"));
    let report = of("true", &machine);
    assert!(report.arrives && report.not_covered.contains(&Gap::OF_SYMBOLS_ALONE), "{report:?}");
}

#[test]
fn a_machine_reaches_nothing_when_every_means_are_stopped() {
    assert!(reaches_anything(&well()));
    assert!(reaches_anything(&without("tracing", &TRACING)));
    assert!(!reaches_anything(&without("kernel", &ALL)));
}

#[test]
fn a_process_that_could_be_attached_to_says_how() {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    cat.stdin.as_mut().unwrap().write_all(b"!").unwrap();
    cat.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let pid = i32::try_from(cat.id()).unwrap();
    let report = process(pid, &well()).unwrap();
    let stopped = process(pid, &without("tracing", &[Means::Attach])).unwrap();
    cat.kill().unwrap();
    cat.wait().unwrap();
    assert_eq!(
        (report.could_be, report.reach, report.arrives),
        (Some(Means::Attach), None, true),
        "{report:?}"
    );
    assert_eq!(report.command, "cat");
    assert!(report.remedies[0].contains(&format!("attach --pid {pid}")), "{report:?}");
    assert_eq!((stopped.stopped_by, stopped.arrives), (vec!["tracing"], false));
    assert_eq!(process(pid, &well()).unwrap_err().kind(), crate::ErrorKind::BadInput);
}
