//! `falseticker remove NODE`.

use falseticker::Result;
use falseticker::node::{self, NodeName};
use serde_json::json;

use super::output::Reply;

const EXAMPLES: &str = "\
Examples:
  falseticker remove a                      healed and thawed first";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,
}

/// Removes a node.
pub fn remove(args: &Args) -> Result<Reply> {
    node::remove(args.node.as_str())?;
    Ok(Reply::done(format!("node {}: removed", args.node), json!({ "node": args.node, "removed": true })))
}
