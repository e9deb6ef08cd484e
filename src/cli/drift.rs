//! `falseticker drift NODE RATE`.

use falseticker::fault::Drift;
use falseticker::node::NodeName;
use falseticker::{Rate, Result};

use super::output::{Output, Reply};
use super::{fault, values};

const EXAMPLES: &str = "\
Examples:
  falseticker drift a 200ppm                a bad oscillator
  falseticker drift a -5% --for 10m         what was lost stays lost
  falseticker drift a 2x --clock all        needs create a --monotonic
  falseticker drift a 1x                    the true rate; keeps the offset";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// The rate: a deviation (200ppm, -5%) or a multiple of true (0.5x)
    #[arg(value_name = "RATE", allow_hyphen_values = true, value_parser = values::rate)]
    pub rate: Rate,

    #[command(flatten)]
    pub options: fault::Options,
}

/// Changes the rate of a node's clock.
pub fn drift(args: &Args, output: &Output) -> Result<Reply> {
    fault::apply(&args.node, Drift { rate: args.rate }, &args.options, output)
}
