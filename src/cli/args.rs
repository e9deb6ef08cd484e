//! The grammar: what can be typed, and what `--help` says about it.

use clap::{ArgAction, Parser, Subcommand};

use super::{
    attach, check, completions, create, demo, detach, doctor, drift, env, exit, freeze, heal, jump, leap,
    leaseholder, log, man, nemesis, play, remove, report, run, set, shrink, slew, stall, status, strobe,
    suspend, sweep, thaw, watch,
};

/// Skew the clock of unmodified programs, freeze them at the worst moment, and prove that each fault arrived.
#[derive(Debug, Parser)]
#[command(
    name = "falseticker",
    version,
    about = "Skew the clock of unmodified programs, freeze them at the worst moment, and prove that each fault arrived",
    long_about = LONG,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n{UNITS}\n{}\n{ENVIRONMENT}", exit::text()),
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Print one JSON object instead of lines for people; an error too is one, beside the text on standard error
    #[arg(long, global = true)]
    pub json: bool,

    /// Say on standard error what is done; twice for more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what this is about: a paused leaseholder, without and with fencing tokens
    Demo(demo::Args),
    /// Run a command in a node, under its clock
    Run(run::Args),
    /// Make a node without processes; it stays until it is removed
    Create(create::Args),
    /// Have running processes join a node, without restart
    Attach(attach::Args),
    /// Give attached processes their own clocks back
    Detach(detach::Args),
    /// Print the variables that put a process into a node
    Env(env::Args),
    /// Step a node's clock by a span
    Jump(jump::Args),
    /// Set a node's wall clock to an instant
    Set(set::Args),
    /// Let a node's clock run at another rate
    Drift(drift::Args),
    /// Lead a node's clock by a span, without a step
    Slew(slew::Args),
    /// Let a node's clock stand still
    Stall(stall::Args),
    /// Step a node's clock there and back, over and over
    Strobe(strobe::Args),
    /// Give a node's clock a leap second
    Leap(leap::Args),
    /// Stop all of a node's processes, and confirm that they stand still
    Freeze(freeze::Args),
    /// Suspend a node as a virtual machine is: frozen, and its monotonic clock does not count it
    Suspend(suspend::Args),
    /// Let a frozen node's processes go on
    Thaw(thaw::Args),
    /// End all faults: wall clocks true again, frozen processes running
    Heal(heal::Args),
    /// Show clocks, changes, processes, and which process has read what
    Status(status::Args),
    /// Watch nodes live in the terminal, and fault them by keys
    Watch(watch::Args),
    /// Show what this machine allows, and how a program or a process is reached
    Doctor(doctor::Args),
    /// Remove a node; its processes have true clocks from then on
    Remove(remove::Args),
    /// Play a scenario: nodes with their programs, and a timeline of faults
    Play(play::Args),
    /// Reduce a scenario that fails to the fewest and smallest faults that still make it fail
    Shrink(shrink::Args),
    /// Find the greatest skew or pause that is safe: where a scenario begins to fail
    Sweep(sweep::Args),
    /// Draw a timeline of faults from a seed
    Nemesis(nemesis::Args),
    /// Print a history, what happened in a scenario
    Log(log::Args),
    /// Judge a history: which property holds, which is violated, and by what witness
    Check(check::Args),
    /// Draw a history: what happened, and what came of it, as a page or a picture
    Report(report::Args),
    /// A program of the paused leaseholder
    #[command(hide = true)]
    Leaseholder(leaseholder::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page
    Man(man::Args),
}

impl Command {
    /// Whether it touches no node.
    pub fn only_prints(&self) -> bool {
        matches!(
            self,
            Command::Completions(_)
                | Command::Man(_)
                | Command::Doctor(_)
                | Command::Nemesis(_)
                | Command::Log(_)
                | Command::Check(_)
                | Command::Leaseholder(_)
                | Command::Report(_)
        )
    }
}

const LONG: &str = "\
Skew the clock of unmodified programs, freeze them at the worst moment, and prove that each fault arrived.

A node is a named group of processes that share one false clock, as one machine's processes do. Programs are run \
in it, and its clock is steered while they run. Each fault has an id; a process that reads its clock under the fault \
leaves a mark, so that `status` and `--wait` can tell whom the fault has reached and how soon.";

const EXAMPLES: &str = "\
Examples:
  falseticker run --node a -- redis-server  run a program in node a
  falseticker attach --pid 4242 --node a    or have a running one join it
  falseticker jump a -1h --wait 5s          an hour back; who has read it?
  falseticker drift a 200ppm --for 10m      a bad oscillator
  falseticker freeze a --for 15s            a stop-the-world pause
  falseticker status a                      clocks, processes, evidence
  falseticker watch                         the same live, and faults by keys
  falseticker heal                          all wall clocks true again
  falseticker play scenario.toml            a whole scenario, and what came of it
";

const UNITS: &str = "\
Spans, lengths, rates and instants:
  SPAN     -1h30m, +250ms, 1.5s      units ns us ms s m (minutes) h d; never a bare number
  LENGTH   200ms, uniform(10ms,2s)   a span, or drawn: see freeze --help
  RATE     200ppm, -5%, 0.5x, 2x     a deviation from true, or a multiple of true
  INSTANT  2026-11-23T12:00:00Z      RFC 3339
           2026-11-23 12:00:00       in your own zone
           @1700000000               seconds since 1970
";

const ENVIRONMENT: &str = "\
Environment:
  FALSETICKER_DIR  where nodes live: a directory of your own on tmpfs; otherwise
                   $XDG_RUNTIME_DIR/falseticker, or /dev/shm/falseticker-UID
  FALSETICKER_LOG  what is logged on standard error: debug, falseticker::freeze=trace";
