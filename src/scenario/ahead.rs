//! What of a timeline is known ahead, and so is written into the pages before the start: every clock fault at an instant,
//! every heal, and the heal at the end.
//!
//! What must hold: what is written ahead is what the dry run shows. Pauses, kills, commands and whatever waits for something
//! are not known ahead; a suspend is a pause here.

use super::timeline::{Due, Planned, Target};
use super::{Action, Scenario};
use crate::error::Result;
use crate::schedule::{Planned as Change, What};
use crate::{HostInstant, Span};

/// A change of a node's clocks, and of which planned fault it is; `None` for the heal at the end.
pub type Ahead = (Option<u32>, Change);

/// What is known ahead of a node, when the scenario starts at `start`.
pub fn ahead(
    scenario: &Scenario,
    timeline: &[Planned],
    node: &str,
    start: HostInstant,
) -> Result<Vec<Ahead>> {
    let mut all = Vec::new();
    for planned in timeline {
        let Some(due) = is_ahead(planned) else { continue };
        if planned.to != Target::Node(node.to_owned()) {
            continue;
        }
        let what = match planned.action.on_clock()? {
            Some((fault, clocks, lasts)) => What::Fault(fault, clocks, lasts),
            None => What::Heal,
        };
        all.push((Some(planned.id), Change { at: start.saturating_add(due), what }));
    }
    if scenario.head.heal {
        all.push((None, Change { at: start.saturating_add(scenario.head.duration), what: What::Heal }));
    }
    Ok(all)
}

/// When something takes place that is written ahead; `None` for what is not.
pub fn is_ahead(planned: &Planned) -> Option<Span> {
    let Due::At(due) = planned.due else { return None };
    let on_clocks =
        !matches!(planned.action, Action::Freeze(_) | Action::Suspend(_) | Action::Kill(_) | Action::Run(_));
    (on_clocks && matches!(planned.to, Target::Node(_))).then_some(due)
}
