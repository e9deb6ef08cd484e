//! A line of a history for people.

use super::event::{Check, Event, Line, Seen};
use super::operation::Operation;
use crate::Span;
use crate::units::format_span;

/// "a: frozen by signal, 3 processes, 0.2ms late". Empty for what only programs read.
pub fn describe(line: &Line) -> String {
    let span = |nanos: i64| format_span(near(Span::from_nanos(nanos)));
    let late = |late: &Option<i64>| late.map_or(String::new(), |late| format!(", {} late", span(late)));
    match &line.event {
        Event::Planned { id, node, fault, .. } => {
            let node = node.as_ref().map_or(String::new(), |node| format!("{node}: "));
            format!("{node}planned {id}: {}", fault.describe())
        }
        Event::Start { heal, .. } => {
            format!("start; the heal is {} later", span(heal.saturating_sub(line.at_ns)))
        }
        Event::Fired { id, kind, on } => format!("{id} has come: {kind} {on}"),
        Event::Applied { node, what, change, late_by, .. } => {
            let late = if *late_by == 0 { String::new() } else { format!(", late by {}", span(*late_by)) };
            format!("{node}: {what} (change {change}){late}")
        }
        Event::Evidence { node, change, pid, latency, .. } => {
            format!("{node}: process {pid} has read its clock, {} after change {change}", span(*latency))
        }
        Event::Frozen { node, means, late_by, processes, .. } => {
            format!("{node}: frozen by {means}, {} held{}", processes.len(), late(late_by))
        }
        Event::Resumed { node, ended, .. } => format!("{node}: runs again, {ended}"),
        Event::Held { node, pid, tid, until, .. } => {
            let left = span(until.saturating_sub(line.at_ns));
            format!("{node}: thread {tid} of process {pid} is held at a read, for {left}")
        }
        Event::Killed { node, pids, late_by, .. } => {
            format!("{node}: {} killed{}", pids.len(), late(late_by))
        }
        Event::Command { command, undo, code, late_by, .. } => {
            let what = if *undo { "undo" } else { "run" };
            format!("{what} {command}: exit code {code}{}", late(late_by))
        }
        Event::Failed { id, node, why } => {
            let node = node.as_ref().map_or(String::new(), |node| format!("{node}: "));
            format!("{node}{id} could not be put in force: {why}")
        }
        Event::Started { node, pid } => format!("{node}: started as process {pid}"),
        Event::Ready { node, after } => format!("{node}: ready after {}", span(*after)),
        Event::Exited { node, pid, code, signal, expected } => {
            let how = match (code, signal) {
                (_, Some(signal)) => format!("was killed by signal {signal}"),
                (code, None) => format!("has ended with exit code {}", code.unwrap_or(-1)),
            };
            let expected = if *expected { "" } else { ", unexpectedly" };
            format!("{node}: process {pid} {how}{expected}")
        }
        Event::Output { node, stream, line } => format!("{node} {stream}| {line}"),
        Event::Sample { node, wall, mono, .. } => {
            format!("{node}: wall off by {}, mono by {}", span(*wall), span(*mono))
        }
        Event::Op { node, operation } => format!("{node}: {}", operation_in_words(operation)),
        Event::Verdict(check) => verdict(check, None),
        Event::End { reason, why } => {
            let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            format!("end, {reason}{why}")
        }
    }
}

/// "lost-update: violated", why, and the operations that show it: at their instants, from the start if there is one.
pub fn verdict(check: &Check, start_ns: Option<i64>) -> String {
    let mut text = format!("{}: {}", check.check, check.verdict.word());
    check.why.iter().for_each(|why| text.push_str(&format!("\n  {why}")));
    let first = check.witness.first().map_or(0, |seen| seen.from_ns);
    let start = start_ns.unwrap_or(first);
    for Seen { from_ns, until_ns, line, what } in &check.witness {
        let at = |nanos: i64| format_span(near(Span::from_nanos(nanos.saturating_sub(start))));
        let (from, until) = (at(*from_ns), at(*until_ns));
        let when = if from == until { from } else { format!("{from} to {until}") };
        text.push_str(&format!("\n  {when:>24}  {what}  (line {line})"));
    }
    text
}

fn operation_in_words(operation: &Operation) -> String {
    let who = operation.process.as_ref().map_or(String::new(), |who| format!("{who} "));
    let value = operation.value.as_ref().map_or(String::new(), |value| format!(" {value}"));
    let width = Span::from_nanos(operation.until_ns.saturating_sub(operation.from_ns));
    let phase = format!("{:?}", operation.phase).to_lowercase();
    format!("{who}{phase} {}{value}, known to {}", operation.op, format_span(near(width)))
}

/// To as many digits as anybody reads.
fn near(span: Span) -> Span {
    let unit = match span.unsigned_nanos() {
        0..100_000 => 1,
        100_000..100_000_000 => 1_000,
        _ => 1_000_000,
    };
    Span::from_nanos(span.as_nanos() / unit * unit)
}
