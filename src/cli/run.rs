//! `falseticker run [FLAGS] -- COMMAND [ARG...]`.

use std::ffi::OsString;
use std::path::PathBuf;

use falseticker::fault::{Clocks, Drift, Fault, Jump, Set, Stall};
use falseticker::node::NodeName;
use falseticker::reach::Wanted;
use falseticker::run::Request;
use falseticker::units::{Faketime, Start};
use falseticker::{NodeInstant, Rate, Result, Span};

use super::output::Reply;
use super::{exit, values};

const EXAMPLES: &str = "\
Examples:
  falseticker run --jump -1h -- date                      an hour ago
  falseticker run --set '2038-01-19 03:14:00' -- ./app    before 32 bits end
  falseticker run --node a -- redis-server                to be steered as a
  falseticker run --node a -- redis-cli TIME              in the same node
  falseticker run --node a --capture -- ./app             for --on-output
  falseticker run --only etcd -- ./cluster.sh             that alone
  falseticker run --faketime '+1y x2' -- ./app            libfaketime's syntax

The faults are in force at the program's first read. The program has the terminal, standard input and output; signals \
are passed on to it. A node that run makes goes with its last process.
";

/// By which means programs are reached.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum Reach {
    /// The shim where it gets into a program, else its vDSO is replaced.
    #[default]
    Auto,
    /// The shim alone; what it does not get into is refused.
    Preload,
    /// Each program's vDSO is replaced when it is executed.
    Vdso,
}

impl From<Reach> for Wanted {
    fn from(reach: Reach) -> Wanted {
        match reach {
            Reach::Auto => Wanted::Auto,
            Reach::Preload => Wanted::Preload,
            Reach::Vdso => Wanted::Vdso,
        }
    }
}

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n{}", exit::of_run()))]
#[command(override_usage = "falseticker run [OPTIONS] -- COMMAND [ARG...]")]
pub struct Args {
    /// The node to run in: joined if there is one of that name, else made
    #[arg(long, value_name = "NAME")]
    pub node: Option<NodeName>,

    /// Step the clock by SPAN: -1h30m, +250ms
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = values::span)]
    pub jump: Option<Span>,

    /// Set the wall clock to INSTANT: RFC 3339, 'YYYY-MM-DD hh:mm:ss' in your own zone, or @unix
    #[arg(long, value_name = "INSTANT", conflicts_with = "jump", allow_hyphen_values = true, value_parser = values::instant)]
    pub set: Option<NodeInstant>,

    /// Let the clock run at RATE: 200ppm, -5%, 0.5x
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, value_parser = values::rate)]
    pub drift: Option<Rate>,

    /// Which clocks the faults touch: the wall clock alone, or all (only with --monotonic)
    #[arg(long = "clock", value_name = "CLOCKS", value_enum, default_value_t)]
    pub clocks: Clocks,

    /// Let faults touch the node's monotonic clocks too; fixed when the node is made
    #[arg(long)]
    pub monotonic: bool,

    /// The fault in libfaketime's syntax: -15d, '+1y x2', '@2020-12-24 20:30:00'
    #[arg(long, value_name = "SPEC", allow_hyphen_values = true, value_parser = values::faketime)]
    #[arg(conflicts_with_all = ["jump", "set", "drift"])]
    pub faketime: Option<Faketime>,

    /// Let programs of other users be in the node, and those that change user; fixed when the node is made
    #[arg(long)]
    pub share: bool,

    /// Pass clock_settime, adjtimex and the like on to the machine, not refuse them; fixed when the node is made
    #[arg(long)]
    pub allow_settime: bool,

    /// By which means programs are reached: the preloaded shim where it gets in and a replaced vDSO elsewhere, or one of them
    #[arg(long, value_name = "MEANS", value_enum, default_value_t)]
    pub reach: Reach,

    /// End the program when something below it would read the true clock
    #[arg(long)]
    pub strict_tree: bool,

    /// Give the false clock to COMMAND alone, a file's name or path; can be repeated; fixed when the node is made
    #[arg(long, value_name = "COMMAND", conflicts_with = "skip")]
    pub only: Vec<OsString>,

    /// Leave COMMAND out, which then reads true time; can be repeated; fixed when the node is made
    #[arg(long, value_name = "COMMAND")]
    pub skip: Vec<OsString>,

    /// Pass the program's output on, so that --on-output of other commands can wait for a line of it
    #[arg(long)]
    pub capture: bool,

    /// Write run's own record to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, num_args = 1.., trailing_var_arg = true)]
    pub command: Vec<OsString>,

    /// Only here so that it is refused with a reason.
    #[arg(long, hide = true)]
    pub json: bool,
}

impl Args {
    /// What is asked of the library.
    pub fn request(&self) -> Request {
        Request {
            command: self.command.clone(),
            node: self.node.clone(),
            monotonic: self.monotonic,
            share: self.share,
            allow_settime: self.allow_settime,
            reach: self.reach.into(),
            strict_tree: self.strict_tree,
            only: self.only.clone(),
            skip: self.skip.clone(),
            capture: self.capture,
            clocks: self.clocks,
            faults: self.faults(),
            report: self.report.clone(),
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let jump = self.jump.map(|by| Jump { by }.into());
        let set = self.set.map(|to| Set { to }.into());
        let drift = self.drift.map(|rate| Drift { rate }.into());
        let flags = [jump, set, drift].into_iter().flatten();
        flags.chain(self.faketime.iter().flat_map(of_faketime)).collect()
    }
}

/// The faults that make what libfaketime would.
fn of_faketime(faketime: &Faketime) -> Vec<Fault> {
    let mut faults: Vec<Fault> = match faketime.start {
        Start::True => Vec::new(),
        // `+0` is a way of saying "true time" that scripts use.
        Start::Offset(Span::ZERO) => Vec::new(),
        Start::Offset(by) => vec![Jump { by }.into()],
        Start::At(to) => vec![Set { to }.into()],
        // In this order the clock stands at the instant itself: it does not run between the two.
        Start::Stopped(to) => vec![Stall.into(), Set { to }.into()],
    };
    faults.extend(faketime.rate.filter(|rate| *rate != Rate::TRUE).map(|rate| Fault::from(Drift { rate })));
    faults
}

/// Runs a command in a node.
pub fn run(args: &Args) -> Result<Reply> {
    falseticker::run::run(&args.request()).map(Reply::silent)
}
