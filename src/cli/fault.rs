//! What all clock faults have in common: to whom, for how long, on which clocks, and whether it has arrived.

use std::fmt::Write as _;

use falseticker::fault::{Clocks, Fault};
use falseticker::node::{Answer, Applied, Asked, NodeName};
use falseticker::{HostInstant, Node, Result, Span};
use serde_json::{Value, json};

use super::output::{Output, Reply};
use super::table::{cut, near, short};
use super::{exit, values};

/// The flags of every clock fault.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Undo it after SPAN; the undoing is planned at once, and takes place even if falseticker dies
    #[arg(long = "for", value_name = "SPAN", allow_hyphen_values = true, value_parser = values::length)]
    pub lasts: Option<Span>,

    /// Which clocks: the wall clock alone, or all (only in a node made with --monotonic)
    #[arg(long = "clock", value_name = "CLOCKS", value_enum, default_value_t)]
    pub clocks: Clocks,

    /// Wait until every reached process that runs has read its clock under the fault, SPAN at most; exit 1 if not
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = values::limit)]
    pub wait: Option<Span>,
}

/// Puts a fault in force, says so, and waits if asked to.
pub fn apply(node: &NodeName, fault: impl Into<Fault>, options: &Options, output: &Output) -> Result<Reply> {
    let node = Node::open(node.as_str())?;
    let applied = node.fault(fault, options.clocks, options.lasts)?;
    output.say(&line(&node, &applied))?;
    let answer = options.wait.map(|limit| node.wait_until_read(&applied, limit)).transpose()?;
    let json = to_json(&node, &applied, answer.as_ref());
    Ok(with_answer("", json, answer.as_ref()))
}

/// A reply that ends with the evidence, and whose exit code says whether there is any.
pub fn with_answer(text: &str, json: Value, answer: Option<&Answer>) -> Reply {
    let mut text = text.to_owned();
    let mut code = exit::DONE;
    if let Some(answer) = answer {
        text.push_str(&evidence_lines(answer));
        code = if answer.is_yes() { exit::DONE } else { exit::NO };
    }
    Reply::done(text, json).with_code(code)
}

/// "node a: jump -1h in force (change 3, wall)".
pub fn line(node: &Node, applied: &Applied) -> String {
    let mut line = format!(
        "node {}: {} in force (change {}, {})",
        node.name(),
        applied.what,
        applied.id,
        applied.clocks.join(" ")
    );
    if let Some(until) = applied.until {
        let _ = write!(line, ", for {}", near(until.saturating_since(applied.at)));
    }
    if applied.late_by != Span::ZERO {
        let _ = write!(
            line,
            "\n  late by {}: a process may have read true time after the fault was to begin",
            short(applied.late_by)
        );
    }
    line
}

/// A change that was applied, as `--json` prints it.
pub fn to_json(node: &Node, applied: &Applied, answer: Option<&Answer>) -> Value {
    let mut json = change_json(Some(applied), answer);
    json["node"] = json!(node.name());
    json
}

/// The same without the node, and with nulls where nothing was to be applied.
pub fn change_json(applied: Option<&Applied>, answer: Option<&Answer>) -> Value {
    let evidence: Vec<Value> =
        answer.map(|answer| answer.asked.iter().map(asked_json).collect()).unwrap_or_default();
    json!({
        "node": null,
        "change": applied.map(|applied| applied.id),
        "fault": applied.map(|applied| &applied.what),
        "clocks": applied.map(|applied| applied.clocks.as_slice()).unwrap_or_default(),
        "at_ns": applied.map(|applied| applied.at.as_nanos()),
        "until_ns": applied.and_then(|applied| applied.until).map(HostInstant::as_nanos),
        "late_by_ns": applied.map_or(0, |applied| applied.late_by.as_nanos()),
        "evidence": evidence,
    })
}

fn asked_json(asked: &Asked) -> Value {
    json!({
        "pid": asked.id.pid,
        "command": asked.command,
        "latency_ns": asked.latency.map(Span::as_nanos),
        "state": match (asked.latency, asked.frozen) {
            (Some(_), _) => "read",
            (None, true) => "frozen",
            (None, false) => "not-read",
        },
    })
}

/// A line for each process.
pub fn evidence_lines(answer: &Answer) -> String {
    let mut text = String::new();
    let width = answer.asked.iter().map(|asked| asked.id.to_string().len()).max().unwrap_or(0);
    for asked in &answer.asked {
        let said = match (asked.latency, asked.frozen) {
            (Some(latency), _) => format!("has read its clock, {} after the change", short(latency)),
            (None, true) => "is frozen, and has not read its clock".to_owned(),
            (None, false) => "has not read its clock".to_owned(),
        };
        let _ = writeln!(text, "  {:>width$} {said}: {}", asked.id, cut(&asked.command, 30));
    }
    if answer.asked.is_empty() {
        text.push_str("  no process is reached, so that nobody could read it\n");
    } else if answer.asked.iter().all(|asked| asked.frozen) {
        text.push_str("  every process is frozen, so that nobody could read it\n");
    }
    text
}
