//! The player: starts a scenario's programs in their nodes, does what its timeline says, and tells what happened.
//!
//! ```no_run
//! use falseticker::player::{Options, play};
//! use falseticker::scenario::Scenario;
//!
//! # fn main() -> falseticker::Result<()> {
//! let outcome = play(&Scenario::read("lease.toml")?, Options::default())?;
//! assert!(outcome.holds(), "{:?}", outcome.checks);
//! # Ok(())
//! # }
//! ```
//!
//! What must hold:
//! - Clock faults that are known ahead, and every heal, are in the pages before the start: they take effect at their
//!   nanosecond, whatever becomes of the player.
//! - Pauses, kills and commands are begun by absolute timers, each in a thread of its own that is there before the instant;
//!   how late they were is recorded. A pause that has begun ends by its guards.
//! - However it ends, the clocks are true again, nobody stands still, what commands have done is undone, and the programs are
//!   stopped and waited for. If the player is killed, the keepers do that at the planned end, but for the undoing.
//! - Nothing is told that was not seen: whom a fault has not reached is said, and what cannot be known is `unknown`.

mod act;
mod cast;
mod command;
mod hire;
mod keeper;
mod main_loop;
mod ready;
mod record;
mod samples;
mod shared;
mod verdict;
mod watch;

#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::Result;
use crate::freeze::shape::Seed;
use crate::history::{Check, Observer, Verdict};
use crate::scenario::{self, Scenario};

/// How a scenario is played.
#[derive(Default)]
pub struct Options {
    /// From which everything is drawn; the scenario's own without, or a fresh one.
    pub seed: Option<u64>,
    /// Where the history goes.
    pub history: Option<PathBuf>,
    /// Whether an existing file is replaced.
    pub overwrite: bool,
    /// Who is told of each line of the history at once.
    pub observer: Option<Observer>,
    /// From where relative directories count; the current directory without.
    pub directory: Option<PathBuf>,
    /// What a program called `falseticker` is; without, what PATH has.
    pub falseticker: Option<PathBuf>,
    /// Readable when it is to be interrupted.
    pub cancel: Option<OwnedFd>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("seed", &self.seed)
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// From which everything was drawn.
    pub seed: u64,
    /// The verdicts; none if it was interrupted.
    pub checks: Vec<Check>,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

impl Outcome {
    /// Whether it ran to its end, and no check was violated.
    pub fn holds(&self) -> bool {
        !self.interrupted && self.checks.iter().all(|check| check.verdict != Verdict::Violated)
    }
}

/// The seed that counts.
pub fn seed_of(scenario: &Scenario, wanted: Option<u64>) -> u64 {
    wanted.or(scenario.head.seed).unwrap_or_else(|| Seed::fresh().0)
}

/// Plays a scenario to its end.
pub fn play(scenario: &Scenario, options: Options) -> Result<Outcome> {
    let seed = seed_of(scenario, options.seed);
    // Refuses what cannot be laid, before anything is started.
    scenario::dry_run(scenario, seed)?;
    main_loop::play(&scenario::ports::draw(scenario)?, seed, options)
}
