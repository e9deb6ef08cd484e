//! The timeline of a play: what is known ahead goes into the pages before the start, and all else gets a thread in time.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::Scope;

use regex::bytes::Regex;

use super::{Play, Stop};
use crate::error::{Error, Result};
use crate::history::Event;
use crate::player::act::act;
use crate::player::cast::Heard;
use crate::player::shared::{Shared, lock};
use crate::scenario::ahead::{ahead, is_ahead};
use crate::scenario::{Due, Planned, Target};
use crate::trigger::pattern;
use crate::{HostInstant, Span, host_clock};

/// How long before its instant a thread is started that acts then.
const LEAD: Span = Span::from_secs(1);
/// From the moment at which all are ready to the start: the pages are written in between, each in some milliseconds, and on a
/// loaded machine in some tens of them.
const MARGIN: Span = Span::from_millis(400);
const MARGIN_PER_NODE: Span = Span::from_millis(30);

/// What threads are started with.
type Begin<'b> = dyn FnMut(&Planned, Option<HostInstant>) + 'b;

impl Play<'_> {
    /// Writes what is known ahead into the pages, and the whole plan into the history; when it starts.
    pub(super) fn plan(&mut self) -> Result<HostInstant> {
        let nodes = i64::try_from(self.nodes.len()).unwrap_or(i64::MAX);
        let per_node = Span::from_nanos(MARGIN_PER_NODE.as_nanos().saturating_mul(nodes));
        let start = host_clock::monotonic().saturating_add(MARGIN).saturating_add(per_node);
        // Before the first page is written: should this process die in between, the programs still run to the end.
        self.cast.until(self.ends(start).1);
        let mut changes: BTreeMap<u32, u32> = BTreeMap::new();
        for (name, node) in self.nodes {
            let ahead = ahead(self.scenario, self.timeline, name, start)?;
            if ahead.is_empty() {
                continue;
            }
            let planned: Vec<_> = ahead.iter().map(|(_, change)| *change).collect();
            let applied = node.plan(&planned)?;
            let Some(watch) = self.watches.get_mut(name) else { continue };
            for ((fault, _), applied) in ahead.into_iter().zip(applied) {
                if let Some(fault) = fault {
                    changes.insert(fault, applied.id);
                }
                watch.add(fault, applied);
            }
        }
        self.tell_plan(start, &changes);
        if host_clock::monotonic() > start {
            return Err(Error::not_applied(
                format_args!("start scenario '{}'", self.scenario.head.name),
                "the machine was too busy to write the plan before its start",
            )
            .remedy("try again when it is less loaded"));
        }
        Ok(start)
    }

    /// Writes the whole plan into the history; `changes` has the ids of those faults that stand in the pages already.
    fn tell_plan(&self, start: HostInstant, changes: &BTreeMap<u32, u32>) {
        let mut history = lock(self.history);
        for planned in self.timeline {
            let node = match &planned.to {
                Target::Node(name) => Some(name.clone()),
                Target::Named(_) | Target::Nobody => None,
            };
            let (due, after) = match &planned.due {
                Due::At(at) => (Some(start.saturating_add(*at).as_nanos()), None),
                Due::After(after) => (None, Some(after.clone())),
            };
            history.now(Event::Planned {
                id: planned.id,
                entry: planned.entry,
                node,
                fault: planned.action.clone(),
                due,
                after,
                change: changes.get(&planned.id).copied(),
                optional: planned.optional,
            });
        }
    }

    /// The timeline: each thing that is not in the pages gets a thread in time.
    pub(super) fn act_until<'scope, 'env>(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        shared: &Shared<'env>,
        start: HostInstant,
        heal: HostInstant,
        dir: &'env Path,
    ) -> Result<Stop>
    where
        Self: 'scope,
    {
        let mut begin = |planned: &Planned, due: Option<HostInstant>| {
            let (shared, planned) = (shared.clone(), planned.clone());
            let work = move || act(&shared, &planned, due, dir);
            // Without a thread nothing is done, and the verdict says so.
            let _ = std::thread::Builder::new().stack_size(512 << 10).spawn_scoped(scope, work);
        };
        let mut outputs: Vec<(Regex, &Planned)> = Vec::new();
        let timeline = self.timeline;
        for planned in timeline {
            match &planned.due {
                Due::After(after) => match &after.output {
                    Some(output) => outputs.push((pattern(output)?, planned)),
                    None => begin(planned, None),
                },
                Due::At(_) => {}
            }
        }
        let due = |planned: &Planned| match planned.due {
            Due::At(at) if is_ahead(planned).is_none() => Some(start.saturating_add(at)),
            _ => None,
        };
        let mut tasks: std::collections::VecDeque<(HostInstant, &Planned)> =
            timeline.iter().filter_map(|planned| due(planned).map(|due| (due, planned))).collect();
        loop {
            let now = host_clock::monotonic();
            while let Some((due, planned)) = tasks.front().copied()
                && due <= now.saturating_add(LEAD)
            {
                tasks.pop_front();
                begin(planned, Some(due));
            }
            let next =
                tasks.front().map_or(heal, |(due, _)| due.saturating_add(LEAD.saturating_neg())).min(heal);
            let heard = self.once(next)?;
            if self.is_cancelled() {
                return Ok(Stop::Interrupted);
            }
            for heard in heard.into_iter().filter(|heard| heard.at >= start) {
                self.fire(&heard, &mut outputs, &mut begin);
            }
            if host_clock::monotonic() >= heal {
                return Ok(Stop::Time);
            }
        }
    }

    /// Whoever waits for this line.
    fn fire(&mut self, heard: &Heard, outputs: &mut Vec<(Regex, &Planned)>, begin: &mut Begin<'_>) {
        outputs.retain(|(pattern, planned)| {
            let Due::After(after) = &planned.due else { return true };
            let is_his = after.node.as_ref().is_none_or(|node| *node == heard.node);
            if !is_his || !pattern.is_match(heard.line.as_bytes()) {
                return true;
            }
            let fired = Event::Fired { id: planned.id, kind: "output".to_owned(), on: heard.line.clone() };
            lock(self.history).at(heard.at, fired);
            begin(planned, Some(heard.at.saturating_add(after.drawn_delay())));
            false
        });
    }
}
