//! The threshold at which a scenario begins to fail: one value of its file is varied, and bisected ([`next`]).
//!
//! ```no_run
//! use falseticker::sweep::{Bounds, Path, Subject, Within, sweep};
//! use falseticker::campaign::{Criteria, Quorum, Recorded, Stage, State};
//!
//! # fn main() -> falseticker::Result<()> {
//! let text = std::fs::read_to_string("lease.toml").expect("a file");
//! let path: Path = "timeline[0].jump".parse()?;
//! let bounds = Bounds::new("0s".parse()?, "-10s".parse()?, Within::Share(10_000))?;
//! let subject = Subject::new(&text, "lease.toml", path, &bounds, &[], 7)?;
//! let mut stage =
//!     Stage { criteria: subject.criteria().clone(), seed: 7, directory: None, falseticker: None, cancel: None, watch: None };
//! let state = State::new(&text, Default::default(), 7);
//! let quorum = Quorum { runs: 3, failures: 1 };
//! let mut plays = Recorded::new(state, None, quorum, &mut stage, Box::new(|_| {}));
//! println!("{:?}", sweep(&bounds, &mut subject.trial(&mut plays))?.answer(&bounds));
//! # Ok(())
//! # }
//! ```
//!
//! What must hold: what is said to be safe was seen to hold in every play, and so did all that was tried below it; what is said to
//! fail was seen to fail; plays that disagree widen what is said, and are told of.

mod answer;
mod bisect;
mod path;
mod subject;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Threshold};
pub use bisect::{Bounds, Tried, Within, next};
pub use path::Path;
pub use subject::Subject;

use crate::Result;
use crate::campaign::{Effort, Trial, Value};

/// Tries values until nothing is left to try; all that was tried.
pub fn sweep(bounds: &Bounds, trial: &mut dyn Trial<Value>) -> Result<Tried> {
    let mut tried = Tried::default();
    while let Some(value) = next(bounds, &tried) {
        tried.add(bounds, value, trial.test(&value, Effort::All)?);
    }
    Ok(tried)
}
