//! `falseticker sweep SCENARIO --vary PATH --from VALUE --to VALUE`.

use std::fmt::Write as _;
use std::path::{Path as File, PathBuf};

use falseticker::campaign::{Quorum, Recorded, State, Tally, Value};
use falseticker::player::seed_of;
use falseticker::scenario::Scenario;
use falseticker::sweep::{Answer, Bounds, Path, Subject, Threshold, Tried, Within, sweep as bisect};
use falseticker::{Error, ErrorKind, Result};
use serde_json::json;

use super::campaign::{self, Progress, Row, Shared};
use super::exit;
use super::output::{Output, Reply};
use super::signals::Signals;

const EXAMPLES: &str = "\
Examples:
  falseticker sweep lease.toml --vary 'timeline[0].jump' --from 0s --to -10s
  falseticker sweep lease.toml --vary timeline[0].freeze.for --from 0s --to 8s
  falseticker sweep lease.toml --vary timeline[1].drift.rate --from 0ppm --to 5%
  falseticker sweep a.toml --vary timeline[0].at --from 9s --to 1s --runs 5
  falseticker sweep a.toml --vary timeline[0].jump --from 0s --to 5s --within 5%

A scenario fails if one of its [checks] is violated. The path is one of the file: keys with points between them, entries \
counted from 0. It has to hold at --from and to fail at --to; the size of a fault may be nothing there, and then there is \
no such fault. Each value is played --runs times. What is said to be safe held in all of them, and so did whatever was \
tried below it; values whose plays disagree, or hold again beyond the first that fails, are told of. Ctrl-C keeps what is \
known in SCENARIO.sweep.json, and the same command goes on from there.

Exit code 0 if a threshold is found; 1 if it fails at --from or holds at --to; 3 if a play could not be made; 130 if \
interrupted.
";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    pub file: PathBuf,

    /// What is varied: the path of a span or a rate in the file
    #[arg(long, value_name = "PATH")]
    pub vary: Path,

    /// Where it begins: a value at which it holds
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub from: Value,

    /// Where it ends: a value at which it fails
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub to: Value,

    /// How near the greatest safe value and the least that fails are to be: a share, or an amount
    #[arg(long, value_name = "HOW", default_value = "1%")]
    pub within: Within,

    /// How many plays each value gets
    #[arg(long, value_name = "N", default_value = "1", value_parser = campaign::runs)]
    pub runs: u32,

    #[command(flatten)]
    pub shared: Shared,
}

/// Sweeps a scenario.
pub fn sweep(args: &Args, output: &Output) -> Result<Reply> {
    let bounds = Bounds::new(args.from, args.to, args.within)?;
    let (path, known) = args.shared.known(&args.file, "sweep")?;
    let scenario = Scenario::read(&args.file)?;
    let seed = seed_of(&scenario, args.shared.seed.or(known.as_ref().map(|state| state.seed)));
    let read = std::fs::read_to_string(&args.file);
    let text =
        read.map_err(|why| Error::bad_input(format_args!("read scenario {}", args.file.display()), why))?;
    let name = args.file.display().to_string();
    let subject = Subject::new(&text, &name, args.vary.clone(), &bounds, &args.shared.check, seed)?;
    let quorum = Quorum { runs: args.runs, failures: 1 };
    let state = State::new(&text, options(args, &bounds, quorum), seed).resume(known, &path)?;

    let quiet = if args.shared.quiet { Output::new(true) } else { *output };
    quiet.say(&format!(
        "{}: {} from {} to {}, seed {seed}; fails by {}",
        scenario.head.name,
        args.vary,
        args.from,
        args.to,
        subject.criteria()
    ))?;
    campaign::resumed(&quiet, &state, &path)?;
    let signals = Signals::hold()?;
    let progress = Progress::begin(quiet);
    let mut stage = progress.stage(&args.file, subject.criteria().clone(), seed, &signals)?;
    let observer = progress.clone();
    let mut plays = Recorded::new(
        state,
        Some(path.clone()),
        quorum,
        &mut stage,
        Box::new(move |step| observer.take(step)),
    );
    let swept = bisect(&bounds, &mut subject.trial(&mut plays));
    progress.end();
    match swept {
        Ok(tried) => {
            let state = plays.finish()?;
            Ok(reply(args, &scenario, &bounds, &tried, &state))
        }
        Err(why) if why.kind() == ErrorKind::Interrupted => {
            signals.take();
            Ok(interrupted(&scenario, plays.state(), &path))
        }
        Err(why) => {
            quiet.say(campaign::stopped(plays.state(), &path).trim_end())?;
            Err(why)
        }
    }
}

fn options(args: &Args, bounds: &Bounds, quorum: Quorum) -> falseticker::campaign::Options {
    let mut options = args.shared.options("sweep", quorum);
    for (name, value) in [
        ("--vary", args.vary.to_string()),
        ("--from", bounds.from().to_string()),
        ("--to", bounds.to().to_string()),
        ("--within", bounds.within().to_string()),
    ] {
        options.insert(name.to_owned(), value);
    }
    options
}

fn row(candidate: String, tally: Tally) -> Row {
    let verdict = match tally {
        _ if tally.all_passed() => "holds",
        _ if tally.is_mixed() => "fails sometimes",
        _ if tally.any_failed() => "fails",
        _ => "unresolved",
    };
    Row { candidate, tally, verdict: verdict.to_owned() }
}

fn object(scenario: &Scenario, state: &State, rows: &[Row]) -> serde_json::Value {
    json!({
        "scenario": scenario.head.name,
        "seed": state.seed,
        "interrupted": false,
        "plays": state.plays(),
        "trials": campaign::trials(state, rows),
    })
}

fn interrupted(scenario: &Scenario, state: &State, path: &File) -> Reply {
    let of =
        |(candidate, tried): (&String, &falseticker::campaign::Tried)| row(candidate.clone(), tried.tally());
    let rows: Vec<Row> = state.trials.iter().map(of).collect();
    Reply::done(
        campaign::table("value", &rows) + &campaign::stopped(state, path),
        object(scenario, state, &rows),
    )
    .with_field("interrupted", true.into())
    .with_field("state", json!(path))
    .with_code(ErrorKind::Interrupted.exit_code())
}

fn reply(args: &Args, scenario: &Scenario, bounds: &Bounds, tried: &Tried, state: &State) -> Reply {
    let rows: Vec<Row> = tried.all(bounds).map(|(value, tally)| row(value.to_string(), tally)).collect();
    let mut text = campaign::table("value", &rows);
    let object = object(scenario, state, &rows);
    let (said, code) = match tried.answer(bounds) {
        Answer::FailsAtFrom => {
            (format!("{} fails at {} already: nothing from there on is safe", args.vary, args.from), exit::NO)
        }
        Answer::HoldsAtTo => {
            (format!("{} holds at {} as well: no threshold until there", args.vary, args.to), exit::NO)
        }
        Answer::Unresolved(at) => (
            format!("{}: at {at} it cannot be told whether it holds; see the plays with --json", args.vary),
            exit::NO,
        ),
        Answer::Threshold(found) => {
            text.push_str(&told(args, &found, state));
            let object = object.as_object().cloned().unwrap_or_default();
            return Reply::done(text, object.into()).with_field("threshold", threshold(args, &found));
        }
    };
    Reply::done(text + &said + "\n", object).with_field("threshold", serde_json::Value::Null).with_code(code)
}

fn told(args: &Args, found: &Threshold, state: &State) -> String {
    let tally = |value: Value| {
        state.trials.get(&value.to_string()).map(falseticker::campaign::Tried::tally).unwrap_or_default()
    };
    let list = |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "{}: failed at {} in {}, at {} in {}; the threshold lies between them\n",
        args.vary,
        found.held,
        tally(found.held),
        found.failed,
        tally(found.failed)
    );
    if !found.mixed.is_empty() {
        let _ = writeln!(text, "  plays disagree at {}", list(&found.mixed));
    }
    match found.always {
        Some(always) if always == found.failed => {}
        Some(always) => drop(writeln!(text, "  from {always} on all plays failed")),
        None => drop(writeln!(text, "  not all plays failed at {} either", args.to)),
    }
    if !found.held_again.is_empty() {
        let _ = writeln!(text, "  it is not monotone: it held again at {}", list(&found.held_again));
    }
    if !found.unresolved.is_empty() {
        let _ = writeln!(text, "  it cannot be told at {}", list(&found.unresolved));
    }
    text
}

fn threshold(args: &Args, found: &Threshold) -> serde_json::Value {
    let list = |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "path": args.vary.to_string(),
        "held": found.held.to_string(),
        "failed": found.failed.to_string(),
        "always_failed_from": found.always.map(|always| always.to_string()),
        "sharp": found.is_sharp(),
        "disagree": list(&found.mixed),
        "held_again": list(&found.held_again),
        "unresolved": list(&found.unresolved),
    })
}
