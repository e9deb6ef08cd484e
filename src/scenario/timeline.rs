//! From a scenario and a seed to what is done: every draw made, every node named, in the order of the instants.
//!
//! What must hold: the same scenario and seed give the same timeline on every machine; each entry draws from a stream of its
//! own, so that one entry more does not change what the others draw.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::action::{Action, Freeze};
use super::model::{After, Choice, Entry, Scenario, When, Who};
use crate::error::Result;
use crate::freeze::shape::{Length, Preset, Seed};
use crate::nemesis;
use crate::{Error, Span};

/// Something that is to be done once.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its number in the timeline, by which the history calls it.
    pub id: u32,
    /// The entry that it is of, from 0; those of the nemesis follow those of the file.
    pub entry: usize,
    /// When, from the start.
    pub due: Due,
    /// To whom.
    pub to: Target,
    /// What; all lengths in it are fixed.
    pub action: Action,
    /// Whether nothing is wrong if it never arrives.
    pub optional: bool,
    /// From which whatever is left to chance at its time is drawn.
    pub seed: u64,
}

/// When something is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Due {
    /// At an instant, from the start.
    At(Span),
    /// When something has happened.
    After(After),
}

/// To whom something is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A node.
    Node(String),
    /// Whom a command names when the time has come.
    Named(String),
    /// Nobody: a command of somebody else's tool.
    Nobody,
}

/// No scenario has more: a mistyped gap must not fill the memory.
const MOST: usize = 1_000_000;

/// What a scenario comes to with a seed.
pub fn timeline(scenario: &Scenario, seed: u64) -> Result<Vec<Planned>> {
    let mut entries = scenario.timeline.clone();
    if let Some(nemesis) = &scenario.nemesis {
        let nodes: Vec<String> = scenario.nodes.keys().cloned().collect();
        let seed = nemesis.seed.unwrap_or(seed);
        entries.extend(nemesis::generate(nemesis, seed, scenario.head.duration, &nodes)?);
    }
    let mut all = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let mut draw = Draw::new(seed, index);
        for due in draw.dues(entry, scenario.head.duration)? {
            for (due, action) in draw.actions(&entry.action, due, scenario.head.duration)? {
                for to in draw.targets(scenario, entry) {
                    let (due, action) = (due.clone(), action.clone());
                    let seed = draw.seed();
                    all.push(Planned {
                        id: 0,
                        entry: index,
                        due,
                        to,
                        action,
                        optional: entry.optional,
                        seed,
                    });
                }
            }
            if all.len() > MOST {
                let why = format!("it comes to more than {MOST} faults");
                return Err(Error::bad_input(format_args!("play scenario '{}'", scenario.head.name), why)
                    .remedy("bound what comes again by count, or make its gaps longer"));
            }
        }
    }
    // Stable: at one instant in the order of the file. What waits for something comes last.
    all.sort_by_key(|planned| match planned.due {
        Due::At(at) => at,
        Due::After(_) => Span::MAX,
    });
    for (id, planned) in (1..).zip(&mut all) {
        planned.id = id;
    }
    Ok(all)
}

struct Draw(ChaCha8Rng);

impl Draw {
    fn new(seed: u64, entry: usize) -> Draw {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        // The first streams are those of lengths, gaps and the nemesis.
        generator.set_stream(16 + entry as u64);
        Draw(generator)
    }

    fn seed(&mut self) -> u64 {
        self.0.random()
    }

    fn dues(&mut self, entry: &Entry, duration: Span) -> Result<Vec<Due>> {
        Ok(match &entry.when {
            When::At(at) => vec![Due::At(*at)],
            When::After(after) => {
                let drawn = |delay: &Length| Length::fixed(delay.sampler()?.sample(&mut self.0));
                let delay = after.delay.as_ref().map(drawn).transpose()?;
                vec![Due::After(After { delay, ..after.clone() })]
            }
            When::Between(from, to) => {
                let nanos = self.0.random_range(from.as_nanos()..=to.as_nanos());
                vec![Due::At(Span::from_nanos(nanos).min(duration))]
            }
            When::Every { gap, first, count } => {
                let gaps = gap.gap_sampler()?;
                let mut at = first.unwrap_or_else(|| gaps.sample(&mut self.0));
                let mut dues = Vec::new();
                while at < duration && dues.len() < count.map_or(MOST + 1, |count| count as usize) {
                    dues.push(Due::At(at));
                    at = at.saturating_add(gaps.sample(&mut self.0));
                }
                dues
            }
        })
    }

    /// An action with its lengths drawn: a series of pauses is as many.
    fn actions(&mut self, action: &Action, due: Due, duration: Span) -> Result<Vec<(Due, Action)>> {
        let Action::Freeze(freeze) = action else { return Ok(vec![(due, action.clone())]) };
        let length = freeze.lasts.clone().or(freeze.preset.map(Preset::length));
        let Some(length) = length else { return Ok(vec![(due, action.clone())]) };
        let own = self.seed();
        let seed = Seed(freeze.seed.unwrap_or(own));
        let (mut lengths, mut gaps) = (seed.lengths(), seed.gaps());
        let sampler = length.sampler()?;
        let single = |length: Span| -> Result<Action> {
            let count = freeze.on_read.and(freeze.count);
            let lasts = Some(Length::fixed(length)?);
            Ok(Action::Freeze(Freeze {
                lasts,
                every: None,
                until: None,
                preset: None,
                count,
                ..freeze.clone()
            }))
        };
        let gap = freeze.every.clone().or(freeze.preset.map(Preset::gap));
        let (Some(gap), Due::At(first)) = (gap.filter(|_| freeze.on_read.is_none()), &due) else {
            return Ok(vec![(due, single(sampler.sample(&mut lengths))?)]);
        };
        let gap = gap.gap_sampler()?;
        let end = freeze.until.map_or(duration, |until| first.saturating_add(until).min(duration));
        let (mut at, mut all) = (*first, Vec::new());
        while at < end && all.len() < freeze.count.map_or(MOST + 1, |count| count as usize) {
            let left = end.saturating_add(at.saturating_neg());
            let length = sampler.sample(&mut lengths).min(left);
            all.push((Due::At(at), single(length)?));
            at = at.saturating_add(length).saturating_add(gap.sample(&mut gaps));
        }
        Ok(all)
    }

    fn targets(&mut self, scenario: &Scenario, entry: &Entry) -> Vec<Target> {
        let names: Vec<&String> = scenario.nodes.keys().collect();
        match &entry.who {
            None => vec![Target::Nobody],
            Some(Who::Named { command }) => vec![Target::Named(command.clone())],
            Some(Who::Several(several)) => several.iter().cloned().map(Target::Node).collect(),
            Some(Who::One(name)) => match Choice::of(name) {
                None => vec![Target::Node(name.clone())],
                Some(choice) => {
                    let count = choice.count(names.len());
                    let mut left: Vec<usize> = (0..names.len()).collect();
                    let mut chosen: Vec<usize> =
                        (0..count).map(|_| left.swap_remove(self.0.random_range(0..left.len()))).collect();
                    chosen.sort_unstable();
                    let name = |index: usize| names.get(index).map(|name| Target::Node((*name).clone()));
                    chosen.into_iter().filter_map(name).collect()
                }
            },
        }
    }
}
