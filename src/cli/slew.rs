//! `falseticker slew NODE SPAN --rate RATE`.

use falseticker::fault::Slew;
use falseticker::node::NodeName;
use falseticker::{Rate, Result, Span};

use super::output::{Output, Reply};
use super::{fault, values};

const EXAMPLES: &str = "\
Examples:
  falseticker slew a +1s --rate 500ppm      gained in 33m20s, as by ntpd
  falseticker slew a -200ms --rate 10%      lost in 2 s, never backward";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// How far it is led, and which way: -200ms, +1s
    #[arg(value_name = "SPAN", allow_hyphen_values = true, value_parser = values::span)]
    pub by: Span,

    /// How fast, as a deviation whose sign follows from SPAN: 500ppm, 10%
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, value_parser = values::rate)]
    pub rate: Rate,

    #[command(flatten)]
    pub options: fault::Options,
}

/// Slews a node's clock.
pub fn slew(args: &Args, output: &Output) -> Result<Reply> {
    fault::apply(&args.node, Slew::new(args.by, args.rate)?, &args.options, output)
}
