//! How a freeze is told: in a line, and as an object.

use falseticker::freeze::{FreezeReport, Thawed};
use falseticker::node::NodeName;
use falseticker::process::{ProcessId, cmdline};
use falseticker::units::format_span;
use falseticker::{HostInstant, Span};
use serde_json::{Value, json};

use super::super::table::{count, short};

/// "node a: 3 processes frozen within 1.2ms, for 5s".
pub fn line(node: &NodeName, report: &FreezeReport, lasts: Option<Span>) -> String {
    let stopped = count(report.processes.len(), "process", "processes");
    let within = short(report.last_confirmed.saturating_since(report.first_stop));
    let until = match lasts {
        Some(lasts) => format!(", for {}", format_span(lasts)),
        None => format!("; to go on: falseticker thaw {}", node),
    };
    let mut line = format!("node {}: {stopped} frozen within {within}{until}", node);
    if !report.found_stopped.is_empty() {
        let pids: Vec<String> = report.found_stopped.iter().map(ProcessId::to_string).collect();
        line.push_str(&format!("\n  stopped before by somebody else, and left so: {}", pids.join(" ")));
    }
    line
}

/// A freeze as an object.
pub fn to_json(node: &NodeName, report: &FreezeReport, until: Option<HostInstant>) -> Value {
    let command = |id: ProcessId| cmdline(id).map(|words| words.join(" ")).unwrap_or_default();
    let processes = report.processes.iter().map(|process| {
        json!({
            "pid": process.id.pid,
            "command": command(process.id),
            "stop_sent_ns": process.stop_sent.as_nanos(),
            "confirmed_ns": process.confirmed.as_nanos(),
        })
    });
    let found = report.found_stopped.iter().map(|id| json!({ "pid": id.pid, "command": command(*id) }));
    json!({
        "node": node,
        "processes": processes.collect::<Vec<_>>(),
        "found_stopped": found.collect::<Vec<_>>(),
        "first_stop_ns": report.first_stop.as_nanos(),
        "last_confirmed_ns": report.last_confirmed.as_nanos(),
        "until_ns": until.map(HostInstant::as_nanos),
        "thawed": null,
    })
}

/// Its end as an object.
pub fn thawed_json(how: &str, thawed: &Thawed) -> Value {
    json!({
        "ended": how,
        "first_resumed_ns": thawed.first_resumed.as_nanos(),
        "confirmed_ns": thawed.confirmed.as_nanos(),
    })
}

#[cfg(test)]
mod tests {
    use falseticker::freeze::{Ended, FrozenProcess};

    use super::*;

    fn report(found_stopped: Vec<ProcessId>) -> FreezeReport {
        let at = HostInstant::from_nanos;
        // Pids that nobody has.
        let process = |pid, sent, confirmed| FrozenProcess {
            id: ProcessId { pid, start_ticks: 0 },
            stop_sent: at(sent),
            confirmed: at(confirmed),
        };
        FreezeReport {
            processes: vec![process(i32::MAX, 1_000, 4_000), process(i32::MAX - 1, 2_000, 6_000)],
            found_stopped,
            first_stop: at(1_000),
            last_confirmed: at(6_000),
        }
    }

    #[test]
    fn a_freeze_is_an_object_of_these_fields() {
        let name: NodeName = "a".parse().unwrap();
        let until = Some(HostInstant::from_nanos(9_000));
        let expected = json!({
            "node": "a",
            "processes": [
                { "pid": i32::MAX, "command": "", "stop_sent_ns": 1_000, "confirmed_ns": 4_000 },
                { "pid": i32::MAX - 1, "command": "", "stop_sent_ns": 2_000, "confirmed_ns": 6_000 },
            ],
            "found_stopped": [],
            "first_stop_ns": 1_000, "last_confirmed_ns": 6_000, "until_ns": 9_000,
            "thawed": null,
        });
        assert_eq!(to_json(&name, &report(Vec::new()), until), expected);
        let thawed = Thawed {
            ended: Ended::ByRequest,
            first_resumed: HostInstant::from_nanos(7_000),
            confirmed: HostInstant::from_nanos(8_000),
        };
        let expected = json!({ "ended": "by-request", "first_resumed_ns": 7_000, "confirmed_ns": 8_000 });
        assert_eq!(thawed_json("by-request", &thawed), expected);
    }

    #[test]
    fn who_had_been_stopped_before_is_told() {
        let name: NodeName = "a".parse().unwrap();
        let text = line(&name, &report(Vec::new()), None);
        assert_eq!(text, "node a: 2 processes frozen within 5us; to go on: falseticker thaw a");
        let text =
            line(&name, &report(vec![ProcessId { pid: 12, start_ticks: 0 }]), Some(Span::from_secs(5)));
        assert!(text.starts_with("node a: 2 processes frozen within 5us, for 5s\n"), "{text}");
        assert!(text.ends_with("left so: 12"), "{text}");
    }
}
