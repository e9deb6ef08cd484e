//! What a scenario would do, without doing it: its timeline, and each node's clock as it is planned.
//!
//! What must hold: it is laid by the code that lays the pages, so that what composes to something that cannot be is refused
//! here as it would be then.

use std::fmt::Write as _;

use falseticker_page::layout::Clock;
use falseticker_page::segment::{Segment, Shape};
use serde::Serialize;

use super::ahead::ahead;
use super::timeline::{Due, Planned, Target, timeline};
use super::{Action, Scenario};
use crate::error::Result;
use crate::schedule::{Captured, Tables, plan_changes};
use crate::units::format_span;
use crate::{HostInstant, Rate, Span};

/// What would be done.
#[derive(Clone, Debug, Serialize)]
pub struct DryRun {
    /// The scenario's name.
    pub scenario: String,
    /// From which everything is drawn.
    pub seed: u64,
    /// From the start to the heal, in nanoseconds.
    pub duration_ns: i64,
    /// What is done, in the order of the instants.
    pub timeline: Vec<Step>,
    /// The clocks of the nodes.
    pub clocks: Vec<PlannedClock>,
}

/// One thing that would be done.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its number.
    pub id: u32,
    /// When, from the start; `None` when something has happened.
    pub at_ns: Option<i64>,
    /// What is waited for.
    pub after: Option<super::After>,
    /// To whom; `None` for a command.
    pub node: Option<String>,
    /// What.
    pub fault: Action,
    /// Whether nothing is wrong if it never arrives.
    pub optional: bool,
}

/// A clock's course.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedClock {
    /// Whose.
    pub node: String,
    /// `wall` or `mono`.
    pub clock: &'static str,
    /// Its pieces.
    pub pieces: Vec<Piece>,
}

/// A piece of a clock's course.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Piece {
    /// From when on, from the start.
    pub at_ns: i64,
    /// How far it is from true there.
    pub offset_ns: i64,
    /// How much faster than true it runs.
    pub rate_ppm: f64,
    /// `true`, `linear` or `strobe`.
    pub shape: &'static str,
}

/// Where the start lies while there is none: a page knows no instant before its making.
const START: HostInstant = HostInstant::from_nanos(1_000_000_000);

/// What a scenario would do with a seed.
pub fn dry_run(scenario: &Scenario, seed: u64) -> Result<DryRun> {
    let timeline = timeline(scenario, seed)?;
    let mut clocks = Vec::new();
    for (name, program) in &scenario.nodes {
        let changes: Vec<_> =
            ahead(scenario, &timeline, name, START)?.into_iter().map(|(_, change)| change).collect();
        let (tables, _) =
            plan_changes(&Tables::new(NO_HOST, HostInstant::from_nanos(0)), &NO_HOST, START, &changes)?;
        let kinds = [("wall", Clock::Wall), ("mono", Clock::Mono)];
        for (clock, kind) in kinds.into_iter().take(1 + usize::from(program.monotonic)) {
            let pieces = tables.schedule(kind).iter().map(piece).collect();
            clocks.push(PlannedClock { node: name.clone(), clock, pieces });
        }
    }
    Ok(DryRun {
        scenario: scenario.head.name.clone(),
        seed,
        duration_ns: scenario.head.duration.as_nanos(),
        timeline: timeline.into_iter().map(step).collect(),
        clocks,
    })
}

/// A host whose clocks all agree.
const NO_HOST: Captured = Captured {
    wall: Span::ZERO,
    boot: Span::ZERO,
    tai: Span::ZERO,
    raw_at: HostInstant::from_nanos(0),
    mono_at: HostInstant::from_nanos(0),
    mono_per_raw: Rate::TRUE,
    raw_per_mono: Rate::TRUE,
};

fn step(planned: Planned) -> Step {
    let (at_ns, after) = match planned.due {
        Due::At(at) => (Some(at.as_nanos()), None),
        Due::After(after) => (None, Some(after)),
    };
    let node = match planned.to {
        Target::Node(name) => Some(name),
        Target::Named(command) => Some(format!("named by: {command}")),
        Target::Nobody => None,
    };
    Step { id: planned.id, at_ns, after, node, fault: planned.action, optional: planned.optional }
}

fn piece(segment: &Segment) -> Piece {
    let from = segment.from.max(START);
    let is_true = segment.shape == Shape::True;
    let offset = if is_true { 0 } else { segment.value(from).as_nanos().saturating_sub(from.as_nanos()) };
    Piece {
        at_ns: from.saturating_since(START).as_nanos(),
        offset_ns: offset,
        rate_ppm: if is_true { 0.0 } else { segment.rate.as_ppm() },
        shape: match segment.shape {
            Shape::True => "true",
            Shape::Linear => "linear",
            Shape::Strobe { .. } => "strobe",
        },
    }
}

impl DryRun {
    /// For people.
    pub fn text(&self) -> String {
        let span = |nanos| format_span(Span::from_nanos(nanos));
        let mut text = format!("{}: {}, seed {}\n", self.scenario, span(self.duration_ns), self.seed);
        for step in &self.timeline {
            let when = step.at_ns.map_or_else(|| "after".to_owned(), span);
            let node = step.node.as_ref().map_or(String::new(), |node| format!("{node}: "));
            let after = step
                .after
                .as_ref()
                .map_or(String::new(), |after| format!("  (waits for {})", after.awaited()));
            let _ = writeln!(text, "  {when:>10}  {node}{}{after}", step.fault.describe());
        }
        for clock in &self.clocks {
            let _ = writeln!(text, "{} of {}:", clock.clock, clock.node);
            for piece in &clock.pieces {
                let how = match piece.shape {
                    "true" => "true".to_owned(),
                    shape => {
                        let rate = if piece.rate_ppm == 0.0 {
                            String::new()
                        } else {
                            format!(", {:+} ppm", piece.rate_ppm)
                        };
                        let shape = if shape == "strobe" { ", strobe" } else { "" };
                        format!("off by {}{rate}{shape}", span(piece.offset_ns))
                    }
                };
                let _ = writeln!(text, "  {:>10}  {how}", span(piece.at_ns));
            }
        }
        text
    }
}
