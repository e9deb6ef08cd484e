//! How a process that runs is reached, or could be, and what of it.
//!
//! Only /proc is read: whether the kernel would let it be traced is told by its memory, which opens to whoever may
//! (PTRACE_MODE_ATTACH in ptrace(2)).

use std::fs::File;

use procfs::process::Process;
use serde::Serialize;

use super::machine::moved;
use super::{Finding, gaps, stopping};
use crate::error::{ErrorKind, Result};
use crate::node::{self, Node};
use crate::process::{ProcessId, cmdline};
use crate::reach::elf::{Kind, Libc};
use crate::reach::means::Gap;
use crate::reach::privilege::has_capability;
use crate::reach::trace::{admit, filters_of, not_permitted, refuse_traced};
use crate::reach::{self, Means};

/// CAP_SYS_ADMIN, as the kernel numbers capabilities.
const SYS_ADMIN: u32 = 21;

/// How a process is reached, or could be.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessReport {
    /// Its pid.
    pub pid: i32,
    /// Its command line.
    pub command: String,
    /// Its real user.
    pub user: Option<u32>,
    /// What its program is.
    pub kind: Option<String>,
    /// The node that it belongs to.
    pub node: Option<String>,
    /// By which means it is reached now.
    pub reach: Option<Means>,
    /// By which means it could be reached.
    pub could_be: Option<Means>,
    /// Why it is not reached, or cannot be.
    pub why: Option<String>,
    /// How its waits follow the clock: see `status`.
    pub waits: Option<&'static str>,
    /// What is special about it.
    pub findings: Vec<Finding>,
    /// What of the machine is in the way: names of checks.
    pub stopped_by: Vec<&'static str>,
    /// What the means do not cover of it.
    pub not_covered: Vec<Gap>,
    /// What the user can do.
    pub remedies: Vec<String>,
    /// Whether a fault arrives there, now or once it is attached.
    pub arrives: bool,
}

/// How a process is reached or could be, on a machine of which this was found. An error if there is no such process, or
/// none that has a clock.
pub fn process(pid: i32, machine: &[Finding]) -> Result<ProcessReport> {
    let admitted = match admit(pid) {
        Err(why) if why.kind() == ErrorKind::BadInput => return Err(why),
        admitted => admitted,
    };
    let kind = reach::kind(format!("/proc/{pid}/exe").as_ref());
    let status = Process::new(pid).and_then(|process| process.status()).ok();
    let words = ProcessId::of(pid).and_then(cmdline).unwrap_or_default();
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let report = ProcessReport {
        pid,
        command: if words.is_empty() { format!("[{}]", comm.trim()) } else { words.join(" ") },
        user: status.as_ref().map(|status| status.ruid),
        kind: kind.map(|kind| kind.to_string()),
        node: None,
        reach: None,
        could_be: None,
        why: None,
        waits: None,
        findings: special(pid),
        stopped_by: Vec::new(),
        not_covered: Vec::new(),
        remedies: Vec::new(),
        arrives: false,
    };
    let mut report = in_its_node(report, kind);
    if report.reach.is_some() {
        return Ok(report);
    }
    report.findings.extend(filtered(pid));
    let permitted = admitted.and_then(refuse_traced).and_then(|()| permitted(pid));
    let report = match permitted {
        Err(why) => {
            let in_the_way = format!("attach: {}", why.why());
            let why_not = report.why.map_or(in_the_way.clone(), |why| format!("{why}; {in_the_way}"));
            let remedies = why.help().map(str::to_owned).into_iter().collect();
            ProcessReport { why: Some(why_not), remedies, ..report }
        }
        Ok(()) => attachable(report, kind.unwrap_or(Kind::Dynamic(Libc::Other)), machine),
    };
    Ok(report)
}

/// What its node says of it, if it belongs to one.
fn in_its_node(report: ProcessReport, kind: Option<Kind>) -> ProcessReport {
    // Where no nodes can live there are none.
    let all = Node::all().unwrap_or_default();
    let statuses = all.into_iter().filter_map(|dir| node::status(&Node::of_dir(dir).ok()?).ok());
    for status in statuses {
        let name = Some(status.name.clone());
        if let Some(one) = status.processes.iter().find(|one| one.pid == report.pid) {
            let not_covered = one.not_covered.clone();
            let (reach, waits) = (Some(one.reach), Some(one.waits));
            let special = report.findings.iter().filter(|found| found.stops.contains(&one.reach));
            let mut stopped_by: Vec<&str> = special.map(|found| found.check).collect();
            // Go reads its clock by the vDSO alone.
            let is_go = matches!(kind, Some(Kind::GoDynamic(_)));
            stopped_by.extend((is_go && not_covered.contains(&Gap::OF_SYMBOLS_ALONE)).then_some("vdso"));
            let arrives = stopped_by.is_empty();
            return ProcessReport { node: name, reach, waits, stopped_by, not_covered, arrives, ..report };
        }
        if let Some(escaped) = status.not_reached.iter().find(|one| one.pid == report.pid) {
            return ProcessReport { node: name, why: Some(escaped.why.clone()), ..report };
        }
    }
    report
}

/// Whether the kernel would let it be traced by this process.
fn permitted(pid: i32) -> Result<()> {
    match File::open(format!("/proc/{pid}/mem")) {
        Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(not_permitted(pid, &format!("trace process {pid}")))
        }
        // What else may be wrong will be said by whoever attaches.
        _ => Ok(()),
    }
}

fn attachable(report: ProcessReport, kind: Kind, machine: &[Finding]) -> ProcessReport {
    let stopped_by: Vec<_> = stopping(machine, Means::Attach)
        .into_iter()
        .chain(report.findings.iter().filter(|one| one.stops.contains(&Means::Attach)).map(|one| one.check))
        .collect();
    let arrives = stopped_by.is_empty();
    let needed = machine.iter().chain(&report.findings).filter(|one| stopped_by.contains(&one.check));
    let mut remedies: Vec<String> = needed.filter_map(|one| one.remedy.clone()).collect();
    if arrives {
        let node = report.node.as_deref().unwrap_or("NODE");
        remedies.push(format!("falseticker attach --pid {} --node {node}", report.pid));
        remedies.push("started by falseticker run, its waits may be covered as well".to_owned());
    }
    ProcessReport {
        could_be: Some(Means::Attach),
        stopped_by,
        not_covered: gaps(Means::Attach, kind),
        remedies,
        arrives,
        ..report
    }
}

/// What is special about where it lives.
fn special(pid: i32) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_elsewhere = |kind: &str| {
        let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
        of(&pid.to_string()).is_some_and(|its| Some(its) != of("self"))
    };
    if is_elsewhere("mnt") {
        found.push(Finding::good("mount-namespace", "another one: the node's files are handed over open"));
    }
    if is_elsewhere("pid") {
        found.push(Finding::good("pid-namespace", "another one: it is told of by the pid that it has here"));
    }
    if is_elsewhere("time") {
        let offsets = std::fs::read_to_string(format!("/proc/{pid}/timens_offsets")).unwrap_or_default();
        let moved = moved(&offsets);
        let moved = if moved.is_empty() { String::new() } else { format!(" ({})", moved.join(", ")) };
        found.push(Finding::missing(
            "time-namespace",
            format!("another one{moved}"),
            "a node is laid out on the CLOCK_MONOTONIC that falseticker sees, and it sees another one",
            "run falseticker in its time namespace: nsenter --time -t PID",
            &super::ALL,
        ));
    }
    found
}

/// Whether filters would judge the calls that map the node's files; those that this process lives with itself let them through.
fn filtered(pid: i32) -> Option<Finding> {
    const CHECK: &str = "seccomp";
    let own = filters_of("self");
    // A kernel that does not say how many there are says the most that can be.
    let mild = if own == u32::MAX { 0 } else { own };
    if filters_of(&pid.to_string()) <= mild {
        return None;
    }
    Some(if own == 0 && has_capability(SYS_ADMIN) {
        Finding::good(CHECK, "its filters are suspended for the moment of attaching")
    } else {
        Finding::missing(
            CHECK,
            "its filters cannot be suspended from here",
            "they would judge the calls that map the node's files",
            "run falseticker as root (CAP_SYS_ADMIN), outside of any seccomp filter itself",
            &[Means::Attach],
        )
    })
}
