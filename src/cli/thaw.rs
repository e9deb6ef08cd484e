//! `falseticker thaw NODE`.

use std::collections::BTreeSet;

use falseticker::freeze::Record;
use falseticker::node::{BaseDir, NodeDir, NodeName};
use falseticker::trap::Released;
use falseticker::{Error, Result, freeze, suspend, trap};
use serde_json::{Value, json};

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

/// What was let go.
#[derive(Debug)]
pub struct Thawed {
    node: NodeName,
    /// Whom pauses held; `None` where there was none.
    thawed: Option<Vec<i32>>,
    released: Released,
}

/// Lets a node's processes go on, whatever state its page is in.
pub fn thaw(args: &Args) -> Result<Reply> {
    let thawed = let_go(&args.node)?;
    let json = json!({
        "node": thawed.node,
        "thawed": thawed.thawed.is_some(),
        "processes": thawed.thawed.as_deref().unwrap_or_default(),
        "trap": released_json(&thawed.released),
    });
    Ok(Reply::done(thawed.line(), json))
}

/// Ends the pauses and the trap of a node.
pub fn let_go(name: &NodeName) -> Result<Thawed> {
    let dir = NodeDir::open(&BaseDir::find()?, name)?;
    let is_beginning = suspend::wake_early(&dir);
    let ended = freeze::thaw(dir.path())?;
    if is_beginning && ended.is_empty() {
        return Err(Error::not_applied(
            format_args!("thaw node {name}"),
            "a suspend of it is just beginning",
        )
        .remedy("try again when it has begun"));
    }
    let released = trap::release(&dir)?;
    Ok(Thawed { node: name.clone(), thawed: (!ended.is_empty()).then(|| pids(&ended)), released })
}

impl Thawed {
    /// "node a: thawed, 3 processes".
    pub fn line(&self) -> String {
        let mut said = Vec::new();
        if let Some(pids) = &self.thawed {
            said.push(format!("thawed, {}", count(pids.len(), "process", "processes")));
        }
        said.extend(released_words(&self.released));
        if said.is_empty() {
            said.push("was not frozen".to_owned());
        }
        format!("node {}: {}", self.node, said.join("; "))
    }
}

/// What was done to a trap, in words.
pub fn released_words(released: &Released) -> Vec<String> {
    let disarmed = released.was_armed.then(|| "its trap is disarmed".to_owned());
    let held = released.held.len();
    let let_go = (held > 0).then(|| format!("{} let go", count(held, "held thread", "held threads")));
    disarmed.into_iter().chain(let_go).collect()
}

/// The same as an object.
pub fn released_json(released: &Released) -> Value {
    json!({
        "disarmed": released.was_armed,
        "released": released.held.iter().map(|firing| firing.tid).collect::<Vec<_>>(),
    })
}

/// Whom these pauses held, each once.
pub fn pids(ended: &[Record]) -> Vec<i32> {
    let all: BTreeSet<i32> = ended.iter().flat_map(|record| &record.processes).map(|id| id.pid).collect();
    all.into_iter().collect()
}
