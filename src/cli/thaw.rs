//! `falseticker thaw NODE`.

use std::collections::BTreeSet;

use falseticker::freeze::Record;
use falseticker::node::{BaseDir, NodeDir, NodeName};
use falseticker::{Result, freeze, suspend};
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
    suspend::wake_early(&dir);
    let ended = freeze::thaw(dir.path())?;
    let pids = pids(&ended);
    let text = if ended.is_empty() {
        format!("node {}: was not frozen", args.node)
    } else {
        format!("node {}: thawed, {}", args.node, count(pids.len(), "process", "processes"))
    };
    Ok(Reply::done(text, json!({ "node": args.node, "thawed": !ended.is_empty(), "processes": pids })))
}

/// Whom these pauses held, each once.
pub fn pids(ended: &[Record]) -> Vec<i32> {
    let all: BTreeSet<i32> = ended.iter().flat_map(|record| &record.processes).map(|id| id.pid).collect();
    all.into_iter().collect()
}
