//! What is done to nodes, by the same calls of the library as the commands of that name.

use falseticker::fault::{Clocks, Drift, Fault, Jump};
use falseticker::freeze::shape::{Length, Seed};
use falseticker::freeze::{End, Plan};
use falseticker::node::{BaseDir, NodeDir, NodeName};
use falseticker::{Node, Result, host_clock};

use super::prompt::Deed;
use crate::cli::{fault, freeze, heal, thaw};

/// Does it; what is said of each node is what the command says.
pub fn carry_out(deed: &Deed) -> Vec<Result<String>> {
    match deed {
        Deed::Jump(node, by) => vec![put_in_force(node, Jump { by: *by }.into())],
        Deed::Drift(node, rate) => vec![put_in_force(node, Drift { rate: *rate }.into())],
        Deed::Freeze(node, length) => vec![freeze_for(node, length.as_ref())],
        Deed::Thaw(node) => vec![thaw::let_go(node).map(|thawed| thawed.line())],
        // One that cannot be healed does not keep the others from it.
        Deed::Heal(nodes) => nodes.iter().map(heal_one).collect(),
    }
}

fn put_in_force(node: &NodeName, fault: Fault) -> Result<String> {
    let node = Node::open(node.as_str())?;
    let applied = node.fault(fault, Clocks::Wall, None)?;
    host_clock::sleep_until_all_show(applied.at);
    Ok(fault::line(node.name(), &applied))
}

/// The pause is left to its guards at once: it ends as planned, whether anybody watches or not.
fn freeze_for(node: &NodeName, length: Option<&Length>) -> Result<String> {
    let once = length.map(|length| freeze::once(length.clone(), Seed::fresh())).transpose()?;
    let lasts = once.as_ref().map(|once| once.lasts);
    let node = Node::open(node.as_str())?;
    let frozen = node.freeze(&Plan { end: lasts.map_or(End::OnThaw, End::After), ..Plan::default() })?;
    let mut line = freeze::line(node.name(), frozen.report(), lasts);
    line.extend(once.and_then(|once| once.drawn).map(|drawn| drawn.line()));
    let until = frozen.until();
    match frozen.detach() {
        // One so short may be over by now.
        Err(_) if until.is_some_and(|until| until <= host_clock::monotonic()) => Ok(line),
        left => left.map(|_| line),
    }
}

fn heal_one(name: &NodeName) -> Result<String> {
    let dir = NodeDir::open(&BaseDir::find()?, name)?;
    let (_, healed) = heal::heal_node(&dir, None)?;
    Ok(heal::line(&healed, None))
}
