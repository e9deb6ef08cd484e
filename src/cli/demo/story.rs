//! What happened to alice and bob, out of the lines of a history.
//!
//! What must hold: each step is an event of the history, at its instant; what did not happen is not told.

use std::io::Read;

use falseticker::history::{Event, Line, Operation, Phase, Reader};
use falseticker::units::format_span;
use falseticker::{Result, Span};
use serde::Serialize;

/// Who is paused.
const PAUSED: &str = "alice";

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    at_ns: i64,
    what: String,
}

/// The steps around the pause.
#[derive(Debug, Default)]
pub struct Story {
    start: i64,
    steps: Vec<Step>,
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    /// What alice did last before the pause: was given a lease, read, looked.
    before: Vec<(Part, Step)>,
    frozen: bool,
    /// Whether somebody else has the lease.
    taken: bool,
    resumed: bool,
    /// Alice's token.
    token: u64,
    /// What bob wrote while she stood still, with his token.
    written: Vec<(i64, u64, u64)>,
    done: bool,
}

/// In the order of a turn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Granted,
    Read,
    Looked,
}

impl Story {
    /// Reads a history to its end.
    pub fn read<R: Read>(reader: &mut Reader<R>) -> Result<Story> {
        let (mut story, mut reading) = (Story::default(), Reading::default());
        // A program's line may be read later than that of the pause that stopped it.
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line()? {
            lines.push(line);
        }
        lines.sort_by_key(instant);
        for line in &lines {
            story.take(line, &mut reading);
        }
        Ok(story)
    }

    /// When the timeline began, in nanoseconds of the host's CLOCK_MONOTONIC.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A line a step, with the time since the start.
    pub fn text(&self) -> String {
        let line = |step: &Step| {
            let millis = step.at_ns.saturating_sub(self.start) / 1_000_000;
            format!("  {:>6} ms  {}\n", millis, step.what)
        };
        self.steps.iter().map(line).collect()
    }

    fn take(&mut self, line: &Line, reading: &mut Reading) {
        let at = instant(line);
        match &line.event {
            Event::Start { .. } => self.start = at,
            Event::Frozen { node, processes, .. } if node == PAUSED && !reading.frozen => {
                reading.frozen = true;
                self.steps.extend(reading.before.drain(..).map(|(_, step)| step));
                let count = if processes.len() == 1 {
                    String::new()
                } else {
                    format!(" ({} processes)", processes.len())
                };
                self.tell(at, format!("FROZEN: {PAUSED} stands still in the middle of it{count}"));
            }
            Event::Resumed { node, .. } if node == PAUSED && !reading.resumed => {
                reading.resumed = true;
                if let (Some(first), Some(last)) = (reading.written.first(), reading.written.last()) {
                    let what = format!(
                        "bob has written {} times: from {} by token {} to {} by token {}",
                        reading.written.len(),
                        first.1,
                        first.2,
                        last.1,
                        last.2
                    );
                    self.tell(last.0, what);
                }
                let frozen = self.steps.iter().rev().find(|step| step.what.starts_with("FROZEN"));
                let lasted = frozen.map_or(0, |step| at.saturating_sub(step.at_ns)) / 1_000_000;
                let lasted = format_span(Span::from_millis(lasted));
                self.tell(
                    at,
                    format!(
                        "THAWED, after {lasted}: {PAUSED} goes on where she was, and knows nothing of it"
                    ),
                );
            }
            Event::Op { operation, .. } if !reading.done => self.operation(at, operation, reading),
            _ => {}
        }
    }

    fn operation(&mut self, at: i64, operation: &Operation, reading: &mut Reading) {
        let who = operation.process.as_ref().and_then(|who| who.as_str()).unwrap_or_default();
        let value = operation.value.as_ref().and_then(serde_json::Value::as_u64).unwrap_or_default();
        let token = operation.fields.get("token").and_then(serde_json::Value::as_u64).unwrap_or_default();
        match (who == PAUSED, operation.op.as_str(), operation.phase) {
            (true, "acquire", Phase::Ok) if !reading.frozen => {
                reading.token = value;
                reading.before.clear();
                reading.before(Part::Granted, at, format!("{who} is given the lease, with token {value}"));
            }
            (true, "read", Phase::Ok) if !reading.frozen => {
                reading.before(Part::Read, at, format!("{who} reads {value}"));
            }
            (true, "hold", Phase::Ok) if !reading.frozen => {
                reading.before(
                    Part::Looked,
                    at,
                    format!("{who} looks at her clock: the lease is good; she begins to write"),
                );
            }
            (false, "acquire", Phase::Ok) if reading.frozen && !reading.resumed && !reading.taken => {
                reading.taken = true;
                self.tell(at, format!("{PAUSED}'s lease is over: {who} is given it, with token {value}"));
            }
            (false, "write", Phase::Ok) if reading.frozen && !reading.resumed => {
                reading.written.push((at, value, token));
            }
            (true, "write", phase) if reading.resumed && token == reading.token => {
                reading.done = true;
                let over = reading.written.last().map_or(0, |(_, value, _)| *value);
                let what = match phase {
                    Phase::Fail => {
                        format!("{who}'s write of {value} by token {token} is REFUSED: bob's {over} stands")
                    }
                    _ => {
                        format!("{who}'s write of {value} by token {token} is ACCEPTED: bob's {over} is lost")
                    }
                };
                self.tell(at, what);
            }
            _ => {}
        }
    }

    fn tell(&mut self, at_ns: i64, what: String) {
        self.steps.push(Step { at_ns, what });
    }
}

impl Reading {
    /// The newest of its kind; what came after the older one is gone.
    fn before(&mut self, part: Part, at_ns: i64, what: String) {
        self.before.retain(|(other, _)| *other < part);
        self.before.push((part, Step { at_ns, what }));
    }
}

/// When it happened; a pause begins with its first stop.
fn instant(line: &Line) -> i64 {
    match &line.event {
        Event::Op { operation, .. } => operation.until_ns,
        Event::Frozen { first_stop, .. } => *first_stop,
        Event::Resumed { first_resumed, .. } => *first_resumed,
        _ => line.at_ns,
    }
}
