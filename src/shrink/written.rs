//! A minimal scenario as a file that can be played, with where it is from.
//!
//! What must hold: the file reads back as the scenario; its comments say nothing that was not seen.

use crate::campaign::{Criteria, Tally};
use crate::error::Result;
use crate::scenario::Scenario;

/// Where a minimal scenario is from.
#[derive(Clone, Debug)]
pub struct Provenance<'a> {
    /// The file that was shrunk.
    pub file: &'a str,
    /// From which its timeline was drawn.
    pub seed: u64,
    /// What a failure is.
    pub criteria: &'a Criteria,
    /// How many entries the timeline had.
    pub entries: usize,
    /// How often it failed.
    pub whole: Tally,
    /// How often what is left failed.
    pub fails: Tally,
    /// How many plays it took.
    pub plays: usize,
}

/// The text of the file.
pub fn written(scenario: &Scenario, from: &Provenance<'_>) -> Result<String> {
    let Provenance { file, seed, criteria, entries, whole, fails, plays } = from;
    let version = env!("CARGO_PKG_VERSION");
    let left = scenario.timeline.len();
    // A file's name may have anything in it, and a comment ends with its line.
    let file: String = file.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let mut text = format!(
        "# Shrunk by falseticker {version} from {file}, seed {seed}: {left} of {entries} entries, after {plays} plays.\n\
         # Fails by {criteria} in {fails}; all {entries} entries did in {whole}.\n"
    );
    if left == 0 && *entries > 0 {
        text.push_str("# It fails without any fault.\n");
    }
    text.push('\n');
    text.push_str(&scenario.to_toml()?);
    Ok(text)
}
