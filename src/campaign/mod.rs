//! Campaigns: many plays of a scenario's variants, tallied and remembered. What [`crate::shrink`] and [`crate::sweep`] share.
//!
//! What must hold:
//! - An algorithm asks a [`Trial`] about a candidate and is told a [`Tally`]; it never sees a play. So it is tested without any.
//! - No play is repeated: what came of each is in the state's file before the next one begins, and an algorithm that is given
//!   the same tallies asks the same again. So a campaign that was interrupted goes on where it was.
//! - A play that could not run is an error and ends the campaign. It never counts as one that passed.

mod criteria;
pub(crate) mod numbers;
mod outcome;
#[cfg(test)]
pub(crate) mod pretence;
mod recorded;
pub(crate) mod resolve;
mod stage;
mod state;
mod value;

pub use criteria::{Criteria, Criterion};
pub use numbers::roundest;
pub use outcome::{Outcome, Played, Quorum, Tally};
pub use recorded::{Observer, Recorded, Step, Theatre};
pub use resolve::{Resolved, resolve};
pub use stage::Stage;
pub use state::{Options, State, Tried};
pub use value::{Quantity, Value};

use crate::Result;

/// What tells of a candidate what comes of it: by playing it, or because that is known.
pub trait Trial<C: ?Sized> {
    /// Plays a candidate until so many plays have decided, or with [`Effort::All`] all of them.
    fn test(&mut self, candidate: &C, effort: Effort) -> Result<Tally>;
}

/// How many of a candidate's plays are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// As many as it takes to know the verdict.
    Verdict,
    /// All of them: to know how often it fails.
    All,
}
