//! What a slot holds, as values: the schedules, the changes, and what the host's clocks were.

use falseticker_page::change::{CHANGES, Change};
use falseticker_page::layout::{Clock, SCHEDULES};
use falseticker_page::segment::Segment;
use falseticker_page::time::{HostInstant, Rate, Span};

/// How the host's clocks related to CLOCK_MONOTONIC at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// CLOCK_REALTIME less CLOCK_MONOTONIC.
    pub wall: Span,
    /// CLOCK_BOOTTIME less CLOCK_MONOTONIC.
    pub boot: Span,
    /// CLOCK_TAI less CLOCK_REALTIME.
    pub tai: Span,
    /// One moment by CLOCK_MONOTONIC_RAW ...
    pub raw_at: HostInstant,
    /// ... and by CLOCK_MONOTONIC.
    pub mono_at: HostInstant,
    /// How much faster CLOCK_MONOTONIC runs than RAW.
    pub mono_per_raw: Rate,
    /// How much faster RAW runs than CLOCK_MONOTONIC.
    pub raw_per_mono: Rate,
}

impl Captured {
    /// What a true clock of this kind is ahead of CLOCK_MONOTONIC.
    pub fn of(&self, clock: Clock) -> Span {
        match clock {
            Clock::Wall => self.wall,
            Clock::Mono => Span::ZERO,
            Clock::Boot => self.boot,
        }
    }
}

/// One version of a node's schedules and changes.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The segments of `wall`, `mono` and `boot`, in the order of their starts.
    pub schedules: [Vec<Segment>; SCHEDULES],
    /// The last changes, in the order of their ids.
    pub changes: Vec<Change>,
    /// The id of the last change.
    pub last_change: u32,
    /// What the host's clocks were at publication.
    pub captured: Captured,
    /// When it was published.
    pub published_at: HostInstant,
    /// When its newest function took over.
    pub from: HostInstant,
}

impl Tables {
    /// True clocks and no change.
    pub fn new(captured: Captured, now: HostInstant) -> Self {
        Tables {
            schedules: [vec![Segment::TRUE], vec![Segment::TRUE], vec![Segment::TRUE]],
            changes: Vec::new(),
            last_change: 0,
            captured,
            published_at: now,
            from: now,
        }
    }

    /// A clock's segments.
    pub fn schedule(&self, clock: Clock) -> &[Segment] {
        let [wall, mono, boot] = &self.schedules;
        match clock {
            Clock::Wall => wall,
            Clock::Mono => mono,
            Clock::Boot => boot,
        }
    }

    /// A change by its id, while it is kept.
    pub fn change(&self, id: u32) -> Option<&Change> {
        self.changes.iter().rev().find(|change| change.id == id)
    }

    /// Adds a change, and forgets the oldest beyond what a page keeps.
    pub fn push(&mut self, change: Change) {
        self.last_change = self.last_change.max(change.id);
        self.changes.push(change);
        let excess = self.changes.len().saturating_sub(CHANGES);
        self.changes.drain(..excess);
    }
}
