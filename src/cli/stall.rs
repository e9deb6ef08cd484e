//! `falseticker stall NODE`.

use falseticker::Result;
use falseticker::fault::Stall;
use falseticker::node::NodeName;

use super::fault;
use super::output::{Output, Reply};

const EXAMPLES: &str = "\
Examples:
  falseticker stall a --for 2s              2 s behind from then on
  falseticker stall a                       until another fault, or heal";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    #[command(flatten)]
    pub options: fault::Options,
}

/// Stalls a node's clock.
pub fn stall(args: &Args, output: &Output) -> Result<Reply> {
    fault::apply(&args.node, Stall, &args.options, output)
}
