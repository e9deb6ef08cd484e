//! What is known of a campaign's candidates, and the file from which it goes on after an interruption.
//!
//! What must hold: the file is whole whenever the machine stops, with all plays that were over before it but the last; it is
//! refused if it is of another scenario, of other options, or of another version of the tool.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::outcome::{Played, Tally};
use crate::error::{Error, Result};

/// What the file says that it is.
const FORMAT: &str = "falseticker-campaign";
/// The version of the format.
const VERSION: u32 = 1;

/// The options that results depend on, by the names of their flags.
pub type Options = BTreeMap<String, String>;

/// A campaign's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    format: String,
    version: u32,
    tool: String,
    /// A digest of the scenario.
    scenario: String,
    options: Options,
    /// From which everything is drawn.
    pub seed: u64,
    /// What was tried, in that order.
    pub trials: IndexMap<String, Tried>,
}

/// A candidate that was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Its plays.
    #[serde(default)]
    pub plays: Vec<Played>,
    /// Why it cannot be played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Tried {
    /// How they came out.
    pub fn tally(&self) -> Tally {
        self.plays.iter().collect()
    }
}

impl State {
    /// One in which nothing is known; `scenario` is its text.
    pub fn new(scenario: &str, options: Options, seed: u64) -> State {
        State {
            format: FORMAT.to_owned(),
            version: VERSION,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: BASE64_STANDARD.encode(Sha256::digest(scenario)),
            options,
            seed,
            trials: IndexMap::new(),
        }
    }

    /// What a file has; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<State>> {
        let refused = |why: &dyn std::fmt::Display| {
            Error::bad_input(format_args!("go on from {}", path.display()), why)
                .remedy("begin anew with --restart, or keep the state elsewhere: --state FILE")
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(why) if why.kind() == IoErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(refused(&why)),
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|why| refused(&why))?;
        if value["format"] != FORMAT {
            return Err(refused(&"it is not the state of a campaign"));
        }
        if value["version"] != VERSION {
            return Err(refused(&format_args!(
                "its version is {}, and {VERSION} is known",
                value["version"]
            )));
        }
        serde_json::from_value(value).map(Some).map_err(|why| refused(&why))
    }

    /// Goes on from what a file had, if it is of this campaign; the file is named in an error.
    pub fn resume(self, known: Option<State>, path: &Path) -> Result<State> {
        let Some(known) = known else { return Ok(self) };
        let refused = |why: String| {
            Err(Error::bad_input(format_args!("go on from {}", path.display()), why)
                .remedy("begin anew with --restart, or keep the state elsewhere: --state FILE"))
        };
        if known.tool != self.tool {
            return refused(format!("version {} has written it, and this is {}", known.tool, self.tool));
        }
        let names = known.options.keys().chain(self.options.keys());
        for name in names {
            let (then, now) = (known.options.get(name), self.options.get(name));
            if then != now {
                let shown = |value: Option<&String>| value.map_or("not given", String::as_str).to_owned();
                return refused(format!("{name} was {}, and is {}", shown(then), shown(now)));
            }
        }
        if known.scenario != self.scenario || known.seed != self.seed {
            return refused("the scenario has changed since".to_owned());
        }
        Ok(known)
    }

    /// Writes it in place of what the file had.
    pub fn write(&self, path: &Path) -> Result<()> {
        let refused = |why: &dyn std::fmt::Display| {
            Error::not_applied(format_args!("write {}", path.display()), why)
                .remedy("choose another --state FILE")
        };
        let text = serde_json::to_string_pretty(self).map_err(|why| refused(&why))?;
        let beside = beside(path);
        let written = File::create(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
        written.and_then(|()| std::fs::rename(&beside, path)).map_err(|why| refused(&why))
    }

    /// Removes the file.
    pub fn remove(path: &Path) -> Result<()> {
        match std::fs::remove_file(path) {
            Err(why) if why.kind() != IoErrorKind::NotFound => {
                Err(Error::not_applied(format_args!("remove {}", path.display()), why))
            }
            _ => Ok(()),
        }
    }

    /// How many plays it knows of.
    pub fn plays(&self) -> usize {
        self.trials.values().map(|tried| tried.plays.len()).sum()
    }
}

/// Where it is written before it is renamed.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Outcome;

    fn options(runs: &str) -> Options {
        Options::from([("--runs".to_owned(), runs.to_owned())])
    }

    fn state() -> State {
        let mut state = State::new("text", options("3"), 7);
        let played = Played { outcome: Outcome::Fail, by: vec!["fencing".to_owned()] };
        state.trials.insert("1 2".to_owned(), Tried { plays: vec![played], refused: None });
        state.trials.insert("2".to_owned(), Tried { plays: Vec::new(), refused: Some("why".to_owned()) });
        state
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        assert_eq!(State::read(&path).unwrap(), None);
        state().write(&path).unwrap();
        state().write(&path).unwrap();
        assert_eq!(State::read(&path).unwrap(), Some(state()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        State::remove(&path).unwrap();
        State::remove(&path).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_state_of_another_scenario_or_other_options_is_refused() {
        let path = Path::new("s.json");
        let resume = |fresh: State| fresh.resume(Some(state()), path);
        assert_eq!(resume(State::new("text", options("3"), 7)).unwrap(), state());
        for (fresh, why) in [
            (State::new("another", options("3"), 7), "the scenario has changed"),
            (State::new("text", options("3"), 8), "the scenario has changed"),
            (State::new("text", options("5"), 7), "--runs was 3, and is 5"),
            (State::new("text", Options::new(), 7), "--runs was 3, and is not given"),
        ] {
            let refused = resume(fresh).unwrap_err();
            assert!(refused.to_string().contains(why) && refused.help().is_some(), "{refused}");
        }
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        for (text, why) in [
            ("", "EOF"),
            ("{}", "not the state of a campaign"),
            (r#"{"format": "falseticker-campaign", "version": 9}"#, "its version is 9"),
            (r#"{"format": "falseticker-campaign", "version": 1}"#, "missing field"),
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(State::read(&path).unwrap_err().to_string().contains(why), "{text}");
        }
    }
}
