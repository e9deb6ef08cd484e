//! `falseticker doctor [COMMAND [ARG...] | --pid PID]`.

mod text;

use std::ffi::OsString;

use falseticker::doctor::{self, Finding, ProcessReport, ProgramReport};
use falseticker::{Error, Result};
use serde_json::json;

use super::exit;
use super::output::Reply;
use super::run::Reach;

const EXAMPLES: &str = "\
Examples:
  falseticker doctor                        what this machine allows
  falseticker doctor ./app                  how it will be reached, how far
  falseticker doctor --reach vdso ./app     the same by means of your choice
  falseticker doctor --pid 4711             how it is reached, or could be
  falseticker doctor --json ./app           for programs

Nothing is changed, and the command is not run. What is allowed is found out by doing it, in a child that ends at once. \
With a COMMAND or a PID, of the machine only what is missing is shown; --json has all.

Exits with 1 when a fault would not arrive there; without COMMAND and PID, when it could arrive nowhere.";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(
    override_usage = "falseticker doctor [OPTIONS] [COMMAND [ARG...]]\n       falseticker doctor --pid PID"
)]
pub struct Args {
    /// A process that runs
    #[arg(long, value_name = "PID", conflicts_with = "command")]
    pub pid: Option<i32>,

    /// By which means the command is to be reached
    #[arg(long, value_name = "MEANS", value_enum, default_value_t, conflicts_with = "pid")]
    pub reach: Reach,

    /// The command, as it would be given to run; its arguments do not matter
    #[arg(value_name = "COMMAND", num_args = 1.., trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

/// Who is asked about.
enum Subject {
    Machine,
    Program(ProgramReport),
    Process(ProcessReport),
}

/// Says what is allowed, and how somebody is reached.
pub fn doctor(args: &Args) -> Result<Reply> {
    let machine = doctor::machine();
    let subject = match (args.command.first(), args.pid) {
        (Some(command), _) => Subject::Program(doctor::program(command, args.reach.into(), &machine)?),
        (None, Some(pid)) => Subject::Process(doctor::process(pid, &machine).map_err(asked)?),
        (None, None) => Subject::Machine,
    };
    Ok(reply(&machine, &subject))
}

/// The same error, of somebody who only asks.
fn asked(why: Error) -> Error {
    let pid = why.attempted().rsplit(' ').next().unwrap_or_default().to_owned();
    let error = Error::new(why.kind(), format!("examine process {pid}"), why.why());
    match why.help() {
        Some(help) => error.remedy(help),
        None => error,
    }
}

fn reply(machine: &[Finding], subject: &Subject) -> Reply {
    let (program, process, arrives) = match subject {
        Subject::Machine => (None, None, doctor::reaches_anything(machine)),
        Subject::Program(program) => (Some(program), None, program.arrives),
        Subject::Process(process) => (None, Some(process), process.arrives),
    };
    let text = match subject {
        Subject::Machine => text::machine(machine),
        Subject::Program(program) => text::program(program) + &text::missing(machine),
        Subject::Process(process) => text::process(process) + &text::missing(machine),
    };
    let json = json!({ "machine": machine, "program": program, "process": process, "arrives": arrives });
    Reply::done(text, json).with_code(if arrives { exit::DONE } else { exit::NO })
}
