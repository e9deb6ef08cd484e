//! A history that is made, and not played: as many lines as are wanted, with all that a report shows.

use falseticker::history::{
    Check, Event, FORMAT, Header, HeldProcess, Line, Node, Operation, Phase, Seen, VERSION, Verdict,
};
use falseticker::scenario::action::{Action, Drift, Freeze, Jump};
use falseticker::{Rate, Span};
use serde_json::{Map, json};

use crate::harness::{MILLISECOND, SECOND};

pub const NODES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];

/// A history as text, and how many faults it has.
pub struct Made {
    text: String,
    pub lines: usize,
    pub faults: u32,
    changes: [u32; 5],
}

/// Every second a fault; a hundred operations a second and node, ten samples; until there are so many lines.
pub fn history(lines: usize) -> Made {
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        tool: "test".to_owned(),
        scenario: "made".to_owned(),
        seed: 7,
        started: "2026-11-27T00:00:00Z".to_owned(),
        duration_ns: 0,
        recovery_ns: 0,
        clocks: vec!["mono".to_owned(), "wall".to_owned()],
        nodes: NODES
            .map(|name| Node { name: name.to_owned(), command: vec![name.to_owned()], monotonic: false })
            .into(),
    };
    let text = serde_json::to_string(&header).expect("it can be written") + "\n";
    let mut made = Made { text, lines: 1, faults: 0, changes: [0; 5] };
    made.add(0, Event::Start { heal: i64::MAX, end: i64::MAX });
    let mut second = 0;
    while made.lines + 20 < lines {
        made.second(second);
        second += 1;
    }
    made.end(second * SECOND);
    made
}

impl Made {
    pub fn text(&self) -> &str {
        &self.text
    }

    fn add(&mut self, at_ns: i64, event: Event) {
        let line = Line { at_ns, wall_ns: at_ns, event };
        self.text.push_str(&serde_json::to_string(&line).expect("it can be written"));
        self.text.push('\n');
        self.lines += 1;
    }

    fn second(&mut self, second: i64) {
        let begin = second * SECOND;
        let index = usize::try_from(second).expect("it fits") % NODES.len();
        self.fault(begin + 100 * MILLISECOND, index);
        for tenth in 0..10_i64 {
            let at = begin + tenth * 100 * MILLISECOND;
            for (node, name) in NODES.iter().enumerate() {
                let wall = if node == index && (2..6).contains(&tenth) {
                    5 * MILLISECOND * (second % 7 + 1)
                } else {
                    0
                };
                let node = (*name).to_owned();
                self.add(at, Event::Sample { node, wall, mono: 0, boot: 0, wall_ppm: 0.0 });
            }
            for step in 0..10_i64 {
                for name in NODES {
                    self.operation(at + step * 10 * MILLISECOND, name, second * 100 + tenth * 10 + step);
                }
            }
        }
    }

    fn fault(&mut self, at: i64, index: usize) {
        self.faults += 1;
        let (id, node) = (self.faults, NODES[index].to_owned());
        let lasts = Span::from_millis(400);
        let kind = id % 3;
        let fault = match kind {
            0 => Action::Freeze(Freeze::default()),
            1 => Action::Jump(Jump { by: Span::from_millis(5), lasts: Some(lasts), ..Jump::default() }),
            _ => Action::Drift(Drift {
                rate: Rate::from_ppm(200.0).expect("a rate"),
                lasts: Some(lasts),
                ..Drift::default()
            }),
        };
        let what = fault.describe();
        let (due, to) = (Some(at), Some(node.clone()));
        let planned =
            Event::Planned { id, entry: 0, node: to, fault, due, after: None, change: None, optional: false };
        self.add(at, planned);
        let until = at + lasts.as_nanos();
        if kind == 0 {
            let held = HeldProcess { pid: 7, tid: None, stop_sent_ns: at, confirmed_ns: at + MILLISECOND };
            self.add(
                at,
                Event::Frozen {
                    id,
                    node: node.clone(),
                    means: "signal".to_owned(),
                    late_by: Some(MILLISECOND),
                    first_stop: at,
                    confirmed: at + MILLISECOND,
                    processes: vec![held],
                },
            );
            let ended = "as-planned".to_owned();
            self.add(until, Event::Resumed { id, node, first_resumed: until, confirmed: until, ended });
            return;
        }
        self.changes[index] += 2;
        let change = self.changes[index];
        let applied = |id, what: String, change, until| Event::Applied {
            id,
            node: node.clone(),
            change,
            what,
            clocks: vec!["wall".to_owned()],
            until,
            late_by: 0,
        };
        self.add(at, applied(Some(id), what, change, Some(until)));
        let latency = i64::from(id) * 1_000 + 500;
        self.add(at + latency, Event::Evidence { id: Some(id), node: node.clone(), change, pid: 7, latency });
        self.add(until, applied(None, format!("end of {change}"), change + 1, None));
    }

    fn operation(&mut self, at: i64, node: &str, value: i64) {
        let operation = Operation {
            op: "write".to_owned(),
            phase: Phase::Ok,
            process: Some(json!(node)),
            value: Some(json!(value)),
            fields: Map::new(),
            from_ns: at,
            until_ns: at + MILLISECOND,
            by: "mono".to_owned(),
        };
        self.add(at + MILLISECOND, Event::Op { node: node.to_owned(), operation });
    }

    /// Two operations of the middle break something.
    fn end(&mut self, at: i64) {
        let ops = self.text.lines().enumerate().filter(|(_, line)| line.contains(r#""event":"op""#));
        let seen = ops.skip(self.lines / 2).take(2).map(|(index, line)| {
            let line: Line = serde_json::from_str(line).expect("it was written here");
            Seen {
                from_ns: line.at_ns - MILLISECOND,
                until_ns: line.at_ns,
                line: index + 1,
                what: "a write".to_owned(),
            }
        });
        let witness: Vec<Seen> = seen.collect();
        assert_eq!(witness.len(), 2);
        let why = vec!["two writes are at odds".to_owned()];
        let check = "lost-update".to_owned();
        self.add(at, Event::Verdict(Check { check, verdict: Verdict::Violated, why, witness }));
        let check = "arrived".to_owned();
        self.add(at, Event::Verdict(Check { check, verdict: Verdict::Holds, ..Check::default() }));
        self.add(at, Event::End { reason: "complete".to_owned(), why: None });
    }
}
