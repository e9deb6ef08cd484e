//! What becomes of the clock faults: the instants at which they take effect, and who has read his clock under each.
//!
//! Why it looks again and again: a read makes no system call, so nothing can be awaited. A mark stays until the row is given
//! to another process, so that it is found however late one looks; its instant is the reader's own.
//!
//! What must hold: a mark is told once; who has marked and ended between two looks is told too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use crate::error::Result;
use crate::history::{Event, Writer};
use crate::node::{Applied, Node};
use crate::run::arrival::rows;
use crate::{HostInstant, Span};

/// How long after the next change a change can still be marked: by who was frozen between his read and his mark.
const LATE: Span = Span::from_secs(5);

/// A change of a node's.
#[derive(Clone, Debug)]
struct Change {
    /// The fault that it is; `None` for ends and heals.
    fault: Option<u32>,
    /// What is written down when it takes effect.
    applied: Applied,
    /// Whether it was.
    told: bool,
    /// Of an end: when what it ends began.
    began: Option<HostInstant>,
}

impl Change {
    fn is_heal(&self) -> bool {
        self.applied.what == "heal"
    }
}

/// The changes of one node.
#[derive(Debug, Default)]
pub struct Watch {
    /// By their instants, and at one instant by their ids.
    changes: BTreeMap<(HostInstant, u32), Change>,
    seen: BTreeSet<(u32, i32, HostInstant)>,
    /// By change: how many have read their clock under it.
    readers: BTreeMap<u32, u32>,
}

impl Watch {
    /// Takes a change, and its end if it has one. `fault` is `None` for a heal.
    pub fn add(&mut self, fault: Option<u32>, applied: Applied) {
        if let Some(until) = applied.until {
            // The end's id is the next one, by which pages know it.
            let id = applied.id.wrapping_add(1);
            let end = Applied {
                id,
                what: format!("end of {}", applied.id),
                at: until,
                until: None,
                ..applied.clone()
            };
            let end = Change { fault: None, applied: end, told: false, began: Some(applied.at) };
            self.changes.insert((until, id), end);
        }
        let change = Change { fault, applied, told: false, began: None };
        self.changes.insert((change.applied.at, change.applied.id), change);
        // A heal ends what began before it, which then needs no end of its own.
        let heals: Vec<HostInstant> =
            self.changes.values().filter(|change| change.is_heal()).map(|change| change.applied.at).collect();
        self.changes.retain(|(at, _), change| {
            !change.began.is_some_and(|began| heals.iter().any(|heal| began < *heal && *heal <= *at))
        });
    }

    /// Writes down what has taken effect, and who has read his clock under what.
    pub fn look(&mut self, node: &Node, now: HostInstant, history: &mut Writer) -> Result<()> {
        let name = node.name().to_string();
        for (_, change) in self.changes.range_mut(..=(now, u32::MAX)).filter(|(_, change)| !change.told) {
            change.told = true;
            let Applied { id, what, clocks, until, late_by, at } = change.applied.clone();
            history.at(
                at,
                Event::Applied {
                    id: change.fault,
                    node: name.clone(),
                    change: id,
                    what,
                    clocks: clocks.into_iter().map(str::to_owned).collect(),
                    until: until.map(HostInstant::as_nanos),
                    late_by: late_by.as_nanos(),
                },
            );
        }
        self.marks(node, &name, now, history);
        Ok(())
    }

    fn marks(&mut self, node: &Node, name: &str, now: HostInstant, history: &mut Writer) {
        let evidence = node.evidence();
        let created = evidence.header.created.load(Ordering::Relaxed);
        let epoch = HostInstant::from_nanos(i64::try_from(created).unwrap_or(0));
        let all: Vec<(HostInstant, u32)> =
            self.changes.range(..=(now, u32::MAX)).map(|(key, _)| *key).collect();
        let superseded = |index: usize| all.get(index + 1).map_or(HostInstant::MAX, |(at, _)| *at);
        let old = now.saturating_add(LATE.saturating_neg());
        let open: Vec<(HostInstant, u32)> = all
            .iter()
            .enumerate()
            .filter(|(index, _)| superseded(*index) >= old)
            .map(|(_, key)| *key)
            .collect();
        for row in rows(evidence, HostInstant::MIN) {
            let Some(ring) = evidence.rings.get(row.index) else { continue };
            for (at, change) in &open {
                let Some(read) = ring.marked(*change, epoch) else { continue };
                if !self.seen.insert((*change, row.pid, row.since)) {
                    continue;
                }
                *self.readers.entry(*change).or_default() += 1;
                let fault = self.changes.get(&(*at, *change)).and_then(|change| change.fault);
                let latency = read.saturating_since(*at).as_nanos();
                let event = Event::Evidence {
                    id: fault,
                    node: name.to_owned(),
                    change: *change,
                    pid: row.pid,
                    latency,
                };
                history.at(read, event);
            }
        }
    }

    /// How many have read their clock under a fault, and between which instants they could.
    pub fn reached(&self, fault: u32) -> Option<(u32, HostInstant, HostInstant)> {
        let ((at, id), _) = self.changes.iter().find(|(_, change)| change.fault == Some(fault))?;
        let next = self.changes.range((*at, u32::MAX)..).next().map_or(HostInstant::MAX, |((at, _), _)| *at);
        Some((self.readers.get(id).copied().unwrap_or(0), *at, next))
    }
}
