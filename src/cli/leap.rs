//! `falseticker leap NODE insert|delete|smear`.

use falseticker::fault::{Leap, LeapKind};
use falseticker::node::NodeName;
use falseticker::{Result, Span};

use super::output::{Output, Reply};
use super::{fault, values};

const EXAMPLES: &str = "\
Examples:
  falseticker leap a insert               the clock is stepped back by a second
  falseticker leap a delete               it is stepped forward by one
  falseticker leap a smear --window 1h    a second is slewed away within an hour
  falseticker leap a insert --on-command ./is-leader.sh

CLOCK_TAI, which a real leap second leaves alone, goes with the wall clock.
";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// Which leap second
    #[arg(value_name = "KIND", value_enum)]
    pub kind: LeapKind,

    /// Smear it over SPAN; 24h without it
    #[arg(long, value_name = "SPAN", value_parser = values::length)]
    pub window: Option<Span>,

    #[command(flatten)]
    pub options: fault::Options,
}

/// Inserts, deletes or smears a leap second.
pub fn leap(args: &Args, output: &Output) -> Result<Reply> {
    let fault = Leap::new(args.kind, args.window)?.fault()?;
    fault::apply(&args.node, fault, &args.options, output)
}
