//! From a seed to a timeline; the rules are the module's.

use super::draw::Draw;
use super::{Fault, Nemesis};
use crate::error::{Error, Result};
use crate::freeze::shape::Length;
use crate::scenario::action::{Action, Drift, Freeze, Heal, Jump, Kill, Slew, Stall, Strobe, Suspend};
use crate::scenario::{Choice, Entry, When, Who};
use crate::units::format_span;
use crate::{Rate, Span};

/// Faults and their ends keep this far from one another, so that each can be read.
const APART: Span = Span::from_millis(200);
/// No fault is shorter, and none of the clock's longer.
const SHORTEST: Span = Span::from_millis(500);
const LONGEST: Span = Span::from_secs(30);
/// Steps are drawn up to this without a maximum skew.
const FAR: Span = Span::from_secs(262);
/// Rates are drawn up to this many parts per million.
const FAST: i64 = 200_000;
/// A pause is drawn up to this.
const LONG_PAUSE: Span = Span::from_secs(15);

/// A node while the timeline is drawn.
#[derive(Clone, Copy)]
struct Busy {
    /// Until when it has a fault.
    until: Span,
    /// Until when it stands still or is down.
    down: Span,
}

/// A timeline over these nodes, in the order of its instants. Nothing is in force in its quiet time.
pub fn generate(nemesis: &Nemesis, seed: u64, duration: Span, nodes: &[String]) -> Result<Vec<Entry>> {
    nemesis.check(nodes.len())?;
    let active = duration.saturating_add(nemesis.quiet(duration).saturating_neg());
    if active < SHORTEST.saturating_add(APART).saturating_add(APART) {
        let why = format!("{} of {} are left for faults", format_span(active), format_span(duration));
        return Err(
            Error::bad_input("draw a timeline", why).remedy("make it longer, or its quiet time shorter")
        );
    }
    let mix = if nemesis.mix.is_empty() { &Fault::USUAL[..] } else { &nemesis.mix };
    let mut draw = Draw::new(seed);
    let mut busy = vec![Busy { until: Span::ZERO, down: Span::ZERO }; nodes.len()];
    let most =
        if nemesis.minority == Some(false) { nodes.len() } else { Choice::Minority.count(nodes.len()) };
    let gap = nemesis.intensity.gap();
    let mut entries = Vec::new();
    let mut at = Span::ZERO;
    loop {
        at = at.saturating_add(
            draw.between(Span::from_nanos(gap.as_nanos() / 2), Span::from_nanos(gap.as_nanos() / 2 * 3)),
        );
        let left = active.saturating_add(at.saturating_neg());
        if left < SHORTEST.saturating_add(APART) {
            break;
        }
        // Drawn whether they are used or not, so that one fault more or less does not move all that follows.
        let (fault, node) = (mix.get(draw.below(mix.len())).copied(), draw.below(nodes.len()));
        let length = draw.spread(SHORTEST, LONGEST.min(left.saturating_add(APART.saturating_neg())));
        let made = fault.map(|fault| make(nemesis, &mut draw, fault, length));
        let (Some(fault), Some((action, lasts, heals))) = (fault, made) else { break };
        let faulted = busy.iter().filter(|node| node.until > at).count();
        let is_down = busy.iter().any(|node| node.down > at);
        let (Some(state), Some(name)) = (busy.get_mut(node), nodes.get(node)) else { break };
        if state.until > at || faulted >= most || fault.is_of_processes() && is_down {
            continue;
        }
        let until = at.saturating_add(lasts);
        state.until = until.saturating_add(APART);
        if fault.is_of_processes() {
            state.down = state.until;
        }
        let entry = |at, action| Entry {
            when: When::At(at),
            who: Some(Who::One(name.clone())),
            action,
            optional: false,
        };
        entries.push((at, entry(at, action)));
        if heals {
            entries.push((until, entry(until, Action::Heal(Heal::default()))));
        }
    }
    entries.sort_by_key(|(at, _)| *at);
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// A fault of this kind and about this length: what it is, how long it really lasts, and whether the clock is off when it is
/// over and has to be healed then.
fn make(nemesis: &Nemesis, draw: &mut Draw, fault: Fault, length: Span) -> (Action, Span, bool) {
    let far = nemesis.max_skew.map_or(FAR, |skew| Span::from_nanos(skew.as_nanos() / 2)).min(FAR);
    let step = draw.spread(Span::from_millis(1), far);
    let back = draw.coin();
    let signed = |span: Span| if back { span.saturating_neg() } else { span };
    let pause = length.min(LONG_PAUSE);
    match fault {
        Fault::Jump => {
            (Action::Jump(Jump { by: signed(step), lasts: Some(length), ..Jump::default() }), length, false)
        }
        Fault::Strobe => {
            let period = draw.spread(Span::from_millis(2), Span::from_millis(2_000));
            (Action::Strobe(Strobe { amplitude: signed(step), period, lasts: Some(length) }), length, false)
        }
        Fault::Drift => {
            let rate = rate(draw, far, length, back);
            (Action::Drift(Drift { rate, lasts: Some(length), ..Drift::default() }), length, true)
        }
        Fault::Slew => {
            let rate = rate(draw, far, length, back);
            // As far as it comes in that time, in whole milliseconds.
            let gained =
                Span::from_nanos(i64::try_from(rate.gained(i128::from(length.as_nanos()))).unwrap_or(0));
            let by = Span::from_millis((gained.as_nanos() / 1_000_000).abs().max(1));
            (
                Action::Slew(Slew { by: signed(by), rate, lasts: Some(length), ..Slew::default() }),
                length,
                true,
            )
        }
        // What it stands still it is left behind.
        Fault::Stall => {
            let length = length.min(far);
            (Action::Stall(Stall { lasts: Some(length), ..Stall::default() }), length, true)
        }
        Fault::Freeze => {
            let lasts = Length::fixed(pause).ok();
            (Action::Freeze(Freeze { lasts, ..Freeze::default() }), pause, false)
        }
        Fault::Suspend => {
            let lasts = pause.min(far);
            (Action::Suspend(Suspend { lasts, ..Suspend::default() }), lasts, true)
        }
        Fault::Kill => {
            let restart = draw.spread(Span::from_millis(10), pause);
            (Action::Kill(Kill { restart: Some(restart) }), restart, false)
        }
    }
}

/// A rate, spread over scales, that gains no more than `far` in `length`.
fn rate(draw: &mut Draw, far: Span, length: Span, slow: bool) -> Rate {
    let most = i128::from(far.as_nanos()) * 1_000_000 / i128::from(length.as_nanos().max(1));
    let most = i64::try_from(most).unwrap_or(FAST).clamp(1, FAST);
    // Drawn as the spans are, of which a millisecond stands for a part per million.
    let ppm = draw.spread(Span::from_millis(1), Span::from_millis(most)).as_nanos() / 1_000_000;
    let parts = (i128::from(ppm) << 32) / 1_000_000;
    let parts = i64::try_from(parts).unwrap_or(0);
    Rate::from_parts(if slow { -parts } else { parts })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nemesis::Intensity;
    use crate::scenario::file::timeline;

    fn nodes(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("n{number}")).collect()
    }

    fn at(entry: &Entry) -> Span {
        match entry.when {
            When::At(at) => at,
            _ => panic!("{entry:?}"),
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
        let text = |seed| {
            let drawn = generate(&Nemesis::default(), seed, Span::from_secs(60), &nodes(3)).unwrap();
            timeline(&drawn).unwrap()
        };
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
        // What seed 7 has always given: a change of it is one that users must be told of.
        let first: Vec<String> = text(7).lines().take(9).map(str::to_owned).collect();
        assert_eq!(first.join("\n"), GOLDEN);
    }

    const GOLDEN: &str = r#"[[timeline]]
at = "4.808s"
node = "n1"
slew = { by = "-1ms", rate = "-39.9998ppm", for = "956ms" }

[[timeline]]
at = "5.764s"
node = "n1"
heal = "step""#;

    /// For how long an action is in force.
    fn lasts(action: &Action) -> Span {
        match action {
            Action::Freeze(freeze) => freeze.lasts.as_ref().and_then(Length::as_fixed).unwrap(),
            Action::Suspend(suspend) => suspend.lasts,
            Action::Kill(kill) => kill.restart.unwrap(),
            Action::Heal(_) => Span::ZERO,
            clock => clock.on_clock().unwrap().and_then(|(_, _, lasts)| lasts).unwrap(),
        }
    }

    /// How far a clock fault leads a clock at most.
    fn reach(action: &Action) -> i64 {
        let lasts = lasts(action);
        let nanos = match action {
            Action::Jump(jump) => jump.by.as_nanos(),
            Action::Strobe(strobe) => strobe.amplitude.as_nanos(),
            Action::Drift(drift) => i64::try_from(drift.rate.gained(i128::from(lasts.as_nanos()))).unwrap(),
            Action::Slew(slew) => slew.by.as_nanos(),
            Action::Stall(_) | Action::Suspend(_) => lasts.as_nanos(),
            _ => 0,
        };
        nanos.abs()
    }

    proptest! {
        #[test]
        fn every_timeline_keeps_the_rules(
            seed in any::<u64>(), count in 1_usize..6, seconds in 20_i64..300, skew in prop::option::of(10_i64..100_000),
            high in any::<bool>(),
        ) {
            let intensity = if high { Intensity::High } else { Intensity::Medium };
            let mut mix = Fault::USUAL.to_vec();
            mix.push(Fault::Suspend);
            let nemesis = Nemesis { max_skew: skew.map(Span::from_millis), intensity, mix, ..Nemesis::default() };
            let duration = Span::from_secs(seconds);
            let drawn = generate(&nemesis, seed, duration, &nodes(count)).unwrap();
            let quiet = Span::from_nanos(duration.as_nanos() / 5 * 4);
            let of = |entry: &Entry| (at(entry), at(entry).saturating_add(lasts(&entry.action)), entry.who.clone());
            prop_assert!(drawn.windows(2).all(|pair| at(&pair[0]) <= at(&pair[1])));
            for (index, entry) in drawn.iter().enumerate() {
                let (begin, end, who) = of(entry);
                prop_assert!(end <= quiet, "{entry:?}");
                prop_assert!(skew.is_none_or(|skew| reach(&entry.action) <= skew * 500_000 + 1_000_000), "{entry:?}");
                let is_fault = |entry: &&Entry| !matches!(entry.action, Action::Heal(_));
                let before = drawn[..index].iter().filter(is_fault).filter(|other| of(other).1 > begin);
                if is_fault(&entry) {
                    for other in before.clone() {
                        prop_assert_ne!(&other.who, &who);
                    }
                    prop_assert!(before.count() < Choice::Minority.count(count).max(1));
                }
            }
        }
    }

    #[test]
    fn one_node_at_a_time_stands_still() {
        let nemesis = Nemesis {
            minority: Some(false),
            intensity: Intensity::High,
            mix: vec![Fault::Freeze, Fault::Kill],
            ..Nemesis::default()
        };
        for seed in 0..50 {
            let drawn = generate(&nemesis, seed, Span::from_secs(120), &nodes(5)).unwrap();
            let mut until = Span::ZERO;
            for entry in &drawn {
                assert!(at(entry) >= until, "{drawn:?}");
                until = at(entry).saturating_add(lasts(&entry.action));
            }
            assert!(drawn.len() > 3);
        }
    }

    #[test]
    fn a_time_with_no_room_is_refused() {
        let refused = generate(&Nemesis::default(), 1, Span::from_millis(900), &nodes(1)).unwrap_err();
        assert!(refused.help().is_some());
        assert!(generate(&Nemesis::default(), 1, Span::from_secs(60), &[]).is_err());
    }
}
