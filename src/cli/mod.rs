//! The command line: one file a command, each of which turns its flags into calls of the library and what comes back
//! into a [`Reply`].
//!
//! What must hold: nothing is decided here that a program which uses the library could not decide as well; every
//! command but those that only print begins by putting right what killed processes left; no thread is started before `run` forks; the exit code
//! is one of [`exit::TABLE`].

mod args;
mod attach;
mod campaign;
mod check;
mod completions;
mod create;
mod demo;
mod detach;
mod doctor;
mod drift;
mod env;
mod exit;
mod fault;
mod freeze;
mod heal;
mod jump;
mod leap;
mod leaseholder;
mod log;
mod logging;
mod man;
mod nemesis;
mod output;
mod play;
mod remove;
mod report;
mod run;
mod set;
mod shrink;
mod signals;
mod slew;
mod stall;
mod status;
mod strobe;
mod suspend;
mod sweep;
mod table;
mod thaw;
mod trigger;
mod usage;
mod values;
mod watch;

#[cfg(test)]
mod documents;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::process::ExitCode;

use falseticker::Result;
use falseticker::node::{self, BaseDir};

use args::{Cli, Command};
use output::{Output, Reply};

/// Parses, runs, and says with which code to exit.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    let code = match usage::parse(&words) {
        Ok(cli) => {
            logging::begin(cli.verbose);
            carry_out(&cli)
        }
        Err(usage::Stop::Printed(code)) => code,
        Err(usage::Stop::Refused { error, json, run }) => {
            Output::new(json).refuse(&error, exit::code(&error, run))
        }
    };
    ExitCode::from(code)
}

fn carry_out(cli: &Cli) -> u8 {
    let output = Output::new(cli.json);
    if !cli.command.only_prints() {
        put_right();
    }
    let of_run = matches!(cli.command, Command::Run(_));
    let done = dispatch(&cli.command, &output, cli.json).and_then(|reply| output.finish(reply));
    done.unwrap_or_else(|error| output.refuse(&error, exit::code(&error, of_run)))
}

fn dispatch(command: &Command, output: &Output, json: bool) -> Result<Reply> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Create(args) => create::create(args),
        Command::Attach(args) => attach::attach(args, output),
        Command::Detach(args) => detach::detach(args, output),
        Command::Env(args) => env::env(args),
        Command::Jump(args) => jump::jump(args, output),
        Command::Set(args) => set::set(args, output),
        Command::Drift(args) => drift::drift(args, output),
        Command::Slew(args) => slew::slew(args, output),
        Command::Stall(args) => stall::stall(args, output),
        Command::Strobe(args) => strobe::strobe(args, output),
        Command::Leap(args) => leap::leap(args, output),
        Command::Freeze(args) => freeze::freeze(args, output),
        Command::Suspend(args) => suspend::suspend(args, output),
        Command::Thaw(args) => thaw::thaw(args),
        Command::Heal(args) => heal::heal(args, output),
        Command::Status(args) => status::status(args),
        Command::Watch(args) => watch::watch(args, json),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Remove(args) => remove::remove(args),
        Command::Demo(args) => demo::demo(args, output),
        Command::Play(args) => play::play(args, json),
        Command::Shrink(args) => shrink::shrink(args, output),
        Command::Sweep(args) => sweep::sweep(args, output),
        Command::Nemesis(args) => nemesis::nemesis(args),
        Command::Check(args) => check::check(args),
        Command::Report(args) => report::report(args),
        Command::Log(args) => log::log(args, output),
        Command::Leaseholder(args) => leaseholder::leaseholder(args),
        Command::Completions(args) => completions::completions(args),
        Command::Man(args) => man::man(args),
    }
}

/// Puts right what killed processes left behind. That it cannot is no reason not to do what was asked.
fn put_right() {
    // Where no nodes can live the command itself says so, if it needs any.
    let Ok(base) = BaseDir::find() else { return };
    tracing::info!("nodes live in {}", base.path().display());
    if let Err(why) = node::sweep() {
        tracing::warn!("{why}");
    }
}
