//! A node's status in 80 columns.

use falseticker::freeze::Means as FreezeMeans;
use falseticker::node::status::{ChangeStatus, ClockStatus, Escaped, ProcessStatus};
use falseticker::node::{FrozenStatus, MadeBy, Status};
use falseticker::reach::Means;
use falseticker::reach::means::Part;
use falseticker::units::format_rate;
use falseticker::{Rate, Span};

use crate::cli::table::{columns, count, cut, folded, near, short};

const WIDTH: usize = 80;

/// The text, with a newline at its end.
pub fn of(status: &Status) -> String {
    within(status, WIDTH)
}

/// The same for so many columns; what cannot be folded or cut is as wide as it is.
pub fn within(status: &Status, width: usize) -> String {
    let mut text = header(status);
    text.push_str(&trap(status));
    text.push_str(&clocks(status));
    text.push_str(&changes(status));
    text.push_str(&processes(status, width));
    text.push_str(&others_refused(status));
    text.push_str(&escaped(status, width));
    text
}

/// How long it is from one instant to another, for people.
pub fn between(from: i64, to: i64) -> String {
    short(Span::from_nanos(to.saturating_sub(from)))
}

/// "2 processes", "3 threads of a process", "2 processes by 3 pauses".
fn held(frozen: &FrozenStatus) -> String {
    let processes = count(frozen.pids.len(), "process", "processes");
    match frozen.pauses.as_slice() {
        [only] if only.how == FreezeMeans::Thread => {
            format!("{} of {processes}", count(only.held.len(), "thread", "threads"))
        }
        [only] if only.how == FreezeMeans::Cgroup => format!("{processes} (by cgroup)"),
        [] | [_] => processes,
        several => format!("{processes} (by {} pauses)", several.len()),
    }
}

/// Why means were chosen, and the last pause.
fn pauses(status: &Status) -> String {
    let mut text = String::new();
    for why in status.frozen.iter().flat_map(|frozen| &frozen.pauses).filter_map(|pause| pause.why.as_ref()) {
        text.push_str(&format!("  frozen by {why}\n"));
    }
    let length = |nanos: i64| short(Span::from_nanos(nanos));
    if let Some(last) = &status.last_pause
        && let (Some(actual), Some(end)) = (last.actual_ns, last.last_resume_ns)
    {
        let asked =
            last.requested_ns.map_or(String::new(), |asked| format!(" ({} asked for)", length(asked)));
        text.push_str(&format!(
            "  last pause: {}{asked}, {}, until {} ago\n",
            length(actual),
            last.how,
            between(end, status.now_ns)
        ));
    }
    text
}

fn header(status: &Status) -> String {
    let mut said = vec![match status.made_by {
        MadeBy::Run => "made by run".to_owned(),
        MadeBy::Create => "made by create".to_owned(),
        MadeBy::Library => "made by a program".to_owned(),
    }];
    said.extend(status.monotonic.then(|| "monotonic".to_owned()));
    said.extend(status.share.then(|| "shared".to_owned()));
    said.extend(status.allow_settime.then(|| "may set the machine's clock".to_owned()));
    for (is, names) in [("only", &status.only), ("all but", &status.skip)] {
        said.extend((!names.is_empty()).then(|| format!("{is} {}", cut(&names.join(", "), 40))));
    }
    if let Some(pause) = &status.frozen {
        let mut frozen = format!("frozen, {}", held(pause));
        if let Some(since) = pause.since_ns {
            frozen.push_str(&format!(", since {}", between(since, status.now_ns)));
        }
        if let Some(until) = pause.until_ns {
            frozen.push_str(&format!(", for another {}", between(status.now_ns, until)));
        }
        said.push(frozen);
    }
    let mut text = format!("node {}: {}\n", status.name, said.join("; "));
    text.push_str(&pauses(status));
    if let Some(step) = status.host_step_ns {
        let step = short(Span::from_nanos(step));
        text.push_str(&format!(
            "  the host was stepped by {step}; the wall clock follows at the next change\n"
        ));
    }
    text
}

/// "trap: read of wall, every 3rd, 1 of 2 so far, thread for 5s, by process 12", and who is held.
fn trap(status: &Status) -> String {
    let Some(trap) = &status.trap else { return String::new() };
    let mut text = String::new();
    if let Some(armed) = &trap.armed {
        let which = match (armed.nth, armed.probability) {
            (Some(nth), _) => format!("number {nth}"),
            (_, Some(probability)) => format!("with probability {probability}"),
            _ => String::new(),
        };
        let by = armed.by.map_or(String::new(), |pid| format!(", by process {pid}"));
        let (on, fired, count, length) =
            (&armed.on, armed.fired, armed.count, short(Span::from_nanos(armed.for_ns)));
        text.push_str(&format!(
            "  trap: {on}, {which}, {fired} of {count} so far, {} for {length}{by}\n",
            armed.hold
        ));
    }
    for held in &trap.held {
        let since = between(held.since_ns, status.now_ns);
        let left = between(status.now_ns, held.until_ns);
        text.push_str(&format!(
            "  held after a read: process {}, thread {}, since {since}, for another {left} at most\n",
            held.pid, held.tid
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

/// How far a clock is from true.
pub fn offset(nanos: i64) -> String {
    let sign = if nanos > 0 { "+" } else { "" };
    format!("{sign}{}", near(Span::from_nanos(nanos)))
}

/// A rate as it is written on the command line.
pub fn rate(ppm: f64) -> String {
    Rate::from_ppm(ppm).map_or_else(|| format!("{ppm}ppm"), format_rate)
}

/// A printed instant or span without what is finer than milliseconds.
fn to_millis(shown: &str) -> String {
    let Some((whole, rest)) = shown.split_once('.') else { return shown.to_owned() };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, unit) = rest.split_at(digits);
    format!("{whole}.{}{unit}", fraction.get(..3).unwrap_or(fraction))
}

/// Whether it belongs to the change that it ends, which says when that is.
pub fn is_end(change: &ChangeStatus) -> bool {
    change.fault.starts_with("end of ")
}

fn changes(status: &Status) -> String {
    let (over, live): (Vec<&ChangeStatus>, Vec<&ChangeStatus>) = status
        .changes
        .iter()
        .filter(|change| !is_end(change))
        .partition(|change| matches!(change.state, "ended" | "healed"));
    let row = |change: &&ChangeStatus| {
        let mut when = match change.state {
            "planned" => format!("in {}", between(status.now_ns, change.at_ns)),
            _ => format!("since {}", between(change.at_ns, status.now_ns)),
        };
        if let Some(until) = change.until_ns {
            when.push_str(&format!(", for another {}", between(status.now_ns.max(change.at_ns), until)));
        }
        if change.late_by_ns != 0 {
            when.push_str(&format!(", late by {}", short(Span::from_nanos(change.late_by_ns))));
        }
        vec![change.id.to_string(), change.fault.clone(), change.clocks.join(" "), when]
    };
    let mut rows = vec![["change", "fault", "clocks", "in force"].map(str::to_owned).to_vec()];
    rows.extend(live.iter().map(row));
    let mut text = if live.is_empty() { String::new() } else { columns(2, &rows) };
    if let Some((last, earlier)) = over.split_last() {
        let more =
            if earlier.is_empty() { String::new() } else { format!(", and {} earlier", earlier.len()) };
        text.push_str(&format!("  over: {} {} ({}){more}\n", last.id, last.fault, last.state));
    }
    text
}

fn processes(status: &Status, width: usize) -> String {
    if status.processes.is_empty() {
        return "  no process is reached\n".to_owned();
    }
    let in_force: Vec<u32> =
        status.changes.iter().filter(|change| change.state == "in force").map(|change| change.id).collect();
    let mut rows = vec![["pid", "reach", "state", "evidence", "command"].map(str::to_owned).to_vec()];
    for process in &status.processes {
        rows.push(vec![
            process.pid.to_string(),
            process.reach.to_string(),
            process.state.to_owned(),
            evidence(process, &in_force),
            process.command.clone(),
        ]);
    }
    // The command has what the other columns leave.
    let taken: usize = (0..4)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
                + 2
        })
        .sum();
    for row in &mut rows {
        if let Some(command) = row.last_mut() {
            *command = cut(command, width.saturating_sub(taken + 2).max(16));
        }
    }
    let mut text = columns(2, &rows);
    for choice in status.choices.iter().filter(|choice| choice.reach != Means::Preload) {
        text.push_str(&folded(&format!("{}: by {}: {}", choice.pid, choice.reach, choice.why), 2, 4, width));
    }
    for process in &status.processes {
        // Of those that `run` started it is said above.
        let is_chosen = status.choices.iter().any(|choice| choice.pid == process.pid);
        if process.reach == Means::Vdso && !is_chosen {
            let (pid, means, why) = (process.pid, process.reach, &process.reach_why);
            text.push_str(&folded(&format!("{pid}: by {means}: {why}"), 2, 4, width));
        }
        if !["in place", "replaced"].contains(&process.detour.as_str()) {
            text.push_str(&format!("  {}: symbols alone are taken over: {}\n", process.pid, process.detour));
        }
        if process.overflow > 0 {
            text.push_str(&format!("  {}: {} older marks were overwritten\n", process.pid, process.overflow));
        }
        text.push_str(&refused(&process.pid.to_string(), process.refused_settings));
        if let Some(errno) = &process.waits_refused {
            text.push_str(&format!(
                "  {}: waits: in slices of 10 ms, clone refused ({errno})\n",
                process.pid
            ));
        }
    }
    text.push_str(&not_covered(&status.processes, width));
    text
}

/// What the means do not cover, once for all processes of which it is the same.
fn not_covered(processes: &[ProcessStatus], width: usize) -> String {
    let mut groups: Vec<(Means, Vec<Part>, Vec<String>)> = Vec::new();
    for process in processes {
        let gaps = process.not_covered.iter().filter(|gap| gap.is_notable());
        // That symbols alone are taken over has a line of its own.
        let parts: Vec<Part> = gaps.map(|gap| gap.part).filter(|part| *part != Part::VdsoReads).collect();
        let pid = process.pid.to_string();
        match groups.iter_mut().find(|(means, same, _)| *means == process.reach && *same == parts) {
            Some((_, _, pids)) => pids.push(pid),
            None => groups.push((process.reach, parts, vec![pid])),
        }
    }
    let several = groups.len() > 1;
    let mut text = String::new();
    for (means, parts, pids) in groups.iter().filter(|(_, parts, _)| !parts.is_empty()) {
        let whose = if several { format!(" of {}", pids.join(", ")) } else { String::new() };
        let parts: Vec<&str> = parts.iter().map(|part| part.describe()).collect();
        let line = format!("not covered by {means}{whose}: {}", parts.join("; "));
        text.push_str(&folded(&line, 2, 4, width));
    }
    text
}

/// That somebody's calls which set the clock were refused.
fn refused(whose: &str, calls: u64) -> String {
    if calls == 0 {
        return String::new();
    }
    let calls = count(usize::try_from(calls).unwrap_or(usize::MAX), "call", "calls");
    format!("  {whose}: refused {calls} to set the clock (--allow-settime passes them on)\n")
}

/// The same of processes that have ended, or cannot say it themselves.
fn others_refused(status: &Status) -> String {
    let told: u64 = status.processes.iter().map(|process| process.refused_settings).sum();
    refused("others", status.refused_settings.saturating_sub(told))
}

/// "4 not read, 3 after 1.2ms": of the changes in force, the newest first.
fn evidence(process: &ProcessStatus, in_force: &[u32]) -> String {
    const NAMED: usize = 2;
    let mut said: Vec<(u32, String)> =
        process.unread.iter().map(|id| (*id, format!("{id} not read"))).collect();
    let marks = process.evidence.iter().filter(|mark| in_force.contains(&mark.change));
    said.extend(marks.map(|mark| {
        (mark.change, format!("{} after {}", mark.change, short(Span::from_nanos(mark.latency_ns))))
    }));
    said.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    let more = said.len().saturating_sub(NAMED);
    let mut text: Vec<String> = said.into_iter().take(NAMED).map(|(_, text)| text).collect();
    text.extend((more > 0).then(|| format!("+{more}")));
    match text.is_empty() {
        true if process.unknown => "unknown".to_owned(),
        true => "-".to_owned(),
        false => text.join(", "),
    }
}

fn escaped(status: &Status, width: usize) -> String {
    let (chosen, left_out): (Vec<&Escaped>, Vec<&Escaped>) =
        status.not_reached.iter().partition(|process| process.chosen);
    let mut text = String::new();
    if !chosen.is_empty() {
        text.push_str(&format!("  not reached, and reading true time: {}\n", chosen.len()));
    }
    for Escaped { pid, command, why, .. } in chosen {
        text.push_str(&folded(&format!("{pid} {}: {why}", cut(command, 30)), 4, 6, width));
    }
    if !left_out.is_empty() {
        text.push_str(&format!("  left out, and reading true time: {}\n", left_out.len()));
    }
    for Escaped { pid, command, .. } in left_out {
        text.push_str(&format!("    {pid} {}\n", cut(command, 60)));
    }
    text
}

#[cfg(test)]
pub mod tests;
