//! How nodes end: by name, by drop, with their last process, and by the sweep that every command begins with.
//!
//! What must hold: a node that was made by `run` or by a library goes once nobody keeps it and nobody lives in it; one
//! that was made by `create` goes by `remove` alone; whoever still runs when a node goes has true clocks first.

use std::collections::BTreeSet;

use super::dir::sweep_half_made;
use super::make::read_record;
use super::{BaseDir, MadeBy, Node, NodeDir};
use crate::error::Result;
use crate::process::{Elsewhere, ProcessId, Table, own_namespace, sees_everybody};
use crate::schedule::Heal;
use crate::{freeze, suspend, trap};

/// Puts right what killed processes left behind: half-made nodes, pauses without guards, nodes that nobody needs.
pub fn sweep() -> Result<()> {
    let base = BaseDir::find()?;
    sweep_half_made(&base)?;
    for dir in NodeDir::list(&base)? {
        if let Err(why) = freeze::sweep(dir.path()) {
            tracing::warn!("{why}");
        }
        if let Err(why) = suspend::sweep(&dir) {
            tracing::warn!("{why}");
        }
        if let Err(why) = sweep_node(&dir) {
            // A damaged node must not stand in the way of the others; its own commands say what is wrong.
            tracing::info!("{why}");
        }
    }
    Ok(())
}

/// Removes a node that nobody needs; whether it did.
pub fn sweep_node(dir: &NodeDir) -> Result<bool> {
    let record = read_record(dir)?;
    let kept = record.keeper.is_some_and(|keeper| keeper.is_alive() && Some(keeper) != ProcessId::own());
    if record.kind.made_by == MadeBy::Create || kept || is_anothers(record.namespace)? {
        return Ok(false);
    }
    let node = Node::of_dir(dir.clone())?;
    if !node.members()?.is_empty() || node.seat_forked()? {
        return Ok(false);
    }
    drop(node);
    dir.clone().remove()
}

/// Whether a node was made in another pid namespace that has not ended, so far as is seen here: those who keep it and live in it seem
/// to be gone.
fn is_anothers(namespace: Option<u64>) -> Result<bool> {
    let Some(namespace) = namespace.filter(|namespace| Some(*namespace) != own_namespace()) else {
        return Ok(false);
    };
    let seen = sees_everybody().then(Table::scan).transpose()?;
    Ok(seen.is_none_or(|table| !Elsewhere::look(&table, &BTreeSet::from([namespace])).is_empty(namespace)))
}

/// Gives the vDSO of processes that were attached its own bytes back. Whom that fails for has the true clock all the same, by a
/// detour of a node that is healed.
pub(super) fn let_go(node: &Node) {
    let failed = match node.detach_all() {
        Ok(all) => all.into_iter().filter_map(Result::err).collect(),
        Err(why) => vec![why],
    };
    for why in failed {
        tracing::warn!("{why}");
    }
}

/// Removes the node of that name, damaged or not: healed and thawed first as far as that is possible.
pub fn remove(name: &str) -> Result<()> {
    let dir = NodeDir::open(&BaseDir::find()?, &name.parse()?)?;
    suspend::wake_early(&dir);
    freeze::thaw(dir.path())?;
    trap::release(&dir)?;
    match Node::of_dir(dir.clone()) {
        Ok(node) => {
            match node.heal_clocks(Heal::Step) {
                Ok(_) => {}
                Err(why) if !node.members()?.is_empty() => return Err(why),
                Err(why) => tracing::info!("{why}"),
            }
            let_go(&node);
        }
        Err(why) => tracing::info!("{why}"),
    }
    dir.remove().map(drop)
}
