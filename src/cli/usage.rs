//! Parsing, and what is said of a command line that cannot be understood.
//!
//! What must hold: whoever's fault it was, the message has the shape of every other error, names the flag, and says
//! what to write instead; usage errors of `run` exit as its other failures do.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind as ClapKind};
use clap::{CommandFactory, Parser};
use falseticker::Error;

use super::args::{Cli, Command};

/// What an error of usage says was attempted.
const ATTEMPTED: &str = "understand the command line";

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
            refused(explain(&flaw, words), !run && wants_json(words))
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
fn explain(flaw: &clap::Error, words: &[OsString]) -> Error {
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
    if let Some(flag) = unknown_flag(flaw, words) {
        return Error::bad_input(ATTEMPTED, format_args!("unexpected argument '{flag}' found"))
            .remedy("see --help");
    }
    of_text(&flaw.render().to_string())
}

/// The flag that nobody knows and that stood where a value with a sign may stand: clap takes it for that value, and
/// complains of the value itself.
fn unknown_flag<'a>(flaw: &clap::Error, words: &'a [OsString]) -> Option<&'a str> {
    let blamed = match flaw.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(blamed)) => blamed,
        _ => return None,
    };
    if flaw.kind() != ClapKind::UnknownArgument || blamed.starts_with("--") {
        return None;
    }
    let cli = Cli::command();
    let name = words.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-"))?;
    let command = cli.find_subcommand(name)?;
    let known = |flag: &str| {
        let all = cli.get_arguments().chain(command.get_arguments());
        all.filter_map(clap::Arg::get_long).chain(["help"]).any(|long| long == flag)
    };
    let mut flags = words.iter().skip(1).take_while(|word| *word != "--").filter_map(|word| word.to_str());
    let is_unknown = |flag: &str| !known(flag.split('=').next().unwrap_or(flag));
    flags.find(|word| word.strip_prefix("--").is_some_and(is_unknown))
}

/// What clap prints, sorted into what is wrong and what helps.
fn of_text(text: &str) -> Error {
    let (mut why, mut tips, mut usage) = (Vec::new(), Vec::new(), None);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            // That a flag nobody knows could be a value after `--` is true, and never meant.
            tips.extend((!tip.starts_with("to pass ")).then_some(tip));
        } else if let Some(line) = line.strip_prefix("Usage: ") {
            usage = Some(format!("usage: {line}"));
        } else if !line.starts_with("For more information") {
            why.push(line.trim_start_matches("error: "));
        }
    }
    // Beside a tip the usage says little: clap narrows it down to the flag that it guesses.
    let help = if tips.is_empty() { usage } else { Some(tips.join("; ")) };
    Error::bad_input(ATTEMPTED, why.join(" ")).remedy(help.unwrap_or_else(|| "see --help".to_owned()))
}

/// Whether the command is `run`: only flags without values can come before a command.
fn is_run(words: &[OsString]) -> bool {
    let is_flag = |word: &&OsString| word.as_encoded_bytes().starts_with(b"-");
    words.iter().skip(1).find(|word| !is_flag(word)).is_some_and(|word| word == "run")
}

fn wants_json(words: &[OsString]) -> bool {
    words.iter().take_while(|word| *word != "--").any(|word| word == "--json")
}
