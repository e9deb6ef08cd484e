//! `falseticker set NODE INSTANT`.

use falseticker::fault::Set;
use falseticker::node::NodeName;
use falseticker::{NodeInstant, Result};

use super::output::{Output, Reply};
use super::{fault, values};

const EXAMPLES: &str = "\
Examples:
  falseticker set a 2038-01-19T03:14:00Z      just before 32 bits end
  falseticker set a '2026-12-31 23:59:55'     in your own zone
  falseticker set a @1700000000 --for 1m      back again after a minute";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// What its wall clock shows from now on: RFC 3339, 'YYYY-MM-DD hh:mm:ss' in your own zone, or @unix
    #[arg(value_name = "INSTANT", allow_hyphen_values = true, value_parser = values::instant)]
    pub to: NodeInstant,

    #[command(flatten)]
    pub options: fault::Options,
}

/// Sets a node's wall clock.
pub fn set(args: &Args, output: &Output) -> Result<Reply> {
    fault::apply(&args.node, Set { to: args.to }, &args.options, output)
}
