//! What all clock faults have in common: to whom, for how long, on which clocks, and whether it has arrived.

use std::fmt::Write as _;

use falseticker::fault::{Clocks, Fault};
use falseticker::node::{Answer, Applied, Asked, NodeName};
use falseticker::{HostInstant, Node, Result, Span, host_clock};
use serde_json::{Value, json};

use super::output::{Output, Reply};
use super::table::{cut, near, short};
use super::{exit, trigger, values};

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

    #[command(flatten)]
    pub trigger: trigger::Options,
}

/// Puts a fault in force, says so, and waits if asked to.
pub fn apply(node: &NodeName, fault: impl Into<Fault>, options: &Options, output: &Output) -> Result<Reply> {
    let node = Node::open(node.as_str())?;
    let fault = fault.into();
    node.check_fault(&fault, options.clocks, options.lasts)?;
    let come = options.trigger.wait(&node, output)?;
    let applied = node.fault(fault, options.clocks, options.lasts)?;
    // "In force" is said, and the command returns, when it is.
    host_clock::sleep_until_all_show(applied.at);
    let fired = come.let_go();
    output.say(&line(node.name(), &applied))?;
    let answer = options.wait.map(|limit| node.wait_until_read(&applied, limit)).transpose()?;
    let mut json = to_json(node.name(), Some(&applied), answer.as_ref());
    json["trigger"] = trigger::to_json(fired.as_ref());
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
pub fn line(node: &NodeName, applied: &Applied) -> String {
    let mut line = format!(
        "node {}: {} in force (change {}, {})",
        node,
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

/// What became of a node, as `--json` prints it; with nulls where nothing was to be applied.
pub fn to_json(node: &NodeName, applied: Option<&Applied>, answer: Option<&Answer>) -> Value {
    let evidence: Vec<Value> =
        answer.map(|answer| answer.asked.iter().map(asked_json).collect()).unwrap_or_default();
    json!({
        "node": node,
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
        "state": match asked {
            Asked { latency: Some(_), .. } => "read",
            Asked { unknown: true, .. } => "unknown",
            Asked { frozen: true, .. } => "frozen",
            _ => "not-read",
        },
    })
}

/// A line for each process.
pub fn evidence_lines(answer: &Answer) -> String {
    let mut text = String::new();
    let width = answer.asked.iter().map(|asked| asked.id.to_string().len()).max().unwrap_or(0);
    for asked in &answer.asked {
        let said = match asked {
            Asked { latency: Some(latency), .. } => {
                format!("has read its clock, {} after the change", short(*latency))
            }
            Asked { unknown: true, .. } => "cannot leave marks: unknown".to_owned(),
            Asked { frozen: true, .. } => "is frozen, and has not read its clock".to_owned(),
            _ => "has not read its clock".to_owned(),
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

#[cfg(test)]
mod tests {
    use falseticker::process::ProcessId;

    use super::*;

    fn applied() -> Applied {
        Applied {
            id: 3,
            what: "jump -1h".to_owned(),
            clocks: vec!["wall"],
            at: HostInstant::from_nanos(1_000),
            until: Some(HostInstant::from_nanos(5_000_001_000)),
            late_by: Span::ZERO,
        }
    }

    fn asked(pid: i32, latency: Option<Span>, frozen: bool) -> Asked {
        Asked {
            id: ProcessId { pid, start_ticks: 1 },
            command: format!("program {pid}"),
            latency,
            frozen,
            unknown: false,
        }
    }

    fn name() -> NodeName {
        "a".parse().unwrap()
    }

    #[test]
    fn a_fault_is_an_object_of_these_fields() {
        let answer = Answer {
            asked: vec![
                asked(7, Some(Span::from_nanos(1_200)), false),
                asked(8, None, false),
                asked(9, None, true),
            ],
        };
        let expected = json!({
            "node": "a", "change": 3, "fault": "jump -1h", "clocks": ["wall"],
            "at_ns": 1_000, "until_ns": 5_000_001_000_i64, "late_by_ns": 0,
            "evidence": [
                { "pid": 7, "command": "program 7", "latency_ns": 1_200, "state": "read" },
                { "pid": 8, "command": "program 8", "latency_ns": null, "state": "not-read" },
                { "pid": 9, "command": "program 9", "latency_ns": null, "state": "frozen" },
            ],
        });
        assert_eq!(to_json(&name(), Some(&applied()), Some(&answer)), expected);
        let nothing = to_json(&name(), None, None);
        assert!(nothing["change"].is_null() && nothing["at_ns"].is_null());
        assert_eq!(nothing["evidence"], json!([]));
        let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(fields(&nothing), fields(&expected));
    }

    #[test]
    fn a_fault_is_told_in_a_line_and_lateness_in_another() {
        assert_eq!(line(&name(), &applied()), "node a: jump -1h in force (change 3, wall), for 5s");
        let late =
            Applied { until: None, late_by: Span::from_millis(2), clocks: vec!["wall", "mono"], ..applied() };
        let text = line(&name(), &late);
        assert!(
            text.starts_with("node a: jump -1h in force (change 3, wall mono)\n  late by 2ms: "),
            "{text}"
        );
    }

    #[test]
    fn the_answer_decides_the_exit_code() {
        let of = |asked: Vec<Asked>| {
            let reply = with_answer("", Value::Null, Some(&Answer { asked }));
            (reply.code(), String::from_utf8(reply.text().to_vec()).unwrap())
        };
        let read = || asked(7, Some(Span::from_nanos(1_200_000)), false);
        assert_eq!(
            of(vec![read()]),
            (0, "  7 has read its clock, 1.2ms after the change: program 7\n".to_owned())
        );
        assert_eq!(of(vec![read(), asked(8, None, true)]).0, 0);
        assert_eq!(of(vec![read(), asked(8, None, false)]).0, 1);
        let (code, text) = of(vec![asked(8, None, true)]);
        assert!(code == 1 && text.contains("every process is frozen"), "{text}");
        let (code, text) = of(Vec::new());
        assert!(code == 1 && text.contains("no process is reached"), "{text}");
        assert_eq!(with_answer("", Value::Null, None).code(), 0);
    }
}
