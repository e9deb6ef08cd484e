//! How a freeze is told: in a line, and as an object.

use falseticker::freeze::{FreezeReport, Means, Thawed};
use falseticker::node::NodeName;
use falseticker::process::{ProcessId, cmdline};
use falseticker::units::format_span;
use falseticker::{HostInstant, Span};
use serde_json::{Value, json};

use super::super::table::{count, short};

/// "node a: 3 processes frozen within 1.2ms, for 5s".
pub fn line(node: &NodeName, report: &FreezeReport, lasts: Option<Span>) -> String {
    let stopped = match report.means {
        Means::Thread => count(report.processes.len(), "thread", "threads"),
        Means::Signal | Means::Cgroup => count(report.processes.len(), "process", "processes"),
    };
    let within = short(report.last_confirmed.saturating_since(report.first_stop));
    let until = match lasts {
        Some(lasts) => format!(", for {}", format_span(lasts)),
        None => format!("; to go on: falseticker thaw {}", node),
    };
    let mut line = format!("node {}: {stopped} frozen within {within}{until}", node);
    if let Some(why) = &report.why {
        line.push_str(&format!("\n  by {why}"));
    }
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
            "tid": process.tid,
            "command": command(process.id),
            "stop_sent_ns": process.stop_sent.as_nanos(),
            "confirmed_ns": process.confirmed.as_nanos(),
            "resumed_ns": process.resumed.map(HostInstant::as_nanos),
        })
    });
    let requested = until.map(|until| until.saturating_since(report.last_confirmed).as_nanos());
    let found = report.found_stopped.iter().map(|id| json!({ "pid": id.pid, "command": command(*id) }));
    json!({
        "node": node,
        "how": report.means,
        "why": report.why,
        "processes": processes.collect::<Vec<_>>(),
        "found_stopped": found.collect::<Vec<_>>(),
        "first_stop_ns": report.first_stop.as_nanos(),
        "last_confirmed_ns": report.last_confirmed.as_nanos(),
        "until_ns": until.map(HostInstant::as_nanos),
        "requested_ns": requested,
        "thawed": null,
    })
}

/// Adds the end to a freeze's object; `since` is when the last had stopped.
pub fn add_end(json: &mut Value, how: &str, since: HostInstant, thawed: &Thawed) {
    for (process, ended) in json["processes"].as_array_mut().into_iter().flatten().zip(&thawed.processes) {
        process["resumed_ns"] = json!(ended.resumed.map(HostInstant::as_nanos));
    }
    json["thawed"] = thawed_json(how, since, thawed);
}

/// Its end as an object.
fn thawed_json(how: &str, since: HostInstant, thawed: &Thawed) -> Value {
    json!({
        "ended": how,
        "actual_ns": thawed.first_resumed.saturating_since(since).as_nanos(),
        "first_resumed_ns": thawed.first_resumed.as_nanos(),
        "last_resumed_ns": thawed.last_resumed.as_nanos(),
        "confirmed_ns": thawed.confirmed.as_nanos(),
    })
}

#[cfg(test)]
mod tests {
    use falseticker::freeze::{Ended, FrozenProcess};

    use super::*;

    fn at(nanos: i64) -> HostInstant {
        HostInstant::from_nanos(nanos)
    }

    fn report(found_stopped: Vec<ProcessId>) -> FreezeReport {
        // Pids that nobody has.
        let process = |pid, sent, confirmed| FrozenProcess {
            id: ProcessId { pid, start_ticks: 0 },
            tid: None,
            resumed: None,
            stop_sent: at(sent),
            confirmed: at(confirmed),
        };
        FreezeReport {
            means: Means::Signal,
            why: None,
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
            "node": "a", "how": "signal", "why": null,
            "processes": [
                { "pid": i32::MAX, "tid": null, "command": "", "stop_sent_ns": 1_000, "confirmed_ns": 4_000, "resumed_ns": null },
                { "pid": i32::MAX - 1, "tid": null, "command": "", "stop_sent_ns": 2_000, "confirmed_ns": 6_000, "resumed_ns": null },
            ],
            "found_stopped": [],
            "first_stop_ns": 1_000, "last_confirmed_ns": 6_000, "until_ns": 9_000,
            "requested_ns": 3_000, "thawed": null,
        });
        assert_eq!(to_json(&name, &report(Vec::new()), until), expected);
        let ended = report(Vec::new()).processes.into_iter();
        let thawed = Thawed {
            processes: ended.map(|one| FrozenProcess { resumed: Some(at(7_000)), ..one }).collect(),
            ended: Ended::ByRequest,
            first_resumed: at(7_000),
            last_resumed: at(7_500),
            confirmed: at(8_000),
        };
        let mut json = expected;
        add_end(&mut json, "by-request", at(6_000), &thawed);
        let expected = json!({
            "ended": "by-request", "actual_ns": 1_000,
            "first_resumed_ns": 7_000, "last_resumed_ns": 7_500, "confirmed_ns": 8_000,
        });
        assert_eq!(json["thawed"], expected);
        assert_eq!(json["processes"][1]["resumed_ns"], 7_000);
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
