//! `falseticker shrink SCENARIO`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use falseticker::campaign::{Criteria, Outcome, Quorum, Recorded, Resolved, State, resolve};
use falseticker::nemesis::Nemesis;
use falseticker::player::seed_of;
use falseticker::scenario::Scenario;
use falseticker::shrink::{Answer, Plays, Provenance, Shrunk, shrink as minimize, written};
use falseticker::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::campaign::{self, Progress, Row, Shared};
use super::exit;
use super::output::{Output, Reply};
use super::signals::Signals;
use super::table::count;

const EXAMPLES: &str = "\
Examples:
  falseticker shrink lease.toml --runs 3             into lease.min.toml
  falseticker shrink lease.toml --nemesis-seed 7     faults that were drawn
  falseticker shrink lease.toml --check fencing --runs 5 --failures 2
  falseticker shrink lease.toml --keep-magnitudes -o fewer.toml
  falseticker play lease.min.toml --history h        what is left, played

A scenario fails if one of its [checks] is violated. First entries of the timeline are left out (ddmin), then spans and \
rates are made smaller, as long as it still fails. What is drawn is drawn once, from the seed, and written down: entries \
that are left out change none of the others. A candidate fails if --failures of its --runs plays do; plays that could \
change nothing any more are not made. Ctrl-C keeps what is known in SCENARIO.shrink.json, and the same command goes on \
from there.

Exit code 0 if the minimal scenario is written; 1 if the scenario does not fail; 3 if a play could not be made; 130 if \
interrupted.
";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    pub file: PathBuf,

    /// How many plays a candidate gets at most
    #[arg(long, value_name = "N", default_value = "1", value_parser = campaign::runs)]
    pub runs: u32,

    /// How many of them have to fail
    #[arg(long, value_name = "K", default_value = "1", value_parser = campaign::runs)]
    pub failures: u32,

    /// Add faults that are drawn from N; see nemesis
    #[arg(long, value_name = "N")]
    pub nemesis_seed: Option<u64>,

    /// Leave entries out, and leave spans and rates as they are
    #[arg(long)]
    pub keep_magnitudes: bool,

    /// Write it to FILE, in the scenario's directory; SCENARIO with .min.toml without it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Replace that file if there is one
    #[arg(long)]
    pub overwrite: bool,

    #[command(flatten)]
    pub shared: Shared,
}

/// What is shrunk.
struct Subject {
    scenario: Scenario,
    criteria: Criteria,
    entries: Vec<Resolved>,
    quorum: Quorum,
    seed: u64,
}

/// Shrinks a scenario.
pub fn shrink(args: &Args, output: &Output) -> Result<Reply> {
    let target = target(args)?;
    let (path, known) = args.shared.known(&args.file, "shrink")?;
    let subject = subject(args, known.as_ref())?;
    let whole =
        Resolved::put(&subject.scenario, subject.entries.iter().map(|resolved| resolved.entry.clone()));
    whole.check()?;
    let mut options = args.shared.options("shrink", subject.quorum);
    options.insert("--keep-magnitudes".to_owned(), args.keep_magnitudes.to_string());
    let state = State::new(&whole.to_toml()?, options, subject.seed).resume(known, &path)?;

    let quiet = if args.shared.quiet { Output::new(true) } else { *output };
    quiet.say(&format!(
        "{}: {}, seed {}; fails by {}",
        subject.scenario.head.name,
        count(subject.entries.len(), "entry", "entries"),
        subject.seed,
        subject.criteria
    ))?;
    campaign::resumed(&quiet, &state, &path)?;
    let signals = Signals::hold()?;
    let progress = Progress::begin(quiet);
    let mut stage = progress.stage(&args.file, subject.criteria.clone(), subject.seed, &signals)?;
    let observer = progress.clone();
    let mut plays = Recorded::new(
        state,
        Some(path.clone()),
        subject.quorum,
        &mut stage,
        Box::new(move |step| observer.take(step)),
    );
    let mut trial = Plays::new(&subject.scenario, &subject.entries, &mut plays);
    let answer = minimize(&subject.entries, subject.quorum, !args.keep_magnitudes, &mut trial);
    progress.end();
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) if why.kind() == ErrorKind::Interrupted => {
            signals.take();
            return Ok(interrupted(&subject, plays.state(), &path));
        }
        Err(why) => {
            quiet.say(campaign::stopped(plays.state(), &path).trim_end())?;
            return Err(why);
        }
    };
    let minimal = match &answer {
        Answer::Passes(_) => None,
        Answer::Shrunk(shrunk) => {
            Some(write_minimal(args, &subject, shrunk, plays.state().plays(), &target)?)
        }
    };
    let state = plays.finish()?;
    Ok(reply(&subject, &answer, minimal, &state, &target))
}

fn subject(args: &Args, known: Option<&State>) -> Result<Subject> {
    if args.failures > args.runs {
        let attempted = format!("have {} of {} plays fail", args.failures, args.runs);
        return Err(Error::bad_input(attempted, "there are not as many").remedy("make --runs larger"));
    }
    let mut scenario = Scenario::read(&args.file)?;
    if let Some(seed) = args.nemesis_seed {
        let nemesis = scenario.nemesis.take().unwrap_or_default();
        scenario.nemesis = Some(Nemesis { seed: Some(seed), ..nemesis });
    }
    let criteria = Criteria::choose(&mut scenario, &args.shared.check)?;
    let wanted = args.shared.seed.or(known.map(|state| state.seed));
    let seed = seed_of(&scenario, wanted);
    let entries = resolve(&scenario, seed)?;
    let quorum = Quorum { runs: args.runs, failures: args.failures };
    Ok(Subject { scenario, criteria, entries, quorum, seed })
}

/// Where the minimal scenario goes: known to be possible before the first play.
fn target(args: &Args) -> Result<PathBuf> {
    let target = args.output.clone().unwrap_or_else(|| args.file.with_extension("min.toml"));
    let refused = |why: &str| Error::bad_input(format_args!("write {}", target.display()), why);
    let of = |file: &Path| campaign::directory(file).unwrap_or_else(|| ".".into()).canonicalize();
    match (of(&args.file), of(&target)) {
        (Ok(one), Ok(other)) if one != other => {
            return Err(refused("the scenario's relative paths would count from another directory")
                .remedy("give a file in the scenario's own directory"));
        }
        // A scenario that is not there is told of when it is read.
        (Ok(_), Err(why)) => return Err(refused(&why.to_string())),
        _ => {}
    }
    if target.exists() && !args.overwrite {
        return Err(refused("it is there already").remedy("choose another name with -o, or give --overwrite"));
    }
    Ok(target)
}

fn write_minimal(
    args: &Args,
    subject: &Subject,
    shrunk: &Shrunk,
    plays: usize,
    target: &Path,
) -> Result<Scenario> {
    let scenario = shrunk.minimal.scenario(&subject.scenario, &subject.entries)?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let from = Provenance {
        file: &name,
        seed: subject.seed,
        criteria: &subject.criteria,
        entries: subject.entries.len(),
        whole: shrunk.whole,
        fails: shrunk.fails,
        plays,
    };
    let text = written(&scenario, &from)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    if !args.overwrite {
        options.create_new(true);
    }
    let done = options.open(target).and_then(|mut file| file.write_all(text.as_bytes()));
    done.map_err(|why| Error::not_applied(format_args!("write {}", target.display()), why))?;
    Ok(scenario)
}

fn rows(subject: &Subject, state: &State) -> Vec<Row> {
    let row = |(candidate, tried): (&String, &falseticker::campaign::Tried)| {
        let tally = tried.tally();
        let verdict = match (&tried.refused, subject.quorum.verdict(tally)) {
            (Some(_), _) => "refused",
            (None, verdict) => campaign::said(verdict.unwrap_or(Outcome::Unresolved)),
        };
        Row { candidate: candidate.clone(), tally, verdict: verdict.to_owned() }
    };
    state.trials.iter().map(row).collect()
}

fn object(subject: &Subject, state: &State, rows: &[Row]) -> Value {
    json!({
        "scenario": subject.scenario.head.name,
        "seed": subject.seed,
        "entries": subject.entries.len(),
        "interrupted": false,
        "plays": state.plays(),
        "trials": campaign::trials(state, rows),
    })
}

fn interrupted(subject: &Subject, state: &State, path: &Path) -> Reply {
    let rows = rows(subject, state);
    let text = campaign::table("entries", &rows) + &campaign::stopped(state, path);
    let object = object(subject, state, &rows);
    Reply::done(text, object)
        .with_field("interrupted", true.into())
        .with_field("state", json!(path))
        .with_code(ErrorKind::Interrupted.exit_code())
}

fn reply(
    subject: &Subject,
    answer: &Answer,
    minimal: Option<Scenario>,
    state: &State,
    target: &Path,
) -> Reply {
    let rows = rows(subject, state);
    let text = campaign::table("entries", &rows);
    let object = object(subject, state, &rows);
    match (answer, minimal) {
        (Answer::Shrunk(shrunk), Some(scenario)) => {
            let left = scenario.timeline.len();
            let how = if left == 0 { " (it fails without any fault)" } else { "" };
            let text = format!(
                "{text}{}: {left} of {} left after {}, fails in {}{how}\n",
                target.display(),
                count(subject.entries.len(), "entry", "entries"),
                count(state.plays(), "play", "plays"),
                shrunk.fails
            );
            let minimal = json!({
                "file": target,
                "entries": left,
                "runs": shrunk.fails.plays,
                "failures": shrunk.fails.failures,
                "candidate": shrunk.minimal.name(&subject.entries),
            });
            Reply::done(text, object).with_field("fails", true.into()).with_field("minimal", minimal)
        }
        (Answer::Shrunk(Shrunk { whole: tally, .. }) | Answer::Passes(tally), _) => {
            let open = match tally.unresolved {
                0 => String::new(),
                open => format!(", and of {open} it cannot be told"),
            };
            let text =
                format!("{text}it does not fail, so there is nothing to shrink: failed in {tally}{open}\n");
            Reply::done(text, object).with_field("fails", false.into()).with_code(exit::NO)
        }
    }
}
