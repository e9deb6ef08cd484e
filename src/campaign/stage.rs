//! Real plays.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use super::criteria::Criteria;
use super::outcome::Played;
use super::recorded::Theatre;
use crate::error::{Error, ErrorKind, Result};
use crate::history::Observer;
use crate::player::{self, play};
use crate::raw;
use crate::scenario::Scenario;

/// Plays scenarios by [`play`], one after the other.
pub struct Stage {
    /// What a failure is.
    pub criteria: Criteria,
    /// From which everything is drawn, each time.
    pub seed: u64,
    /// From where relative directories count.
    pub directory: Option<PathBuf>,
    /// What a program called `falseticker` is; without, what PATH has.
    pub falseticker: Option<PathBuf>,
    /// Readable when the campaign is to be interrupted.
    pub cancel: Option<OwnedFd>,
    /// Makes, for each play, who is told of each line of its history.
    pub watch: Option<Box<dyn Fn() -> Observer>>,
}

impl Theatre for Stage {
    fn play(&mut self, scenario: &Scenario) -> Result<Played> {
        if self.is_cancelled() {
            return Err(interrupted());
        }
        let cancel = self.cancel.as_ref().map(OwnedFd::try_clone).transpose();
        let options = player::Options {
            seed: Some(self.seed),
            directory: self.directory.clone(),
            falseticker: self.falseticker.clone(),
            cancel: cancel.map_err(|why| Error::not_applied("wait for signals", why))?,
            observer: self.watch.as_ref().map(|watch| watch()),
            ..player::Options::default()
        };
        let outcome = play(scenario, options)?;
        if outcome.interrupted { Err(interrupted()) } else { Ok(self.criteria.judge(&outcome.checks)) }
    }
}

impl Stage {
    fn is_cancelled(&self) -> bool {
        let Some(cancel) = &self.cancel else { return false };
        let mut fds = [libc::pollfd { fd: cancel.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        raw::poll(&mut fds, Some(0)).is_ok_and(|ready| ready > 0)
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("criteria", &self.criteria)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "go on with the campaign", "it was interrupted")
}
