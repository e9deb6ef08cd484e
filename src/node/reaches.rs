//! When a node's clock will show what a program waits for.
//!
//! What must hold: it is the same answer as the shim's, from the same tables; a true clock is the host's own, whatever
//! was known of that when its segment was laid.

use falseticker_page::layout::Clock;
use falseticker_page::schedule;
use falseticker_page::segment::{Segment, Shape};
use falseticker_page::time::{HostInstant, NodeInstant};

use super::Node;
use super::capture::capture;
use super::slots;
use crate::error::Result;

impl Node {
    /// The first instant of the host's CLOCK_MONOTONIC, not before `since`, at which one of the node's clocks shows
    /// `shows` or more, by what is in force and planned now; `None` when it never does. What lies more than a second before
    /// the last change may be forgotten.
    pub fn reaches(
        &self,
        clock: Clock,
        shows: NodeInstant,
        since: HostInstant,
    ) -> Result<Option<HostInstant>> {
        let (_, tables) = slots::read(&self.page)?;
        let truth = capture().of(clock);
        let true_or_laid = |segment: &Segment| match segment.shape {
            Shape::True => Segment { offset: truth, ..*segment },
            Shape::Linear | Shape::Strobe { .. } => *segment,
        };
        let pieces: Vec<Segment> = tables.schedule(clock).iter().map(true_or_laid).collect();
        Ok(schedule::reaches(pieces.as_slice(), shows, since))
    }
}
