//! What `shrink` and `sweep` share: flags, the state's file, progress, the table.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use falseticker::campaign::{Criteria, Criterion, Options, Outcome, Quorum, Stage, State, Step, Tally};
use falseticker::history::{Line, Observer};
use falseticker::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::output::Output;
use super::signals::Signals;
use super::table::{columns, count};

/// The flags of both.
#[derive(Debug, clap::Args)]
pub struct Shared {
    /// Count only violations of RULE, be it in the scenario's [checks] or not, or `programs`; may be repeated
    #[arg(long, value_name = "RULE")]
    pub check: Vec<Criterion>,

    /// What everything is drawn from that is drawn, alike in all plays; told where it is not given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Keep in FILE what is known, after each play, to go on from after an interruption; beside the scenario without it
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// Begin anew, whatever the state's file says
    #[arg(long)]
    pub restart: bool,

    /// Print nothing but the result
    #[arg(short, long)]
    pub quiet: bool,
}

impl Shared {
    /// The state's file, and what it has.
    pub fn known(&self, file: &Path, command: &str) -> Result<(PathBuf, Option<State>)> {
        let path = self.state.clone().unwrap_or_else(|| file.with_extension(format!("{command}.json")));
        let known = if self.restart { None } else { State::read(&path)? };
        Ok((path, known))
    }

    /// The options that results depend on.
    pub fn options(&self, command: &str, quorum: Quorum) -> Options {
        let checks: Vec<String> = self.check.iter().map(ToString::to_string).collect();
        let all = [
            ("the command", command.to_owned()),
            ("--check", checks.join(", ")),
            ("--runs", quorum.runs.to_string()),
            ("--failures", quorum.failures.to_string()),
        ];
        all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The directory that a scenario's relative paths count from.
pub fn directory(file: &Path) -> Option<PathBuf> {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).map(Path::to_owned)
}

/// Goes on where an earlier campaign was: what is said then.
pub fn resumed(output: &Output, state: &State, path: &Path) -> Result<()> {
    match state.plays() {
        0 => Ok(()),
        plays => {
            output.say(&format!("goes on after {} from {}", count(plays, "play", "plays"), path.display()))
        }
    }
}

/// What is said when the end was not reached.
pub fn stopped(state: &State, path: &Path) -> String {
    format!(
        "stopped after {}; the same command goes on from {}\n",
        count(state.plays(), "play", "plays"),
        path.display()
    )
}

/// A line while a candidate is played, where standard error is a terminal; and one when it has been.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
    output: Output,
}

impl Progress {
    /// Begins.
    pub fn begin(output: Output) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{elapsed} {spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Progress { bar, output }
    }

    /// Where candidates are played: each play moves this on, and a signal ends it.
    pub fn stage(&self, file: &Path, criteria: Criteria, seed: u64, signals: &Signals) -> Result<Stage> {
        let cancel = signals.as_fd().try_clone_to_owned();
        let bar = self.bar.clone();
        let watch = move || -> Observer {
            let bar = bar.clone();
            Box::new(move |_: &Line| bar.tick())
        };
        Ok(Stage {
            criteria,
            seed,
            directory: directory(file),
            falseticker: std::env::current_exe().ok(),
            cancel: Some(cancel.map_err(|why| Error::not_applied("wait for signals", why))?),
            watch: Some(Box::new(watch)),
        })
    }

    /// Takes a step.
    pub fn take(&self, step: &Step<'_>) {
        match step {
            Step::Begun { candidate } => self.bar.set_message(format!("{candidate}: is played")),
            Step::Played { candidate, tally, played } => {
                self.bar.set_message(format!("{candidate}: {} of {} failed", tally.failures, tally.plays));
                let by =
                    if played.by.is_empty() { String::new() } else { format!(": {}", played.by.join(", ")) };
                let line = format!("  {candidate}  {}{by}", said(played.outcome));
                self.bar.suspend(|| {
                    // A reader that has gone away is no reason to stop.
                    let _ = self.output.say(&line);
                });
            }
        }
    }

    /// Ends.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A play's outcome in a word.
pub fn said(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "passes",
        Outcome::Fail => "fails",
        Outcome::Unresolved => "unresolved",
    }
}

/// A row of the table that ends a campaign.
#[derive(Debug)]
pub struct Row {
    /// What was tried.
    pub candidate: String,
    /// What came of it.
    pub tally: Tally,
    /// What that comes to.
    pub verdict: String,
}

/// The table.
pub fn table(what: &str, rows: &[Row]) -> String {
    let head = [what, "runs", "failures", "verdict"].map(str::to_owned).to_vec();
    let row = |row: &Row| {
        vec![
            row.candidate.clone(),
            row.tally.plays.to_string(),
            row.tally.failures.to_string(),
            row.verdict.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows.iter().map(row)).collect();
    columns(2, &rows)
}

/// The same for programs, with what each play failed by.
pub fn trials(state: &State, rows: &[Row]) -> Value {
    let trial = |row: &Row| {
        let tried = state.trials.get(&row.candidate);
        json!({
            "candidate": row.candidate,
            "runs": row.tally.plays,
            "failures": row.tally.failures,
            "unresolved": row.tally.unresolved,
            "verdict": row.verdict,
            "plays": tried.map(|tried| &tried.plays),
            "refused": tried.and_then(|tried| tried.refused.as_ref()),
        })
    };
    rows.iter().map(trial).collect()
}

/// A number of plays: one at least.
pub fn runs(text: &str) -> Result<u32> {
    text.parse().ok().filter(|runs| (1..=10_000).contains(runs)).ok_or_else(|| {
        Error::bad_input(format_args!("play '{text}' times"), "it is no number from 1 to 10000")
            .remedy("write a number such as 5")
    })
}
