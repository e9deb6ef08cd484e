//! `falseticker strobe NODE --amplitude SPAN --period SPAN`.

use falseticker::fault::Strobe;
use falseticker::node::NodeName;
use falseticker::{Result, Span};

use super::output::{Output, Reply};
use super::{fault, values};

const EXAMPLES: &str = "\
Examples:
  falseticker strobe a --amplitude 200ms --period 1s
      200 ms ahead in the first half of every second
  falseticker strobe a --amplitude -5s --period 10ms --for 1m
      5 s behind, 100 times a second, for a minute";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// How far it is stepped, and which way
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = values::span)]
    pub amplitude: Span,

    /// How long there and back takes together
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = values::length)]
    pub period: Span,

    #[command(flatten)]
    pub options: fault::Options,
}

/// Strobes a node's clock.
pub fn strobe(args: &Args, output: &Output) -> Result<Reply> {
    let fault = Strobe { amplitude: args.amplitude, period: args.period };
    fault::apply(&args.node, fault, &args.options, output)
}
