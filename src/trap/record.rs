//! What everybody else has to do with a trap: see it, and end it.

use std::sync::atomic::Ordering;

use falseticker_page::trap::{On, Pick};
use serde::Serialize;

use super::arm::{Lock, controller, disarm_what_is_left, in_force};
use super::armed::let_go;
use super::firing::HeldThread;
use super::{Firing, what};
use crate::node::{Node, NodeDir, memory};
use crate::{Result, host_clock, raw};

/// A node's trap, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct TrapStatus {
    /// What is armed.
    pub armed: Option<ArmedStatus>,
    /// Who is held, by it or by one that is over.
    pub held: Vec<HeldThread>,
}

/// What is armed.
#[derive(Clone, Debug, Serialize)]
pub struct ArmedStatus {
    /// `read of wall`, `read of mono`, `connect to port 80`.
    pub on: String,
    /// Which one, and every so-manieth after.
    pub nth: Option<u64>,
    /// Or each with this probability, ...
    pub probability: Option<f64>,
    /// ... by this seed.
    pub seed: Option<u64>,
    /// After how many it is over.
    pub count: u32,
    /// How many there were.
    pub fired: u32,
    /// How many reads there were under it.
    pub reads: u64,
    /// `thread`, `node`, or `briefly` for one whose fault is none of a pause.
    pub hold: &'static str,
    /// How long a pause is asked for.
    pub for_ns: i64,
    /// Who armed it.
    pub by: Option<i32>,
}

/// What a node has of traps; `None` for neither an armed one nor a held thread.
pub fn status(node: &Node) -> Option<TrapStatus> {
    clear_what_is_left(node);
    let page = node.page();
    let log = &node.evidence().traps;
    let trap = in_force(&page.header.trap, host_clock::monotonic());
    let armed = trap.map(|trap| {
        let (reads, fired) = log.counts(trap.id);
        let (nth, chance) = match trap.pick {
            Pick::Nth(nth) => (Some(nth), None),
            Pick::Chance { threshold, seed } => (None, Some((threshold, seed))),
        };
        #[expect(clippy::cast_precision_loss, reason = "a probability is told to a few digits")]
        let probability = chance.map(|(threshold, _)| (threshold as f64 + 1.0) / 2_f64.powi(64));
        ArmedStatus {
            on: what(trap.on),
            nth,
            probability,
            seed: chance.map(|(_, seed)| seed),
            count: trap.count,
            fired,
            reads,
            hold: match trap.on {
                On::Connect(_) if trap.asked.as_nanos() == 0 => "briefly",
                _ if trap.whole_node => "node",
                _ => "thread",
            },
            for_ns: trap.asked.as_nanos(),
            by: controller(page),
        }
    });
    let held: Vec<HeldThread> = held(node).into_iter().map(HeldThread::from).collect();
    (armed.is_some() || !held.is_empty()).then_some(TrapStatus { armed, held })
}

/// Clears what a controller left that was killed: it has lapsed, and costs the node's reads of the monotonic clock a nanosecond.
fn clear_what_is_left(node: &Node) {
    let trap = &node.page().header.trap;
    let lapsed = trap.id() != 0 && trap.armed_until() < host_clock::monotonic();
    if lapsed && let Ok(Some(_lock)) = Lock::try_take(node.dir()) {
        disarm_what_is_left(node.page());
    }
}

fn held(node: &Node) -> Vec<Firing> {
    let all = node.evidence().traps.firings().map(|firing| Firing::of(&firing));
    let mut held: Vec<Firing> = all.filter(Firing::is_in_force).collect();
    held.sort_by_key(|firing| firing.at);
    held
}

/// What [`release`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Whether a trap was armed.
    pub was_armed: bool,
    /// Who was held.
    pub held: Vec<Firing>,
}

impl Released {
    /// Whether there was nothing to do.
    pub fn is_nothing(&self) -> bool {
        !self.was_armed && self.held.is_empty()
    }
}

/// Disarms a node's trap, whoever armed it, and lets go whoever is held. A page that is none has neither.
pub fn release(dir: &NodeDir) -> Result<Released> {
    let (Ok(page), Ok(evidence)) = (memory::open_page(dir), memory::open_evidence(dir)) else {
        return Ok(Released::default());
    };
    let trap = &page.header.trap;
    let was_armed = trap.armed(host_clock::monotonic()).is_some();
    let all = evidence.traps.firings().map(|firing| Firing::of(&firing));
    let held: Vec<Firing> = all.filter(Firing::is_in_force).collect();
    disarm_what_is_left(&page);
    let_go(&page);
    // Its controller is told.
    evidence.traps.changed.fetch_add(1, Ordering::AcqRel);
    raw::futex_wake_all(evidence.traps.changed.as_ptr());
    Ok(Released { was_armed, held })
}
