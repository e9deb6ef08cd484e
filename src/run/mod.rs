//! `run`: start a program in a node, supervise it, and be as good as invisible about it.
//!
//! What must hold:
//! - What cannot be reached is refused before anything is made; what turns out not to be reached does not run on.
//!   Whatever is refused leaves neither process nor node.
//! - Terminal, streams, signals, exit code: as without falseticker.
//! - The death of any one of the processes involved takes neither the program's life nor its clock.
//!
//! How the processes are related. `run` forks the `keeper`, and the keeper forks the program, which stays in `run`'s
//! process group while the keeper leaves it:
//!
//! ```text
//! shell ── run ── keeper ── program      session: the shell's, for all
//!            group of run: run, program      group of its own: keeper
//! ```
//!
//! So the terminal's signals reach the program by themselves; the program's group is never orphaned by the death of
//! `run` alone (see `keeper`); if the keeper dies, `run` becomes the program's parent. Both are subreapers, so that
//! what the program leaves behind stays below them.

pub(crate) mod arrival;
pub(crate) mod capture;
mod children;
pub(crate) mod following;
pub(crate) mod fork;
mod home;
mod keeper;
pub(crate) mod launch;
mod message;
mod orphans;
mod outcome;
pub mod report;
mod signals;
mod supervise;
pub(crate) mod target;
mod wait;
mod witness;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

pub use outcome::Outcome;

pub(crate) use keeper::leave_all_but;

use arrival::{Arrival, Row, rows};
use home::Home;
use launch::{Command, How, launch};
use report::{Report, ReportFile};
use supervise::{End, Supervisor};
use witness::Witness;

use crate::error::{Error, Result};
use crate::fault::{Clocks, Fault};
use crate::node::{NodeName, waits_name};
use crate::process::ProcessId;
use crate::reach::Wanted;
use crate::units::format_instant;
use crate::{HostInstant, NodeInstant, host_clock};

/// What is to be run, and how.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// The node, which is made if it does not exist; without a name one is made for this command.
    pub node: Option<NodeName>,
    /// Whether the node's monotonic clocks may be faulted.
    pub monotonic: bool,
    /// Whether programs of other users may be in the node.
    pub share: bool,
    /// Whether the node's programs may set the host's clocks.
    pub allow_settime: bool,
    /// By which means programs are reached.
    pub reach: Wanted,
    /// Whether the program ends when something below it would read the true clock.
    pub strict_tree: bool,
    /// The programs that alone get the false clock, by name or path; all where this and `skip` are empty. Fixed when the node is
    /// made.
    pub only: Vec<OsString>,
    /// The programs that do not get it.
    pub skip: Vec<OsString>,
    /// Whether the program's output is passed on by falseticker, so that triggers can listen to it.
    pub capture: bool,
    /// The clocks that the faults touch.
    pub clocks: Clocks,
    /// Faults that are in force at the program's first read.
    pub faults: Vec<Fault>,
    /// Where the report goes.
    pub report: Option<PathBuf>,
}

/// Runs a command to its end and returns the exit code that says how it ended: its own, or 128+N for signal N. An error
/// is a failure of `run` itself; [`ErrorKind::run_exit_code`](crate::ErrorKind::run_exit_code) is its exit code.
///
/// For a process that has one thread, and has nothing else to do with signals and children.
pub fn run(request: &Request) -> Result<u8> {
    let choice = home::choice(request)?;
    let command = Command::examine(&request.command, request.reach, &choice)?;
    let is_chosen = command.choice().is_some();
    let report = request.report.as_deref().map(ReportFile::open).transpose()?;
    let mut home = Home::enter(request, &choice)?;
    let applied = home.apply(request)?;
    let in_force = applied.iter().map(|applied| applied.at).max().unwrap_or(HostInstant::MIN);
    let evidence = home.node.evidence();
    let unseated = evidence.header.unseated.load(Ordering::Relaxed);
    let refused = evidence.header.refused_settings.load(Ordering::Relaxed);
    let from = host_clock::monotonic();
    let wall = host_clock::realtime();
    let launched = launch(
        &command,
        &mut home,
        in_force,
        How { captured: request.capture, strict: request.strict_tree },
    )?;
    let (program, keeper) = (launched.target.id(), launched.keeper);
    let mut supervisor = Supervisor::new(launched, &home.node, is_chosen, from, unseated)?;
    let Some(file) = report else {
        let end = supervisor.until_end();
        finish(&home, keeper, refused);
        return verdict(&command, end?);
    };
    let witness = Witness::new(home.node.evidence(), keeper, from);
    let (end, seen) = std::thread::scope(|scope| {
        scope.spawn(|| witness.watch());
        let end = supervisor.until_end();
        (end, witness.stop())
    });
    finish(&home, keeper, refused);
    let end = end?;
    let started = Started { wall, at: from, program };
    let written = file.write(&tell(&command, &home, &started, &end, &seen)?);
    let code = verdict(&command, end)?;
    written.map(|()| code)
}

/// Does what the keeper would have done, had it not been killed; and says what the program was refused, of which so many
/// calls were others'.
fn finish(home: &Home, keeper: ProcessId, refused_before: u64) {
    let refused = home.node.evidence().header.refused_settings.load(Ordering::Relaxed);
    if refused > refused_before {
        tracing::info!("calls to set the clock were refused; --allow-settime passes them on");
    }
    if !keeper.is_alive()
        && home.node.dir().path().exists()
        && let Err(why) = crate::node::sweep_node(home.node.dir())
    {
        tracing::warn!("{why}");
    }
}

/// `run`'s own exit code; an error if the program may have run with a true clock.
fn verdict(command: &Command, end: End) -> Result<u8> {
    let code = end.outcome.exit_code();
    let name = command.words().first().map(|word| word.display().to_string()).unwrap_or_default();
    if let Some(why) = &end.stopped_for {
        let (why, help) = why.split_once('\n').map_or((why.as_str(), None), |(why, help)| (why, Some(help)));
        let error = Error::not_applied(format!("run {name} with a false clock"), why);
        return Err(help.map_or(error.clone(), |help| error.remedy(help)));
    }
    match end.arrival {
        Arrival::Reached | Arrival::LeftOut => Ok(code),
        Arrival::NoRoom => {
            tracing::warn!("whether {name} was reached is not known: the node's evidence file was full");
            Ok(code)
        }
        // The shim itself has refused, and said why.
        Arrival::Unknown if end.outcome == Outcome::Code(target::REFUSED) => Ok(code),
        // Interrupted while it was being started: nothing ran that anybody wants to hear about.
        Arrival::Unknown if end.asked_for => Ok(code),
        Arrival::Unknown if end.overdue => Err(Error::not_applied(
            format!("run {name} with a false clock"),
            "it did not load the shim within 10 s, nobody can say why, and it was killed",
        )
        .remedy("LD_DEBUG=libs shows what its loader does; if it takes its time, start it before: falseticker env")),
        Arrival::Unknown => Err(Error::not_applied(
            format!("run {name} with a false clock"),
            format!("it never loaded the shim, and {}", end.outcome),
        )
        .remedy("see what it or its loader said; LD_DEBUG=libs shows what its loader does")),
    }
}

/// When which process was started.
struct Started {
    wall: i64,
    at: HostInstant,
    program: ProcessId,
}

type Sightings = std::collections::BTreeMap<Row, Option<witness::Seen>>;

fn tell(command: &Command, home: &Home, started: &Started, end: &End, seen: &Sightings) -> Result<Report> {
    let node = &home.node;
    let evidence = node.evidence();
    let epoch = evidence.header.created.load(Ordering::Relaxed);
    let epoch = HostInstant::from_nanos(i64::try_from(epoch).unwrap_or(0));
    let changes = node.changes()?;
    let process = |row: Row| {
        let sighting = seen.get(&row).cloned().flatten();
        // In a node that others use too, whoever was not seen below this program may be theirs.
        let pid = sighting.as_ref().map_or(row.pid, |seen| seen.pid);
        let is_ours = row.is_of(started.program.pid) || sighting.as_ref().is_some_and(|seen| seen.below);
        if !home.is_made_here() && !is_ours {
            return None;
        }
        let mark = |change: &crate::node::status::ChangeStatus| {
            let read = evidence.rings.get(row.index)?.marked(change.id, epoch)?;
            let latency_ns = read.saturating_since(HostInstant::from_nanos(change.at_ns)).as_nanos();
            Some(report::Mark { change: change.id, latency_ns })
        };
        let head = evidence.heads.get(row.index)?;
        Some(report::Process {
            pid,
            command: sighting.map(|seen| seen.command),
            since_ns: row.since.as_nanos(),
            evidence: changes.iter().filter_map(mark).collect(),
            refused_settings: head.refused_settings.load(Ordering::Relaxed),
            waits: waits_name(head.waits()),
        })
    };
    let mut all: Vec<Row> = rows(evidence, started.at).collect();
    all.sort();
    let now = |wall: i64| format_instant(NodeInstant::from_nanos(wall));
    Ok(Report {
        version: report::VERSION,
        command: command.words().iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        node: node.name().to_string(),
        pid: started.program.pid,
        started: now(started.wall),
        started_ns: started.at.as_nanos(),
        ended: now(host_clock::realtime()),
        ended_ns: host_clock::monotonic().as_nanos(),
        exit: end.outcome,
        reach: match (end.arrival, command.choice()) {
            (Arrival::Reached, Some(choice)) => choice.means.reach().name(),
            (Arrival::Reached, None) => "by exec",
            (Arrival::LeftOut, _) => "left out",
            (Arrival::NoRoom | Arrival::Unknown, _) => "unknown",
        },
        reach_why: command
            .choice()
            .map_or_else(|| format!("left out by {}", node.choice()), |choice| choice.why.clone()),
        processes: all.into_iter().filter_map(process).collect(),
        without_row: evidence.header.unseated.load(Ordering::Relaxed),
        refused_settings: evidence.header.refused_settings.load(Ordering::Relaxed),
        changes: changes
            .iter()
            .map(|change| report::Change {
                id: change.id,
                fault: change.fault.clone(),
                clocks: change.clocks.clone(),
                at_ns: change.at_ns,
                until_ns: change.until_ns,
                late_by_ns: change.late_by_ns,
            })
            .collect(),
    })
}
