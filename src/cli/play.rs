//! `falseticker play FILE`.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::PathBuf;

use falseticker::history::{Event, Line, describe, verdict};
use falseticker::nemesis::Nemesis;
use falseticker::player::{Options, Outcome, play as play_scenario, seed_of};
use falseticker::report::file::Target;
use falseticker::report::junit::xml;
use falseticker::scenario::{Scenario, dry_run};
use falseticker::units::format_span;
use falseticker::{Error, ErrorKind, Result, Span};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::exit;
use super::output::{Output, Reply};
use super::signals::Signals;

const EXAMPLES: &str = "\
Examples:
  falseticker play lease.toml                        start, fault, stop, judge
  falseticker play lease.toml --dry-run              the timeline and each clock
  falseticker play lease.toml --seed 7 --history h   to be looked at: log h
  falseticker play lease.toml --nemesis-seed 7       with faults that are drawn
  falseticker play lease.toml --junit checks.xml     the verdicts in a file

Exit code 0 if all faults arrived, all programs behaved, and none of its [checks] is violated, 1 if not. A scenario is TOML:

  [scenario]
  name = \"paused leaseholder\"
  duration = \"30s\"

  [nodes.a]
  command = [\"./lease\", \"--id\", \"a\"]
  ready = { port = 7001, within = \"5s\" }

  [[timeline]]
  at = \"5s\"
  node = \"a\"
  freeze = { for = \"4500ms\" }

  [checks]
  mutual-exclusion = true
";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = clap::ArgGroup::new("written").args(["history", "junit"]).multiple(true))]
pub struct Args {
    /// The scenario
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// What everything is drawn from that is drawn; told where it is not given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Write the history to FILE, as lines of JSON; see log
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,

    /// Write the verdicts to FILE, as JUnit's XML: each a test case, unknown ones skipped
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Replace these files if there are any
    #[arg(long, requires = "written")]
    pub overwrite: bool,

    /// Add faults that are drawn from N; see nemesis
    #[arg(long, value_name = "N")]
    pub nemesis_seed: Option<u64>,

    /// Print what would be done, and each node's planned clock; start nothing
    #[arg(long, conflicts_with_all = ["history", "junit", "overwrite"])]
    pub dry_run: bool,

    /// Print nothing but the verdicts
    #[arg(short, long)]
    pub quiet: bool,
}

/// Plays a scenario.
pub fn play(args: &Args, json: bool) -> Result<Reply> {
    let mut scenario = Scenario::read(&args.file)?;
    if let Some(seed) = args.nemesis_seed {
        let nemesis = scenario.nemesis.take().unwrap_or_default();
        scenario.nemesis = Some(Nemesis { seed: Some(seed), ..nemesis });
    }
    let seed = seed_of(&scenario, args.seed);
    if args.dry_run {
        let planned = dry_run(&scenario, seed)?;
        let object = serde_json::to_value(&planned).unwrap_or_default();
        return Ok(Reply::done(planned.text(), object));
    }
    let junit = args.junit.as_ref().map(|path| Target::claim(path, args.overwrite)).transpose()?;
    let output = Output::new(json || args.quiet);
    output.say(&format!("{}: seed {seed}", scenario.head.name))?;
    let signals = Signals::hold()?;
    let cancel = signals.as_fd().try_clone_to_owned();
    let outcome = play_scenario(
        &scenario,
        Options {
            seed: Some(seed),
            history: args.history.clone(),
            overwrite: args.overwrite,
            falseticker: std::env::current_exe().ok(),
            observer: (!json && !args.quiet).then(|| Progress::begin(&scenario).observer()),
            directory: super::campaign::directory(&args.file),
            cancel: Some(cancel.map_err(|why| Error::not_applied("wait for signals", why))?),
        },
    )?;
    signals.take();
    if let Some(junit) = junit {
        // The witnesses' instants are counted from the first: the start is told by the history.
        junit.write(&xml(&scenario.head.name, &outcome.checks, None, outcome.interrupted)?)?;
    }
    Ok(reply(&scenario, &outcome, args.quiet))
}

fn reply(scenario: &Scenario, outcome: &Outcome, quiet: bool) -> Reply {
    let mut text = String::new();
    // The observer has told them already.
    for check in outcome.checks.iter().filter(|_| quiet) {
        text.push_str(&(verdict(check, None) + "\n"));
    }
    let code = match (outcome.interrupted, outcome.holds()) {
        (true, _) => ErrorKind::Interrupted.exit_code(),
        (false, true) => exit::DONE,
        (false, false) => exit::NO,
    };
    let object = json!({
        "scenario": scenario.head.name,
        "seed": outcome.seed,
        "interrupted": outcome.interrupted,
        "checks": outcome.checks,
    });
    Reply::done(text, object).with_code(code)
}

/// What is said while it is played: each thing as it happens, and on a terminal what is in force now.
struct Progress {
    bar: ProgressBar,
    start_ns: Option<i64>,
    in_force: BTreeMap<(String, u32), String>,
}

impl Progress {
    fn begin(scenario: &Scenario) -> Self {
        // Nothing of it is drawn where standard error is no terminal.
        let bar = ProgressBar::new_spinner().with_message(format!("starting {}", scenario.head.name));
        if let Ok(style) = ProgressStyle::with_template("{elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        Progress { bar, start_ns: None, in_force: BTreeMap::new() }
    }

    fn observer(mut self) -> Box<dyn FnMut(&Line) + Send> {
        Box::new(move |line| self.take(line))
    }

    fn take(&mut self, line: &Line) {
        let mut changed = true;
        match &line.event {
            Event::Start { .. } => self.start_ns = Some(line.at_ns),
            Event::Applied { node, change, what, until, .. } => {
                match what.strip_prefix("end of ").and_then(|id| id.parse().ok()) {
                    Some(ended) => drop(self.in_force.remove(&(node.clone(), ended))),
                    None if what == "heal" => self.in_force.retain(|(other, _), _| other != node),
                    // A step that is not taken back is in force until the heal, and would only fill the line.
                    None if until.is_some() => {
                        self.in_force.insert((node.clone(), *change), format!("{node} {what}"));
                    }
                    None => {}
                }
            }
            Event::Frozen { id, node, .. } => {
                self.in_force.insert((node.clone(), u32::MAX - id), format!("{node} frozen"));
            }
            Event::Resumed { id, node, .. } => drop(self.in_force.remove(&(node.clone(), u32::MAX - id))),
            Event::Sample { .. } | Event::Planned { .. } | Event::Evidence { .. } | Event::Op { .. } => {
                changed = false
            }
            Event::Output { .. } => changed = false,
            _ => {}
        }
        if changed {
            let text = told(line, self.start_ns);
            self.bar.suspend(|| {
                // A reader that has gone away is no reason to stop.
                let _ = Output::new(false).say(&text);
            });
        }
        let in_force: Vec<&str> = self.in_force.values().map(String::as_str).collect();
        self.bar.set_message(if in_force.is_empty() {
            "nothing in force".to_owned()
        } else {
            in_force.join(", ")
        });
        self.bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A line with its instant, counted from the start once there was one.
pub fn told(line: &Line, start_ns: Option<i64>) -> String {
    let since = |start: i64| Span::from_nanos(line.at_ns.saturating_sub(start) / 1_000_000 * 1_000_000);
    let at = start_ns.map_or_else(String::new, |start| format_span(since(start)));
    let what = match &line.event {
        Event::Verdict(check) => verdict(check, start_ns),
        _ => describe(line),
    };
    format!("{at:>10}  {what}")
}
