//! The nemesis: a seeded generator of timelines.
//!
//! What must hold:
//! 1. The same seed, with the same version, gives the same timeline byte for byte on every machine. So everything is drawn
//!    in whole numbers from ChaCha8 (`draw`), and nothing depends on the order of a map.
//! 2. Magnitudes are spread over scales, from milliseconds to minutes, as Jepsen's clock nemesis draws them: each power of
//!    two is as likely as the others.
//! 3. No two nodes are ever further apart than `max-skew`, however faults overlap: a node has one clock fault at a time, is
//!    healed after each, and is never off by more than half of it.
//! 4. One node at a time stands still or is down; with `minority` no more nodes are faulted at once than can be missing.
//! 5. Nothing is in force in the quiet time at the end, so that liveness can be judged.

mod draw;
mod generate;

use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

pub use generate::generate;

use crate::Span;
use crate::error::{Error, Result};
use crate::scenario::text::AsSpan;
use crate::units::format_span;

/// What is asked of it; the table `[nemesis]`.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Nemesis {
    /// From which everything is drawn; the scenario's own without.
    pub seed: Option<u64>,
    /// Of which faults; all without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mix: Vec<Fault>,
    /// How many.
    pub intensity: Intensity,
    /// How far apart two nodes' wall clocks may ever be.
    #[serde_as(as = "Option<AsSpan>")]
    pub max_skew: Option<Span>,
    /// Whether a minority of the nodes at most is faulted at any time.
    pub minority: Option<bool>,
    /// How long nothing is in force at the end; a fifth of the duration without.
    #[serde_as(as = "Option<AsSpan>")]
    pub quiet: Option<Span>,
}

/// How many faults there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Intensity {
    /// One every 10 s, on average.
    Low,
    /// One every 4 s.
    #[default]
    Medium,
    /// One every 1.5 s.
    High,
}

/// The kinds of faults that it draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// A step, taken back later.
    Jump,
    /// A wrong rate.
    Drift,
    /// A slope.
    Slew,
    /// Steps there and back.
    Strobe,
    /// A clock that stands still.
    Stall,
    /// Processes that stand still.
    Freeze,
    /// A node that is suspended; it needs nodes made with `monotonic`.
    Suspend,
    /// Processes that are killed, and started again.
    Kill,
}

impl Fault {
    /// What is drawn from where nothing is said: all that any node can have.
    pub const USUAL: [Fault; 7] =
        [Fault::Jump, Fault::Drift, Fault::Slew, Fault::Strobe, Fault::Stall, Fault::Freeze, Fault::Kill];

    /// Whether it stops processes or ends them.
    fn is_of_processes(self) -> bool {
        matches!(self, Fault::Freeze | Fault::Suspend | Fault::Kill)
    }
}

impl Intensity {
    /// The time from one fault to the next, on average.
    fn gap(self) -> Span {
        Span::from_millis(match self {
            Intensity::Low => 10_000,
            Intensity::Medium => 4_000,
            Intensity::High => 1_500,
        })
    }
}

/// The smallest skew that leaves anything to draw.
const LEAST_SKEW: Span = Span::from_millis(4);

impl Nemesis {
    /// Refuses what cannot be meant with so many nodes.
    pub fn check(&self, nodes: usize) -> Result<()> {
        let refused = |why: &str, remedy: &str| Err(Error::bad_input("use a nemesis", why).remedy(remedy));
        if nodes == 0 {
            return refused("there is no node that it could fault", "name nodes");
        }
        if self.max_skew.is_some_and(|skew| skew < LEAST_SKEW) {
            return refused(
                "the maximum skew leaves nothing to draw",
                &format!("give {} or more", format_span(LEAST_SKEW)),
            );
        }
        if self.quiet.is_some_and(Span::is_negative) {
            return refused("the quiet time is negative", "give 0s or more");
        }
        Ok(())
    }

    /// How long it is quiet at the end of so long a scenario.
    pub fn quiet(&self, duration: Span) -> Span {
        self.quiet.unwrap_or(Span::from_nanos(duration.as_nanos() / 5))
    }
}
