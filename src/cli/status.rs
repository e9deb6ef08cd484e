//! `falseticker status [NODE]`.

pub mod text;

use falseticker::node::{self, NodeName, Status};
use falseticker::{Error, Node, Result};
use serde_json::{Value, json};

use super::exit;
use super::output::{Reply, complain, error_json};

const EXAMPLES: &str = "\
Examples:
  falseticker status                        all nodes
  falseticker status a                      one of them
  falseticker status a --json               for programs (_ns: CLOCK_MONOTONIC)";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node; without a name, all
    #[arg(value_name = "NODE")]
    pub node: Option<NodeName>,
}

/// Shows nodes.
pub fn status(args: &Args) -> Result<Reply> {
    if let Some(name) = &args.node {
        let status = node::status(&Node::open(name.as_str())?)?;
        return Ok(reply(&[status], &[]));
    }
    let (mut nodes, mut damaged) = (Vec::new(), Vec::new());
    for dir in Node::all()? {
        let name = dir.name().clone();
        match Node::of_dir(dir.clone()).and_then(|node| node::status(&node)) {
            Ok(status) => nodes.push(status),
            // One that goes while it is looked at is no damage.
            Err(_) if !dir.path().exists() => {}
            Err(why) => damaged.push((name, why)),
        }
    }
    Ok(reply(&nodes, &damaged))
}

fn reply(nodes: &[Status], damaged: &[(NodeName, Error)]) -> Reply {
    for (_, why) in damaged {
        complain(why);
    }
    let flaw = |(name, why): &(NodeName, Error)| json!({ "node": name, "error": error_json(why) });
    let flaws: Vec<Value> = damaged.iter().map(flaw).collect();
    let text = match (nodes, damaged) {
        ([], []) => "no nodes".to_owned(),
        _ => nodes.iter().map(text::of).collect::<Vec<_>>().join("\n"),
    };
    Reply::done(text, json!({ "nodes": nodes, "damaged": flaws }))
        .with_code(exit::worst(damaged.iter().map(|(_, why)| why.kind())))
}
