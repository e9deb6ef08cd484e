//! What came of a play, and of a candidate's plays, by the names of Zeller and Hildebrandt: pass, fail, unresolved.
//!
//! What must hold: nothing passes but what was played to its end, with every fault arrived and every check that counts held.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a test came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All that counts holds.
    Pass,
    /// Something that counts is violated.
    Fail,
    /// It cannot be told.
    Unresolved,
}

/// A play that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    /// What it came to.
    pub outcome: Outcome,
    /// The checks by which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// How the plays of a candidate came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many were made.
    pub plays: u32,
    /// How many of them failed.
    pub failures: u32,
    /// Of how many it cannot be told.
    pub unresolved: u32,
}

impl Tally {
    /// With one more.
    #[must_use]
    pub fn with(self, outcome: Outcome) -> Tally {
        Tally {
            plays: self.plays + 1,
            failures: self.failures + u32::from(outcome == Outcome::Fail),
            unresolved: self.unresolved + u32::from(outcome == Outcome::Unresolved),
        }
    }

    /// Whether every play passed, and there was one.
    pub fn all_passed(self) -> bool {
        self.plays > 0 && self.failures == 0 && self.unresolved == 0
    }

    /// Whether any play failed.
    pub fn any_failed(self) -> bool {
        self.failures > 0
    }

    /// Whether every play failed, and there was one.
    pub fn all_failed(self) -> bool {
        self.plays > 0 && self.failures == self.plays
    }

    /// Whether the plays disagree: some failed, and some did not.
    pub fn is_mixed(self) -> bool {
        self.any_failed() && !self.all_failed()
    }
}

impl<'a> FromIterator<&'a Played> for Tally {
    fn from_iter<I: IntoIterator<Item = &'a Played>>(plays: I) -> Self {
        plays.into_iter().fold(Tally::default(), |tally, played| tally.with(played.outcome))
    }
}

/// "2 of 3 plays".
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plays = if self.plays == 1 { "play" } else { "plays" };
        write!(f, "{} of {} {plays}", self.failures, self.plays)
    }
}

/// How many plays a candidate gets, and how many of them have to fail for it to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// How many plays.
    pub runs: u32,
    /// How many failures.
    pub failures: u32,
}

impl Quorum {
    /// The verdict, once no further play could change it.
    pub fn verdict(self, tally: Tally) -> Option<Outcome> {
        let left = self.runs.saturating_sub(tally.plays);
        if tally.failures >= self.failures {
            Some(Outcome::Fail)
        } else if tally.failures + left >= self.failures {
            None
        } else if tally.unresolved > 0 || tally.plays == 0 {
            Some(Outcome::Unresolved)
        } else {
            Some(Outcome::Pass)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(text: &str) -> Tally {
        text.chars().fold(Tally::default(), |tally, c| {
            tally.with(match c {
                'p' => Outcome::Pass,
                'f' => Outcome::Fail,
                _ => Outcome::Unresolved,
            })
        })
    }

    #[test]
    fn a_quorum_decides_as_soon_as_nothing_can_change_it() {
        for (runs, failures, plays, expected) in [
            (1, 1, "", None),
            (1, 1, "p", Some(Outcome::Pass)),
            (1, 1, "f", Some(Outcome::Fail)),
            (1, 1, "?", Some(Outcome::Unresolved)),
            (3, 1, "pf", Some(Outcome::Fail)),
            (3, 1, "pp", None),
            (3, 2, "pp", Some(Outcome::Pass)),
            (3, 2, "p?", Some(Outcome::Unresolved)),
            (3, 2, "pf", None),
            (3, 2, "ff", Some(Outcome::Fail)),
            (3, 3, "p", Some(Outcome::Pass)),
        ] {
            assert_eq!(
                Quorum { runs, failures }.verdict(tally(plays)),
                expected,
                "{failures} of {runs}: {plays}"
            );
        }
    }

    #[test]
    fn nothing_is_told_of_plays_that_were_not_made() {
        let none = Tally::default();
        assert!(!none.all_passed() && !none.all_failed() && !none.any_failed() && !none.is_mixed());
        assert!(tally("pp").all_passed() && !tally("p?").all_passed() && tally("pf").is_mixed());
        assert_eq!(tally("ffp").to_string(), "2 of 3 plays");
    }
}
