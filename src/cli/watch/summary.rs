//! A node in a few words: its offset, its rate, what its processes do, its last fault and who has read it.

use falseticker::Span;
use falseticker::freeze::Means;
use falseticker::node::Status;
use falseticker::node::status::ChangeStatus;

use crate::cli::status::text::{between, is_end, offset, rate};
use crate::cli::table::{count, short};

/// How much attention something asks for; colours alone depend on it, never what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As without faults.
    Plain,
    /// A fault is in force.
    Faulted,
    /// It stands still.
    Still,
    /// It is not as it should be.
    Wrong,
}

/// Something that is said of a node.
pub type Said = (String, Tone);

/// How far the wall clock is from true.
pub fn offset_of(status: &Status) -> Said {
    match status.clocks.wall.state {
        "true" => ("true".to_owned(), Tone::Plain),
        _ => (offset(status.clocks.wall.offset_ns), Tone::Faulted),
    }
}

/// How fast the wall clock runs.
pub fn rate_of(status: &Status) -> Said {
    let ppm = status.clocks.wall.rate_ppm;
    (rate(ppm), if ppm == 0.0 { Tone::Plain } else { Tone::Faulted })
}

/// What its processes do.
pub fn state_of(status: &Status) -> Said {
    let left = |until: Option<i64>| match until {
        Some(until) => format!(", {} more", between(status.now_ns, until.max(status.now_ns))),
        None => " until thawed".to_owned(),
    };
    if let Some(frozen) = &status.frozen {
        let whole = frozen.pauses.iter().any(|pause| pause.how != Means::Thread);
        let what = if whole { "frozen" } else { "threads frozen" };
        return (format!("{what}{}", left(frozen.until_ns)), Tone::Still);
    }
    if let Some(last) = status.trap.iter().flat_map(|trap| &trap.held).map(|held| held.until_ns).max() {
        return (format!("held at a read{}", left(Some(last))), Tone::Still);
    }
    let still = status.processes.iter().filter(|process| process.state == "frozen").count();
    match (status.processes.len() + status.not_reached.len(), still) {
        (0, _) => ("no process".to_owned(), Tone::Plain),
        (all, 0) => (format!("{} running", count(all, "process", "processes")), Tone::Plain),
        (all, still) => (format!("{still} of {all} stopped"), Tone::Still),
    }
}

/// The last fault, who has read it, and who escapes.
pub fn last_fault_of(status: &Status) -> Vec<Said> {
    let mut said = match last_change(status) {
        None if status.frozen.is_some() || status.last_pause.is_some() => Vec::new(),
        None => vec![("no fault yet".to_owned(), Tone::Plain)],
        Some(change) => {
            let when =
                format!("{} {}, {} ago", change.id, change.fault, between(change.at_ns, status.now_ns));
            let over = if change.state == "in force" { "" } else { " (over)" };
            let tone = if over.is_empty() && change.fault != "heal" { Tone::Faulted } else { Tone::Plain };
            vec![(when + over, tone), evidence_of(status, change)]
        }
    };
    let planned = status.changes.iter().filter(|change| change.state == "planned" && !is_end(change)).count();
    said.extend((planned > 0).then(|| (format!("{planned} planned"), Tone::Plain)));
    let escaped = status.not_reached.iter().filter(|process| process.chosen).count();
    said.extend((escaped > 0).then(|| (format!("{escaped} not reached"), Tone::Wrong)));
    said.extend(pause_since(status, last_change(status).map_or(i64::MIN, |change| change.at_ns)));
    said
}

/// "paused for 1s, 3s ago": the last pause, if it is in force or was over after an instant.
fn pause_since(status: &Status, since_ns: i64) -> Option<Said> {
    if let Some(since) = status.frozen.as_ref().and_then(|frozen| frozen.since_ns) {
        return Some((format!("frozen since {}", between(since, status.now_ns)), Tone::Still));
    }
    let last = status.last_pause.as_ref()?;
    let (actual, end) = (last.actual_ns?, last.last_resume_ns?);
    let told = || format!("paused for {}, {} ago", between(0, actual), between(end, status.now_ns));
    (end > since_ns).then(|| (told(), Tone::Plain))
}

/// The last change that has begun.
pub fn last_change(status: &Status) -> Option<&ChangeStatus> {
    let begun = |change: &&ChangeStatus| change.state != "planned" && !is_end(change);
    status.changes.iter().filter(begun).max_by_key(|change| (change.at_ns, change.id))
}

/// "read by 2 of 3, last after 1.2ms": of the processes that can leave marks.
fn evidence_of(status: &Status, change: &ChangeStatus) -> Said {
    let evidence = status.processes.iter().flat_map(|process| &process.evidence);
    let marks: Vec<i64> =
        evidence.filter(|mark| mark.change == change.id).map(|mark| mark.latency_ns).collect();
    let able = status.processes.iter().filter(|process| !process.unknown).count();
    match (able, marks.iter().max()) {
        (0, _) => ("nobody to read it".to_owned(), Tone::Plain),
        (_, None) => ("read by nobody".to_owned(), Tone::Wrong),
        (able, Some(last)) => {
            let (read, last) = (marks.len(), short(Span::from_nanos(*last)));
            let tone = if read < able { Tone::Wrong } else { Tone::Plain };
            (format!("read by {read} of {able}, last after {last}"), tone)
        }
    }
}
