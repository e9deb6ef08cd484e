//! How a program will be reached, and what of it.

use std::ffi::OsStr;
use std::path::PathBuf;

use serde::Serialize;

use super::{Finding, State, gaps, stopping};
use crate::error::{Error, ErrorKind, Result};
use crate::reach::elf::Kind;
use crate::reach::means::{Gap, Part, Preload, Reach};
use crate::reach::{self, Means, Program, Wanted};

/// How a program will be reached.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramReport {
    /// As it was given.
    pub command: String,
    /// The file whose code runs in the end: the command's, or its interpreter's.
    pub file: PathBuf,
    /// The interpreters on the way.
    pub interpreters: Vec<PathBuf>,
    /// What that file is.
    pub kind: Option<String>,
    /// The sanitizer that it was built with.
    pub sanitizer: Option<String>,
    /// By which means it will be reached; none, if it cannot be.
    pub reach: Option<Means>,
    /// Why by these, or why not.
    pub why: String,
    /// What of the machine is in the way: names of checks.
    pub stopped_by: Vec<&'static str>,
    /// What these means do not cover of it.
    pub not_covered: Vec<Gap>,
    /// What the user can do.
    pub remedies: Vec<String>,
    /// Whether a fault arrives there.
    pub arrives: bool,
}

/// How a command would be reached by `run`, on a machine of which this was found.
pub fn program(command: &OsStr, wanted: Wanted, machine: &[Finding]) -> Result<ProgramReport> {
    let path = match reach::resolve(command, std::env::var_os("PATH").as_deref()) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Err(no_such(&why)),
        found => found,
    };
    let report = ProgramReport {
        command: command.display().to_string(),
        file: path.clone().unwrap_or_else(|_| PathBuf::from(command)),
        interpreters: Vec::new(),
        kind: None,
        sanitizer: None,
        reach: None,
        why: String::new(),
        stopped_by: Vec::new(),
        not_covered: Vec::new(),
        remedies: Vec::new(),
        arrives: false,
    };
    let program = match path.and_then(|path| reach::classify(&path)) {
        Ok(program) => program,
        Err(why) => return Ok(refused(report, &why)),
    };
    let report = ProgramReport {
        file: program.file.clone(),
        interpreters: program.interpreters.clone(),
        kind: Some(program.kind.to_string()),
        sanitizer: program.sanitizer.map(|sanitizer| sanitizer.to_string()),
        ..report
    };
    Ok(match reach::choose(&program, wanted) {
        Err(why) => refused(report, &why),
        Ok(choice) => {
            let report = ProgramReport { why: choice.why, ..report };
            reached(report, &program, choice.means, wanted, machine)
        }
    })
}

/// For whoever does not run it, a command that does not exist is bad input.
fn no_such(why: &Error) -> Error {
    let error = Error::bad_input(why.attempted(), why.why());
    match why.help() {
        Some(help) => error.remedy(help),
        None => error,
    }
}

fn refused(report: ProgramReport, why: &Error) -> ProgramReport {
    let remedies = why.help().map(str::to_owned).into_iter().collect();
    ProgramReport { why: why.why().to_owned(), remedies, ..report }
}

fn reached(
    report: ProgramReport,
    program: &Program,
    means: Means,
    wanted: Wanted,
    machine: &[Finding],
) -> ProgramReport {
    let mut stopped_by = stopping(machine, means);
    let mut not_covered = gaps(means, program.kind);
    let mut remedies = Vec::new();
    if means == Means::Preload && detour_is_impossible(machine) {
        not_covered.insert(0, Gap::OF_SYMBOLS_ALONE);
        if matches!(program.kind, Kind::GoDynamic(_)) {
            stopped_by.push("vdso");
            remedies.push("it reads its clock by the vDSO alone: run it with --reach vdso".to_owned());
        }
    }
    let is_followed =
        wanted != Wanted::Preload && is_found(machine, "following", |state| state == State::Good);
    if means == Means::Preload && is_followed {
        not_covered.retain(|gap| gap.part != Part::Execs);
    } else if means == Means::Preload {
        remedies.push(
            "programs that it executes and that cannot be preloaded escape: run falseticker as root, or with --strict-tree"
                .to_owned(),
        );
    }
    if means == Means::Vdso {
        // Where the shim gets in, it covers more.
        remedies.push(match Preload.can_reach(program) {
            Ok(()) => "--reach preload covers its waits as well".to_owned(),
            Err(why) => format!("for its waits as well: {}", why.help().unwrap_or("another build of it")),
        });
    }
    let arrives = stopped_by.is_empty();
    let needed = machine.iter().filter(|finding| stopped_by.contains(&finding.check));
    remedies.splice(0..0, needed.filter_map(|finding| finding.remedy.clone()));
    ProgramReport { reach: Some(means), stopped_by, not_covered, remedies, arrives, ..report }
}

fn is_found(machine: &[Finding], check: &str, is_so: impl Fn(State) -> bool) -> bool {
    machine.iter().any(|finding| finding.check == check && is_so(finding.state))
}

/// Whether the shim will find that it cannot detour the vDSO.
fn detour_is_impossible(machine: &[Finding]) -> bool {
    is_found(machine, "vdso", |state| state != State::Good)
}
