//! `falseticker thaw NODE`.

use falseticker::node::{BaseDir, NodeDir, NodeName};
use falseticker::{Result, freeze};
use serde_json::json;

use super::output::Reply;
use super::table::count;

const EXAMPLES: &str = "\
Examples:
  falseticker thaw a                        its clock keeps its faults";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,
}

/// Lets a node's processes go on, whatever state its page is in.
pub fn thaw(args: &Args) -> Result<Reply> {
    let dir = NodeDir::open(&BaseDir::find()?, &args.node)?;
    let record = freeze::thaw(dir.path())?;
    let pids: Vec<i32> =
        record.iter().flat_map(|record| &record.processes).map(|process| process.pid).collect();
    let text = match &record {
        Some(_) => format!("node {}: thawed, {}", args.node, count(pids.len(), "process", "processes")),
        None => format!("node {}: was not frozen", args.node),
    };
    Ok(Reply::done(text, json!({ "node": args.node, "thawed": record.is_some(), "processes": pids })))
}
