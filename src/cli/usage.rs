//! Parsing, and what is said of a command line that cannot be understood.
//!
//! What must hold: whoever's fault it was, the message has the shape of every other error, names the flag, and says
//! what to write instead; usage errors of `run` exit as its other failures do.

use std::error::Error as _;
use std::ffi::OsString;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind as ClapKind};
use falseticker::Error;

use super::args::{Cli, Command};

/// Why a command line leads to no command.
#[derive(Debug)]
pub enum Stop {
    /// Help or a version was asked for and has been printed.
    Printed(u8),
    /// It cannot be understood.
    Refused {
        /// Why.
        error: Error,
        /// Whether `--json` was on it.
        json: bool,
        /// Whether it was one of `run`.
        run: bool,
    },
}

/// Parses a command line, the program's own name included.
pub fn parse(words: &[OsString]) -> Result<Cli, Stop> {
    let run = is_run(words);
    let refused = |error, json| Stop::Refused { error, json, run };
    let cli = Cli::try_parse_from(words).map_err(|flaw| {
        if matches!(flaw.kind(), ClapKind::DisplayHelp | ClapKind::DisplayVersion) {
            // A reader that has gone away wants no help.
            let _ = flaw.print();
            Stop::Printed(super::exit::DONE)
        } else if flaw.kind() == ClapKind::DisplayHelpOnMissingArgumentOrSubcommand {
            let _ = flaw.print();
            Stop::Printed(falseticker::ErrorKind::BadInput.exit_code())
        } else {
            refused(explain(&flaw), !run && wants_json(words))
        }
    })?;
    match &cli.command {
        Command::Run(args) if cli.json || args.json => Err(refused(
            Error::bad_input("print JSON", "standard output is the program's")
                .remedy("leave --json away; --report FILE has run's own record"),
            false,
        )),
        _ => Ok(cli),
    }
}

/// What clap says, as an error of ours.
fn explain(flaw: &clap::Error) -> Error {
    if let Some(ours) = flaw.source().and_then(|source| source.downcast_ref::<Error>()) {
        let flag = match flaw.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(name)) if name.starts_with('-') => name.split(' ').next(),
            _ => None,
        };
        let attempted =
            flag.map_or(ours.attempted().to_owned(), |flag| format!("{} ({flag})", ours.attempted()));
        let error = Error::new(ours.kind(), attempted, ours.why());
        return ours.help().map_or(error.clone(), |help| error.remedy(help));
    }
    let text = flaw.render().to_string();
    let mut why: Vec<&str> = Vec::new();
    let mut help: Vec<String> = Vec::new();
    for paragraph in text.split("\n\n") {
        let lines = || paragraph.lines().map(str::trim).filter(|line| !line.is_empty());
        for line in lines() {
            if let Some(tip) = line.strip_prefix("tip: ") {
                help.push(tip.to_owned());
            } else if let Some(usage) = line.strip_prefix("Usage: ") {
                help.push(format!("usage: {usage}"));
            } else if why.is_empty() || !(help.is_empty() && line.starts_with("For more information")) {
                why.push(line.trim_start_matches("error: "));
            }
        }
    }
    why.retain(|line| !line.starts_with("For more information"));
    let error = Error::bad_input("understand the command line", why.join(" "));
    if help.is_empty() { error.remedy("see --help") } else { error.remedy(help.join("\n        ")) }
}

/// Whether the command is `run`: only flags without values can come before a command.
fn is_run(words: &[OsString]) -> bool {
    let is_flag = |word: &&OsString| word.as_encoded_bytes().starts_with(b"-");
    words.iter().skip(1).find(|word| !is_flag(word)).is_some_and(|word| word == "run")
}

fn wants_json(words: &[OsString]) -> bool {
    words.iter().take_while(|word| *word != "--").any(|word| word == "--json")
}
