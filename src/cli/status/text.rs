//! A node's status in 80 columns.

use falseticker::node::status::{ChangeStatus, ClockStatus, Escaped, ProcessStatus};
use falseticker::node::{MadeBy, Status};
use falseticker::units::{format_rate, format_span};
use falseticker::{Rate, Span};

use crate::cli::fault::short;
use crate::cli::table::{columns, count, cut};

const WIDTH: usize = 80;

/// The text, with a newline at its end.
pub fn of(status: &Status) -> String {
    let mut text = header(status);
    text.push_str(&clocks(status));
    text.push_str(&changes(status));
    text.push_str(&processes(status));
    text.push_str(&escaped(status));
    text
}

/// How long it is from one instant to another, for people.
fn between(from: i64, to: i64) -> String {
    short(Span::from_nanos(to.saturating_sub(from)))
}

fn header(status: &Status) -> String {
    let mut said = vec![match status.made_by {
        MadeBy::Run => "made by run".to_owned(),
        MadeBy::Create => "made by create".to_owned(),
        MadeBy::Library => "made by a program".to_owned(),
    }];
    said.extend(status.monotonic.then(|| "monotonic".to_owned()));
    said.extend(status.share.then(|| "shared".to_owned()));
    if let Some(pause) = &status.frozen {
        let mut frozen = format!("frozen, {}", count(pause.pids.len(), "process", "processes"));
        if let Some(since) = pause.since_ns {
            frozen.push_str(&format!(", since {}", between(since, status.now_ns)));
        }
        if let Some(until) = pause.until_ns {
            frozen.push_str(&format!(", for another {}", between(status.now_ns, until)));
        }
        said.push(frozen);
    }
    let mut text = format!("node {}: {}\n", status.name, said.join("; "));
    if let Some(step) = status.host_step_ns {
        let step = short(Span::from_nanos(step));
        text.push_str(&format!(
            "  the host was stepped by {step}; the wall clock follows at the next change\n"
        ));
    }
    text
}

fn clocks(status: &Status) -> String {
    let row = |name: &str, clock: &ClockStatus| {
        let (offset, rate) = match clock.state {
            "true" => ("true".to_owned(), String::new()),
            _ => (offset(clock.offset_ns), rate(clock.rate_ppm)),
        };
        vec![name.to_owned(), to_millis(&clock.shows), offset, rate]
    };
    let head = ["clock", "shows", "offset", "rate"].map(str::to_owned).to_vec();
    let clocks = &status.clocks;
    columns(2, &[head, row("wall", &clocks.wall), row("mono", &clocks.mono), row("boot", &clocks.boot)])
}

/// An offset without the nanoseconds by which two readings of the host differ.
fn offset(nanos: i64) -> String {
    let unit: i64 = match nanos.unsigned_abs() {
        0..1_000_000 => 1,
        1_000_000..1_000_000_000 => 1_000,
        _ => 1_000_000,
    };
    let half = if nanos < 0 { -unit / 2 } else { unit / 2 };
    let rounded = Span::from_nanos(nanos.saturating_add(half) / unit * unit);
    let sign = if rounded > Span::ZERO { "+" } else { "" };
    format!("{sign}{}", format_span(rounded))
}

fn rate(ppm: f64) -> String {
    Rate::from_ppm(ppm).map_or_else(|| format!("{ppm}ppm"), format_rate)
}

/// A printed instant or span without what is finer than milliseconds.
fn to_millis(shown: &str) -> String {
    let Some((whole, rest)) = shown.split_once('.') else { return shown.to_owned() };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, unit) = rest.split_at(digits);
    format!("{whole}.{}{unit}", fraction.get(..3).unwrap_or(fraction))
}

fn changes(status: &Status) -> String {
    let is_over = |change: &&ChangeStatus| matches!(change.state, "ended" | "healed");
    let row = |change: &ChangeStatus| {
        let mut when = match change.state {
            "planned" => format!("in {}", between(status.now_ns, change.at_ns)),
            _ => format!("in force since {}", between(change.at_ns, status.now_ns)),
        };
        if let Some(until) = change.until_ns {
            when.push_str(&format!(", another {}", between(status.now_ns.max(change.at_ns), until)));
        }
        if change.late_by_ns != 0 {
            when.push_str(&format!(", late by {}", short(Span::from_nanos(change.late_by_ns))));
        }
        vec![change.id.to_string(), change.fault.clone(), change.clocks.join(" "), when]
    };
    let mut rows = vec![["change", "fault", "clocks", ""].map(str::to_owned).to_vec()];
    rows.extend(status.changes.iter().filter(|change| !is_over(change)).map(row));
    let mut text = if rows.len() > 1 { columns(2, &rows) } else { String::new() };
    let over: Vec<&ChangeStatus> = status.changes.iter().filter(is_over).collect();
    // An end belongs to the change that it ended, which is named already.
    let mut named = over.iter().rev().filter(|change| !change.fault.starts_with("end of "));
    if let Some(last) = named.next() {
        let earlier = named.count();
        let more = if earlier == 0 { String::new() } else { format!(", and {earlier} earlier") };
        text.push_str(&format!("  over: {} {} ({}){more}\n", last.id, last.fault, last.state));
    }
    text
}

fn processes(status: &Status) -> String {
    if status.processes.is_empty() {
        return "  no process is reached\n".to_owned();
    }
    let in_force: Vec<u32> =
        status.changes.iter().filter(|change| change.state == "in force").map(|change| change.id).collect();
    let mut rows = vec![["pid", "state", "evidence", "command"].map(str::to_owned).to_vec()];
    for process in &status.processes {
        rows.push(vec![
            process.pid.to_string(),
            process.state.to_owned(),
            evidence(process, &in_force),
            process.command.clone(),
        ]);
    }
    // The command has what the other columns leave.
    let taken: usize = (0..3)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
                + 2
        })
        .sum();
    for row in &mut rows {
        if let Some(command) = row.last_mut() {
            *command = cut(command, WIDTH.saturating_sub(taken + 2).max(16));
        }
    }
    let mut text = columns(2, &rows);
    for process in &status.processes {
        if process.detour != "in place" {
            text.push_str(&format!("  {}: symbols alone are taken over: {}\n", process.pid, process.detour));
        }
        if process.overflow > 0 {
            text.push_str(&format!("  {}: {} older marks were overwritten\n", process.pid, process.overflow));
        }
    }
    text
}

/// "3 after 1.2ms, 4 not read": of the changes in force.
fn evidence(process: &ProcessStatus, in_force: &[u32]) -> String {
    let mark = |id: &u32| {
        let read = process.evidence.iter().find(|mark| mark.change == *id)?;
        Some(format!("{id} after {}", short(Span::from_nanos(read.latency_ns))))
    };
    let mut said: Vec<String> = in_force.iter().filter_map(mark).collect();
    said.extend(process.unread.iter().map(|id| format!("{id} not read")));
    if said.is_empty() { "-".to_owned() } else { said.join(", ") }
}

fn escaped(status: &Status) -> String {
    if status.not_reached.is_empty() {
        return String::new();
    }
    let mut text = format!("  not reached, and reading true time: {}\n", status.not_reached.len());
    for Escaped { pid, command, why } in &status.not_reached {
        text.push_str(&format!("    {pid} {}: {why}\n", cut(command, 30)));
    }
    text
}
