//! What a node's clocks show, computed from its page without touching the programs.

use falseticker_page::latch::{self, Word};
use falseticker_page::layout::Clock;
use falseticker_page::schedule::{find, reaches};
use falseticker_page::segment::{Segment, Shape};
use falseticker_page::time::NodeInstant;

use crate::history::Event;
use crate::node::Node;
use crate::schedule::Tables;
use crate::{HostInstant, Result, Span};

/// The tables of a node, read again when they are published again.
#[derive(Debug, Default)]
pub struct Known(Option<(Word, Tables)>);

impl Known {
    /// As they are now.
    pub fn tables(&mut self, node: &Node) -> Result<&Tables> {
        let word = latch::current(&node.page().header.word);
        if self.0.as_ref().is_none_or(|(known, _)| *known != word) {
            self.0 = Some((word, node.tables()?));
        }
        self.0.as_ref().map(|(_, tables)| tables).ok_or_else(|| {
            crate::Error::not_applied(format_args!("read the page of node {}", node.name()), "it has none")
        })
    }

    /// A sample at an instant.
    pub fn sample(&mut self, node: &Node, at: HostInstant) -> Result<Event> {
        let tables = self.tables(node)?;
        let (wall, rate) = off(tables, Clock::Wall, at);
        Ok(Event::Sample {
            node: node.name().to_string(),
            wall,
            mono: off(tables, Clock::Mono, at).0,
            boot: off(tables, Clock::Boot, at).0,
            wall_ppm: rate,
        })
    }
}

/// How far a clock is from true, and how much faster it runs.
fn off(tables: &Tables, clock: Clock, at: HostInstant) -> (i64, f64) {
    let schedule = tables.schedule(clock);
    let segment = find(schedule, at).and_then(|index| schedule.get(index)).copied().unwrap_or(Segment::TRUE);
    if segment.shape == Shape::True {
        return (0, 0.0);
    }
    let truth = tables.captured.of(clock);
    let off = segment.value(at).as_nanos().saturating_sub(at.as_nanos()).saturating_sub(truth.as_nanos());
    (off, segment.rate.as_ppm())
}

/// How long before its line was read a program may have read its clock.
const WITHIN: Span = Span::from_secs(60);

/// The first and the last of the host's instants at which a node's CLOCK_MONOTONIC showed `mono`, not after `read`; `None` if
/// it never did, within a minute.
pub fn host_instants(node: &Node, mono: i64, read: HostInstant) -> Option<(HostInstant, HostInstant)> {
    let tables = node.tables().ok()?;
    let schedule = tables.schedule(Clock::Mono);
    let since = read.saturating_add(WITHIN.saturating_neg());
    let first = reaches(schedule, NodeInstant::from_nanos(mono), since)?;
    let next = reaches(schedule, NodeInstant::from_nanos(mono.saturating_add(1)), since);
    let last = next.map_or(read, |next| next.saturating_add(Span::from_nanos(-1))).max(first);
    let was_shown = schedule.is_empty()
        || falseticker_page::schedule::value(schedule, first).is_none_or(|shown| {
            let true_there = find(schedule, first)
                .and_then(|at| schedule.get(at))
                .is_none_or(|at| at.shape == Shape::True);
            true_there && first.as_nanos() == mono || !true_there && shown.as_nanos() == mono
        });
    (was_shown && first > since && first <= read).then_some((first, last.min(read)))
}
