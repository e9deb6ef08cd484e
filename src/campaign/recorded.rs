//! Candidates that are played at most once for each of their plays: what came of them is in the state.

use std::path::PathBuf;

use super::Effort;
use super::outcome::{Played, Quorum, Tally};
use super::state::{State, Tried};
use crate::error::{ErrorKind, Result};
use crate::scenario::Scenario;

/// Where a scenario is played once.
pub trait Theatre {
    /// Plays it; an error if it could not be played to its end.
    fn play(&mut self, scenario: &Scenario) -> Result<Played>;
}

/// Something that has happened in a campaign.
#[derive(Debug)]
pub enum Step<'a> {
    /// A candidate is about to be played.
    Begun {
        /// Which.
        candidate: &'a str,
    },
    /// One of its plays is over.
    Played {
        /// Which.
        candidate: &'a str,
        /// How its plays came out until now.
        tally: Tally,
        /// This one.
        played: &'a Played,
    },
}

/// Who is told of each step.
pub type Observer<'a> = Box<dyn FnMut(&Step<'_>) + 'a>;

/// What has come of candidates, and the way to find out about others.
pub struct Recorded<'a> {
    state: State,
    path: Option<PathBuf>,
    quorum: Quorum,
    theatre: &'a mut dyn Theatre,
    observer: Observer<'a>,
}

impl<'a> Recorded<'a> {
    /// Goes on from a state, which is written to `path` after each play.
    pub fn new(
        state: State,
        path: Option<PathBuf>,
        quorum: Quorum,
        theatre: &'a mut dyn Theatre,
        observer: Observer<'a>,
    ) -> Self {
        Recorded { state, path, quorum, theatre, observer }
    }

    /// How the plays of a candidate came out; those that are missing are made. One whose scenario is refused has none.
    pub fn test(
        &mut self,
        candidate: &str,
        effort: Effort,
        scenario: impl FnOnce() -> Result<Scenario>,
    ) -> Result<Tally> {
        let quorum = self.quorum;
        let is_enough = |tried: &Tried| {
            let tally = tried.tally();
            let is_decided = effort == Effort::Verdict && quorum.verdict(tally).is_some();
            tried.refused.is_some() || tally.plays >= quorum.runs || is_decided
        };
        if let Some(tried) = self.state.trials.get(candidate).filter(|tried| is_enough(tried)) {
            return Ok(tried.tally());
        }
        let scenario = match scenario() {
            Ok(scenario) => scenario,
            Err(why) if why.kind() == ErrorKind::BadInput => {
                let refused = Tried { refused: Some(why.why().to_owned()), ..Tried::default() };
                self.state.trials.insert(candidate.to_owned(), refused);
                return Ok(Tally::default());
            }
            Err(why) => return Err(why),
        };
        (self.observer)(&Step::Begun { candidate });
        loop {
            let played = self.theatre.play(&scenario)?;
            let tried = self.state.trials.entry(candidate.to_owned()).or_default();
            tried.plays.push(played.clone());
            let (tally, done) = (tried.tally(), is_enough(tried));
            if let Some(path) = &self.path {
                self.state.write(path)?;
            }
            (self.observer)(&Step::Played { candidate, tally, played: &played });
            if done {
                return Ok(tally);
            }
        }
    }

    /// All that is known.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The campaign is over: its state is not needed any more, and comes back.
    pub fn finish(self) -> Result<State> {
        if let Some(path) = &self.path {
            State::remove(path)?;
        }
        Ok(self.state)
    }
}

impl std::fmt::Debug for Recorded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded")
            .field("state", &self.state)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
