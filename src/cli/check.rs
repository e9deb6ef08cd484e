//! `falseticker check HISTORY`.

use std::path::PathBuf;

use falseticker::Result;
use falseticker::check::{Chosen, Past, RULES, judge, plain};
use falseticker::history::{Verdict, verdict};
use falseticker::report::file::Target;
use falseticker::report::junit::xml;
use serde_json::json;

use super::exit;
use super::output::Reply;

const EXAMPLES: &str = "\
Examples:
  falseticker check h --rule lost-update --rule fencing
  falseticker check h --rule recovers-within=5s --rule progress=10/1s
  falseticker check history.edn --rule linearizable     Jepsen's, EDN or JSON
  falseticker check h --json | jq .checks               with the witnesses
  falseticker check h --junit checks.xml                for what shows tests

Exit code 1 if a rule is violated; 0 if all hold or cannot be told. Rules, and the operations that they read:
";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = examples())]
pub struct Args {
    /// The history: a scenario's, or Jepsen's operations as lines of JSON or EDN
    #[arg(value_name = "HISTORY")]
    pub file: PathBuf,

    /// What it is judged by; may be repeated; without, every rule that needs no SPAN
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<Chosen>,

    /// Write the verdicts to FILE, as JUnit's XML: each a test case, unknown ones skipped
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Replace that file if there is one
    #[arg(long, requires = "junit")]
    pub overwrite: bool,
}

fn examples() -> String {
    let rule = |rule: &&dyn falseticker::check::Rule| {
        format!("  {}{}\n      {}\n", rule.name(), rule.needs().shown(), rule.reads())
    };
    EXAMPLES.to_owned() + &RULES.iter().map(rule).collect::<String>()
}

/// Judges a history.
pub fn check(args: &Args) -> Result<Reply> {
    let past = Past::open(&args.file)?;
    let junit = args.junit.as_ref().map(|path| Target::claim(path, args.overwrite)).transpose()?;
    let rules = match args.rule.as_slice() {
        [] => plain(),
        rules => rules.to_vec(),
    };
    let checks = judge(&past, &rules);
    if let Some(junit) = junit {
        junit.write(&xml(&args.file.display().to_string(), &checks, past.start, false)?)?;
    }
    let mut text: String = checks.iter().map(|check| verdict(check, past.start) + "\n").collect();
    past.notes.iter().for_each(|note| text.push_str(&format!("({note})\n")));
    let is_violated = checks.iter().any(|check| check.verdict == Verdict::Violated);
    let object = json!({
        "operations": past.ops.len(),
        "start_ns": past.start,
        "checks": checks,
        "notes": past.notes,
    });
    Ok(Reply::done(text, object).with_code(if is_violated { exit::NO } else { exit::DONE }))
}
