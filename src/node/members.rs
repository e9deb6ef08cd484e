//! Who belongs to a node.
//!
//! Its first processes, all that descends from them, and whoever is reached with all that descends from him: a
//! program that was put into the node by its environment has no root, and one that became a daemon no parent; what a
//! `run` left behind is below its keeper, which itself is none of the node, nor are the pumps of captured output below it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;

use falseticker_page::time::Span;

use super::Node;
use super::capture::capture;
use super::evidence::{Reached, maps_page, reached, without_row};
use super::make::{Record, read_record};
use crate::error::Result;
use crate::process::{Process, ProcessId, Table};
use crate::reach::implant;
use crate::run::capture::is_pump;

/// A node's processes at about one moment.
#[derive(Debug)]
pub struct Members {
    /// All of them, this process left out.
    pub all: Vec<Process>,
    /// Those that are reached, by pid.
    pub reached: BTreeMap<i32, Reached>,
}

/// Looks at the machine.
pub fn look(node: &Node) -> Result<Members> {
    let table = Table::scan()?;
    let mut reached = reached(&node.evidence, &table, boot_offset());
    let all = family(node, &table, &reached)?;
    let without = all.iter().filter(|process| !reached.contains_key(&process.id.pid));
    // Every one of them, and not until the first.
    if without.filter(|process| seat(node, process)).count() > 0 {
        reached = self::reached(&node.evidence, &table, boot_offset());
    }
    let page_inode = std::fs::metadata(node.dir.page()).map_or(0, |page| page.ino());
    reached.retain(|_, one| maps_page(&one.process, page_inode) != Some(false));
    for process in &all {
        if !reached.contains_key(&process.id.pid)
            && let Some(found) = without_row(process, page_inode)
            && !implant::has_left(node, process.id)
        {
            reached.insert(process.id.pid, found);
        }
    }
    Ok(Members { all, reached })
}

/// Gives a row of evidence to a child that a program without the shim has forked: it cannot take one itself. Whether it has
/// one now.
fn seat(node: &Node, process: &Process) -> bool {
    implant::seat(node, process.id).unwrap_or_else(|why| {
        tracing::debug!(pid = process.id.pid, %why, "it cannot be given a row of evidence");
        false
    })
}

/// The ids of all members.
pub fn ids(node: &Node) -> Result<Vec<ProcessId>> {
    let table = Table::scan()?;
    let reached = reached(&node.evidence, &table, boot_offset());
    Ok(family(node, &table, &reached)?.into_iter().map(|process| process.id).collect())
}

/// The node's first processes, whoever has a row, and all that descends from them or is left to a keeper; keepers and
/// this process left out.
fn family(node: &Node, table: &Table, reached: &BTreeMap<i32, Reached>) -> Result<Vec<Process>> {
    let Record { roots, keepers, .. } = read_record(&node.dir)?;
    let with_rows = reached.values().map(|reached| reached.process.id);
    let above: Vec<ProcessId> = roots.iter().chain(&keepers).copied().chain(with_rows).collect();
    let own = ProcessId::own().map(|own| own.pid);
    let passes_output_on =
        |process: &Process| keepers.iter().any(|keeper| keeper.pid == process.ppid) && is_pump(process);
    let mut seen = BTreeSet::new();
    Ok(table
        .family(&above)
        .into_iter()
        .filter(|process| Some(process.id.pid) != own && !process.state.is_gone())
        .filter(|process| !keepers.contains(&process.id) && seen.insert(process.id.pid))
        // What passes a program's output on must not stand still with it.
        .filter(|process| roots.contains(&process.id) || !passes_output_on(process))
        .cloned()
        .collect())
}

fn boot_offset() -> Span {
    capture().boot
}
