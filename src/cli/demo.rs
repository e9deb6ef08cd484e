//! `falseticker demo`: the paused leaseholder, without and with fencing tokens, told as a story.
//!
//! What must hold: everything that is told was measured in these two plays, by real processes under a real pause; if the pause
//! has not shown what it is to show, that is said, and the exit code is 1.

mod story;

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use falseticker::check::{Past, judge};
use falseticker::history::{Check, Line, Reader, Verdict, verdict};
use falseticker::player::{Options, Outcome, play, seed_of};
use falseticker::report::file::Target;
use falseticker::report::html::Html;
use falseticker::report::{Format, Report};
use falseticker::scenario::{Scenario, file};
use falseticker::{Error, ErrorKind, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::exit;
use super::output::{Output, Reply};
use super::signals::Signals;
use story::Story;

const EXAMPLES: &str = "\
Examples:
  falseticker demo                       some 12 s; writes ./falseticker-demo
  falseticker demo --seed 7 -d /tmp/d    the same pause again
  falseticker log falseticker-demo/unsafe.history
  falseticker check falseticker-demo/unsafe.history --rule lost-update

Exit code 0 if a write was lost without fencing tokens, and none with them; 1 if the pause has not shown that.
";

const PROLOGUE: &str = "\
Alice and bob take turns at a lease of one second. Who has it reads a number from a storage, looks at the clock,
and, the lease being good, writes one more: so no write is ever lost. Then alice is frozen in the middle of a write,
for longer than her lease, as a garbage collection or the migration of her machine would freeze her.
";

/// The two variants: what they are called, and the scenario, which differs in one word.
const VARIANTS: [(&str, &str, &str); 2] = [
    (
        "unsafe",
        "WITHOUT FENCING TOKENS: the client trusts its lease",
        include_str!("../../examples/leaseholder/freeze-unsafe.toml"),
    ),
    (
        "safe",
        "WITH FENCING TOKENS: the storage refuses a token that is older than one it has seen (storage --fencing)",
        include_str!("../../examples/leaseholder/freeze-safe.toml"),
    ),
];

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What the pause's instant is drawn from; told where it is not given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Where histories and reports are written; those of an earlier demo are replaced
    #[arg(short, long, value_name = "DIR", default_value = "falseticker-demo")]
    pub directory: PathBuf,
}

/// Plays both, and tells of them.
pub fn demo(args: &Args, output: &Output) -> Result<Reply> {
    std::fs::create_dir_all(&args.directory).map_err(|why| {
        Error::not_applied(format_args!("make the directory {}", args.directory.display()), why)
            .remedy("name another one with --directory")
    })?;
    output.say(PROLOGUE)?;
    let mut seed = args.seed;
    let mut told = Vec::new();
    for (name, title, text) in VARIANTS {
        let scenario = file::parse(text, &format!("freeze-{name}.toml"))?;
        // The second is to be paused at the same instant of its lease.
        let seed = *seed.get_or_insert_with(|| seed_of(&scenario, None));
        output.say(&format!("{title}\n"))?;
        let history = args.directory.join(format!("{name}.history"));
        let outcome = perform(&scenario, seed, &history)?;
        if outcome.interrupted {
            return Ok(Reply::done("interrupted", json!({"interrupted": true}))
                .with_code(ErrorKind::Interrupted.exit_code()));
        }
        told.push(tell(&history, outcome, output)?);
        draw(&history, &args.directory.join(format!("{name}.html")))?;
    }
    Ok(epilogue(args, seed, &told))
}

/// Plays one variant; nothing is said meanwhile but that it goes on.
fn perform(scenario: &Scenario, seed: u64, history: &Path) -> Result<Outcome> {
    let signals = Signals::hold()?;
    let cancel = signals.as_fd().try_clone_to_owned();
    let bar = ProgressBar::new_spinner().with_message("lock, storage, alice and bob are running");
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    // Moved on by what happens, and by no thread: the player forks.
    let ticked = bar.clone();
    let played = play(
        scenario,
        Options {
            seed: Some(seed),
            history: Some(history.to_owned()),
            overwrite: true,
            observer: Some(Box::new(move |_: &Line| ticked.tick())),
            falseticker: std::env::current_exe().ok(),
            cancel: Some(cancel.map_err(|why| Error::not_applied("wait for signals", why))?),
            ..Options::default()
        },
    );
    bar.finish_and_clear();
    signals.take();
    played
}

/// What came of one variant.
struct Told {
    checks: Vec<Check>,
    object: Value,
}

impl Told {
    fn is(&self, rule: &str, verdict: Verdict) -> bool {
        self.checks.iter().any(|check| check.check == rule && check.verdict == verdict)
    }
}

fn tell(history: &Path, outcome: Outcome, output: &Output) -> Result<Told> {
    let story = Story::read(&mut Reader::open(history)?)?;
    output.say(&story.text())?;
    // What both of them believed is no property that tokens could restore, and so not among the scenario's checks.
    let belief = judge(&Past::open(history)?, &["mutual-exclusion".parse()?]);
    let judged = outcome.checks.iter().filter(|check| check.verdict != Verdict::Holds || is_rule(check));
    for check in judged {
        output.say(&indented(&verdict(check, Some(story.start()))))?;
    }
    let both = belief.first().is_some_and(|check| check.verdict == Verdict::Violated);
    output.say(if both { "  (both believed at one instant that they held the lease)\n" } else { "" })?;
    let mut checks = outcome.checks;
    checks.extend(belief);
    let object = json!({"history": history, "steps": story.steps(), "checks": &checks});
    Ok(Told { checks, object })
}

/// Its report, in the place of that of an earlier demo.
fn draw(history: &Path, path: &Path) -> Result<()> {
    let page = Html.write(&Report::open(history, &[])?)?;
    Target::claim(path, true)?.write(&page)
}

/// Whether it is one of the scenario's own.
fn is_rule(check: &Check) -> bool {
    !["arrived", "programs"].contains(&check.check.as_str())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn epilogue(args: &Args, seed: Option<u64>, told: &[Told]) -> Reply {
    let shown = matches!(told, [without, with]
        if without.is("lost-update", Verdict::Violated) && without.is("fencing", Verdict::Violated)
            && with.is("lost-update", Verdict::Holds) && with.is("fencing", Verdict::Holds));
    let seed = seed.unwrap_or_default();
    let moral = if shown {
        "No look at a clock can prevent it: there is always a right after it. A token can, and is one condition:\n\
         see examples/leaseholder/storage.rs."
    } else {
        "The pause has not shown what it was to show: see the verdicts, and try again with another --seed."
    };
    let text = format!(
        "{moral}\nTo look at: {dir}/unsafe.html, {dir}/safe.html. Histories: falseticker log {dir}/unsafe.history, check, report. \
         (--seed {seed})",
        dir = args.directory.display()
    );
    let plays: Vec<&Value> = told.iter().map(|told| &told.object).collect();
    let object = json!({"seed": seed, "shown": shown, "plays": plays});
    Reply::done(text, object).with_code(if shown { exit::DONE } else { exit::NO })
}
