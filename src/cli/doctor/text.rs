//! What was found, in 80 columns.

use falseticker::doctor::{Finding, ProcessReport, ProgramReport, State};
use falseticker::reach::means::Gap;

use crate::cli::table::{cut, folded};

const WIDTH: usize = 80;
/// Where what was found begins: behind the state and the name.
const INDENT: usize = 26;

/// All that was found of the machine.
pub fn machine(machine: &[Finding]) -> String {
    findings("this machine", machine.iter())
}

/// What of it is missing.
pub fn missing(machine: &[Finding]) -> String {
    findings("this machine", machine.iter().filter(|finding| finding.state == State::Missing))
}

fn findings<'a>(title: &str, all: impl Iterator<Item = &'a Finding>) -> String {
    let text: String = all.map(finding).collect();
    if text.is_empty() { text } else { format!("{title}\n{text}") }
}

fn finding(finding: &Finding) -> String {
    let state = match finding.state {
        State::Good => "good",
        State::Limited => "limited",
        State::Missing => "missing",
    };
    let head = format!("  {state:<8} {:<15}", finding.check);
    let mut text = head + folded(&finding.found, INDENT, INDENT, WIDTH).trim_start();
    if let Some(consequence) = &finding.consequence {
        text.push_str(&folded(consequence, INDENT, INDENT, WIDTH));
    }
    if let Some(remedy) = &finding.remedy {
        text.push_str(&folded(&format!("help: {remedy}"), INDENT, INDENT + 2, WIDTH));
    }
    text
}

/// How a program will be reached.
pub fn program(report: &ProgramReport) -> String {
    let kind = match (&report.kind, &report.sanitizer) {
        (Some(kind), Some(sanitizer)) => format!(": {kind}, {sanitizer}"),
        (Some(kind), None) => format!(": {kind}"),
        (None, _) => String::new(),
    };
    let mut text = format!("{}{kind}\n", cut(&report.command, 50));
    if !report.interpreters.is_empty() {
        let way: Vec<String> = report.interpreters.iter().map(|path| path.display().to_string()).collect();
        text.push_str(&folded(&format!("run by {}", way.join(", then ")), 2, 4, WIDTH));
    }
    let how = match report.reach {
        Some(means) if report.arrives => format!("reached by {means}: {}", report.why),
        Some(means) => format!(
            "not reached: {means} it would be, and {} is in the way: {}",
            report.stopped_by.join(", "),
            report.why
        ),
        None => format!("not reached: {}", report.why),
    };
    text.push_str(&folded(&how, 2, 4, WIDTH));
    text.push_str(&rest(&report.not_covered, &report.remedies));
    text
}

/// How a process is reached, or could be.
pub fn process(report: &ProcessReport) -> String {
    let kind = report.kind.as_ref().map_or(String::new(), |kind| format!(": {kind}"));
    let mut text = format!("process {} ({}){kind}\n", report.pid, cut(&report.command, 40));
    let node = report.node.as_ref().map(|node| format!("node {node}"));
    let how = match (report.reach, report.could_be) {
        (Some(means), _) => {
            let wrong = match report.stopped_by.as_slice() {
                [] => String::new(),
                stopped => {
                    format!("; but it sees no fault rightly, since {} is in the way", stopped.join(", "))
                }
            };
            format!("reached by {means}, in {}{wrong}", node.unwrap_or_default())
        }
        (None, Some(means)) => {
            let node = node.map_or("in no node".to_owned(), |node| format!("it belongs to {node}"));
            let can = match report.stopped_by.as_slice() {
                [] => format!("{means} can reach it"),
                stopped => format!("{means} cannot reach it, since {} is in the way", stopped.join(", ")),
            };
            let why = report.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            format!("not reached, {node}{why}; {can}")
        }
        (None, None) => format!("not reached: {}", report.why.as_deref().unwrap_or("nobody knows why")),
    };
    text.push_str(&folded(&how, 2, 4, WIDTH));
    if let Some(waits) = report.waits {
        text.push_str(&format!("  its waits: {waits}\n"));
    }
    text.push_str(&rest(&report.not_covered, &report.remedies));
    text.push_str(&findings("of its own", report.findings.iter()));
    text
}

fn rest(gaps: &[Gap], remedies: &[String]) -> String {
    let mut text = String::new();
    if !gaps.is_empty() {
        text.push_str("  not covered\n");
    }
    for gap in gaps {
        text.push_str(&folded(&gap.to_string(), 4, 6, WIDTH));
    }
    for remedy in remedies {
        text.push_str(&folded(&format!("help: {remedy}"), 2, 4, WIDTH));
    }
    text
}

#[cfg(test)]
mod tests;
