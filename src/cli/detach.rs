//! `falseticker detach [--node NAME] [--pid PID...]`.

use falseticker::node::{BaseDir, NodeDir, NodeName, attached_to};
use falseticker::reach::Detached;
use falseticker::{Error, Node, Result};
use serde_json::{Value, json};

use super::exit;
use super::output::{Output, Reply, complain, error_json};
use super::table::short;

const EXAMPLES: &str = "\
Examples:
  falseticker detach --pid 4242             its own clock again
  falseticker detach --node a               all that were attached to it
  falseticker detach --node a --pid 4242    this one, if it is there

Its vDSO has the kernel's own bytes afterwards. (heal ends faults, and leaves processes in their nodes.)";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "whom", multiple = true, required = true, args = ["pids", "node"])]
pub struct Args {
    /// The processes; without it, all that were attached to the node, and their children
    #[arg(long = "pid", value_name = "PID", num_args = 1.., allow_negative_numbers = true)]
    pub pids: Vec<i32>,

    /// The node that they are attached to
    #[arg(long, value_name = "NAME")]
    pub node: Option<NodeName>,
}

/// Gives attached processes their own clocks back.
pub fn detach(args: &Args, output: &Output) -> Result<Reply> {
    let base = BaseDir::find()?;
    let node =
        args.node.as_ref().map(|name| NodeDir::open(&base, name).and_then(Node::of_dir)).transpose()?;
    let all: Vec<Result<(NodeName, Detached)>> = match &node {
        Some(node) if args.pids.is_empty() => {
            let named = |one: Result<Detached>| one.map(|one| (node.name().clone(), one));
            node.detach_all()?.into_iter().map(named).collect()
        }
        _ => args.pids.iter().map(|pid| one(node.as_ref(), *pid)).collect(),
    };
    if all.is_empty() {
        output.say("nobody is attached to it")?;
    }
    let (mut detached, mut failed, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for one in all {
        match one {
            Ok((node, one)) => {
                output.say(&format!(
                    "node {node}: process {} detached; stopped for {}",
                    one.process,
                    short(one.stopped)
                ))?;
                detached.push(to_json(&node, &one));
            }
            Err(why) => {
                complain(&why);
                kinds.push(why.kind());
                failed.push(error_json(&why));
            }
        }
    }
    Ok(Reply::done("", json!({ "detached": detached, "failed": failed })).with_code(exit::worst(kinds)))
}

fn one(node: Option<&Node>, pid: i32) -> Result<(NodeName, Detached)> {
    match node {
        Some(node) => node.detach(pid).map(|one| (node.name().clone(), one)),
        None => {
            let dir = attached_to(pid)?;
            let node = Node::of_dir(dir).map_err(|why: Error| why.remedy("falseticker remove it"))?;
            node.detach(pid).map(|one| (node.name().clone(), one))
        }
    }
}

fn to_json(node: &NodeName, detached: &Detached) -> Value {
    json!({ "node": node, "pid": detached.process.pid, "stopped_ns": detached.stopped.as_nanos() })
}
