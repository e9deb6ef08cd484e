//! `falseticker jump NODE SPAN`.

use falseticker::fault::Jump;
use falseticker::node::NodeName;
use falseticker::{Result, Span};

use super::output::{Output, Reply};
use super::{fault, values};

const EXAMPLES: &str = "\
Examples:
  falseticker jump a -1h                    an hour back
  falseticker jump a +250ms --wait 5s       until every process has read it
  falseticker jump a -30s --for 1m          and back again after a minute
  falseticker jump a -1h --on-command 'curl -sf localhost/leader'
  falseticker jump a 10s --clock all        needs create a --monotonic";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// How far, and which way: -1h30m, +250ms
    #[arg(value_name = "SPAN", allow_hyphen_values = true, value_parser = values::span)]
    pub by: Span,

    #[command(flatten)]
    pub options: fault::Options,
}

/// Steps a node's clock.
pub fn jump(args: &Args, output: &Output) -> Result<Reply> {
    fault::apply(&args.node, Jump { by: args.by }, &args.options, output)
}
