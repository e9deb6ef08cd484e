//! A scenario in which nothing is left to draw: what `between`, `every`, `one`, `minority`, lengths and the nemesis come to with
//! a seed, as entries of their own.
//!
//! What must hold: it is the same timeline as the scenario's with that seed; and because nothing is drawn any more, leaving an
//! entry out changes none of the others.

use super::value::{Quantity, Value};
use crate::Span;
use crate::error::Result;
use crate::freeze::shape::Length;
use crate::scenario::action::Action;
use crate::scenario::{Due, Entry, Planned, Scenario, Target, When, Who, timeline};

/// An entry in which nothing is left to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The entry.
    pub entry: Entry,
    /// The scenario's entry that it is of, from 0; those of the nemesis follow those of the file.
    pub of: usize,
}

/// What a scenario's timeline comes to with a seed.
pub fn resolve(scenario: &Scenario, seed: u64) -> Result<Vec<Resolved>> {
    let duration = scenario.head.duration;
    let resolved = |planned: Planned| Resolved { of: planned.entry, entry: entry(planned, duration) };
    Ok(timeline(scenario, seed)?.into_iter().map(resolved).collect())
}

impl Resolved {
    /// A scenario with these entries in place of its own, and of its nemesis.
    pub fn put(scenario: &Scenario, entries: impl IntoIterator<Item = Entry>) -> Scenario {
        let mut scenario =
            Scenario { nemesis: None, timeline: entries.into_iter().collect(), ..scenario.clone() };
        // There is nothing that it would be for.
        scenario.head.seed = None;
        scenario
    }
}

fn entry(planned: Planned, duration: Span) -> Entry {
    let (when, left) = match planned.due {
        Due::At(at) => (When::At(at), duration.saturating_add(at.saturating_neg())),
        Due::After(after) => (When::After(after), Span::MAX),
    };
    let who = match planned.to {
        Target::Node(name) => Some(Who::One(name)),
        Target::Named(command) => Some(Who::Named { command }),
        Target::Nobody => None,
    };
    let mut action = planned.action;
    if let Action::Freeze(freeze) = &mut action
        && freeze.probability.is_some()
    {
        // TOML's whole numbers have a sign.
        freeze.seed = Some(freeze.seed.unwrap_or(planned.seed) >> 1);
    }
    clip(&mut action, left);
    Entry { when, who, action, optional: planned.optional }
}

/// What would last beyond the end is healed there, and is written as lasting until then.
fn clip(action: &mut Action, left: Span) {
    let is_trap = matches!(action, Action::Freeze(freeze) if freeze.on_read.is_some());
    for slot in slots(action).into_iter().filter(|slot| slot.key == "for" && !is_trap) {
        let lasts = slot.get();
        if lasts.is_some_and(|lasts| lasts.span() > left) {
            slot.set(Value::of_span(left));
        }
    }
}

/// Where a magnitude of an action is: how far, how fast, how long.
pub(crate) struct Slot<'a> {
    /// Its key in the file.
    pub key: &'static str,
    place: Place<'a>,
}

enum Place<'a> {
    Span(&'a mut Span),
    Rate(&'a mut crate::Rate),
    Length(&'a mut Length),
}

impl Slot<'_> {
    /// What is there; `None` of a length that is drawn.
    pub fn get(&self) -> Option<Value> {
        match &self.place {
            Place::Span(span) => Some(Value::of_span(**span)),
            Place::Rate(rate) => Some(Value::of_rate(**rate)),
            Place::Length(length) => length.as_fixed().map(Value::of_span),
        }
    }

    /// Puts something else there, which is of the same quantity.
    pub fn set(self, value: Value) {
        match self.place {
            Place::Span(span) if value.quantity == Quantity::Span => *span = value.span(),
            Place::Rate(rate) if value.quantity == Quantity::Rate => *rate = value.rate(),
            Place::Length(length) => {
                if let Ok(fixed) = Length::fixed(value.span()) {
                    *length = fixed;
                }
            }
            Place::Span(_) | Place::Rate(_) => {}
        }
    }
}

/// The magnitudes of an action, in the order in which they matter.
pub(crate) fn slots(action: &mut Action) -> Vec<Slot<'_>> {
    fn span<'a>(key: &'static str, span: &'a mut Span) -> Option<Slot<'a>> {
        Some(Slot { key, place: Place::Span(span) })
    }
    fn rate<'a>(key: &'static str, rate: &'a mut crate::Rate) -> Option<Slot<'a>> {
        Some(Slot { key, place: Place::Rate(rate) })
    }
    fn lasts(lasts: &mut Option<Span>) -> Option<Slot<'_>> {
        lasts.as_mut().and_then(|lasts| span("for", lasts))
    }
    let slots = match action {
        Action::Jump(jump) => vec![span("by", &mut jump.by), lasts(&mut jump.lasts)],
        Action::Set(set) => vec![lasts(&mut set.lasts)],
        Action::Drift(drift) => vec![rate("rate", &mut drift.rate), lasts(&mut drift.lasts)],
        Action::Slew(slew) => vec![span("by", &mut slew.by), lasts(&mut slew.lasts)],
        Action::Stall(stall) => vec![lasts(&mut stall.lasts)],
        Action::Strobe(strobe) => vec![span("amplitude", &mut strobe.amplitude), lasts(&mut strobe.lasts)],
        Action::Freeze(freeze) => {
            let length = |length| Slot { key: "for", place: Place::Length(length) };
            vec![freeze.lasts.as_mut().map(length)]
        }
        Action::Suspend(suspend) => vec![span("for", &mut suspend.lasts)],
        Action::Kill(kill) => vec![kill.restart.as_mut().and_then(|restart| span("restart", restart))],
        Action::Leap(_) | Action::Heal(_) | Action::Run(_) => Vec::new(),
    };
    slots.into_iter().flatten().collect()
}
