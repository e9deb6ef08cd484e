//! `falseticker log FILE`.

use std::path::PathBuf;

use falseticker::history::{Event, Line, Reader};
use falseticker::units::format_span;
use falseticker::{ErrorKind, Result, Span, host_clock};
use serde_json::{Value, json};

use super::output::{Output, Reply};
use super::play::told;
use super::signals::{Signals, Woken};

const EXAMPLES: &str = "\
Examples:
  falseticker log h                          what happened
  falseticker log h --node a --event applied --event evidence
  falseticker log h --event op               what the programs told of
  falseticker log h --follow                 while it is still played
  falseticker log h --json | jq .lines[]     the same for programs

Samples, evidence and planned faults are left out unless --event names them, or --all.
";

/// How often a history that is followed is looked at.
const LOOK: Span = Span::from_millis(50);

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The history
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Only lines about this node; may be repeated
    #[arg(long, value_name = "NODE")]
    pub node: Vec<String>,

    /// Only lines of this kind: applied, evidence, frozen, op, output, sample, ...; may be repeated
    #[arg(long, value_name = "EVENT")]
    pub event: Vec<String>,

    /// Only lines about the planned fault of this number
    #[arg(long, value_name = "N")]
    pub id: Option<u32>,

    /// Everything, samples too
    #[arg(long)]
    pub all: bool,

    /// Go on until the history ends, or Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
}

/// Prints a history.
pub fn log(args: &Args, output: &Output) -> Result<Reply> {
    let mut reader = Reader::open(&args.file)?;
    let header = reader.header().clone();
    output.say(&format!(
        "{}: seed {}, {}, {}",
        header.scenario,
        header.seed,
        format_span(Span::from_nanos(header.duration_ns)),
        header.started
    ))?;
    let signals = if args.follow { Some(Signals::hold()?) } else { None };
    let (mut lines, mut start_ns, mut ended, mut interrupted) = (Vec::new(), None, false, false);
    loop {
        while let Some(line) = reader.next_line()? {
            if let Event::Start { .. } = line.event {
                start_ns = Some(line.at_ns);
            }
            ended |= matches!(line.event, Event::End { .. });
            if args.wants(&line) {
                output.say(&told(&line, start_ns))?;
                lines.push(serde_json::to_value(&line).unwrap_or_default());
            }
        }
        let Some(signals) = signals.as_ref().filter(|_| !ended) else { break };
        if signals.wait_until(host_clock::monotonic().saturating_add(LOOK), None)? == Woken::Signal {
            interrupted = true;
            break;
        }
    }
    let cut_off = reader.is_cut_off();
    let text = match (cut_off, ended) {
        (true, _) => "(the last line is cut off: whoever wrote it was killed, or is writing it)",
        (false, false) => "(it has no end: whoever wrote it was killed, or is still playing)",
        (false, true) => "",
    };
    let object = json!({
        "header": header, "lines": Value::Array(lines), "cut_off": cut_off, "ended": ended,
    });
    let reply = Reply::done(text, object);
    Ok(if interrupted { reply.with_code(ErrorKind::Interrupted.exit_code()) } else { reply })
}

impl Args {
    fn wants(&self, line: &Line) -> bool {
        let value = serde_json::to_value(line).unwrap_or_default();
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let event = text("event");
        let of_kind = match self.event.as_slice() {
            [] => self.all || !matches!(event.as_str(), "sample" | "evidence" | "planned"),
            wanted => wanted.contains(&event),
        };
        let of_node = self.node.is_empty() || self.node.contains(&text("node"));
        let of_fault = self.id.is_none_or(|id| value.get("id").and_then(Value::as_u64) == Some(id.into()));
        of_kind && of_node && of_fault
    }
}
