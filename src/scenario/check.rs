//! What a scenario must not ask for: found before anything is started.
//!
//! What must hold: whatever the library would refuse at a fault's instant, and can be known before, is refused here by the
//! library's own checks; a scenario that passes names nodes that are there, at instants that come.

use std::collections::BTreeSet;

use super::action::{Action, Freeze};
use super::model::{After, Choice, Entry, Program, Ready, Scenario, When, Who};
use super::ports;
use super::problem::{Place, Problem};
use crate::node::NodeName;
use crate::trigger::pattern;
use crate::units::format_span;
use crate::{Error, Span};

type Checked = std::result::Result<(), Problem>;

/// The longest scenario: the page's arithmetic has room for it many times.
const LONGEST: Span = Span::from_secs(30 * 24 * 3_600);

/// Refuses what cannot be meant.
pub fn check(scenario: &Scenario) -> Checked {
    head(scenario)?;
    for (name, program) in &scenario.nodes {
        node(scenario, name, program)?;
    }
    circles(scenario)?;
    ports::check(scenario)?;
    if let Some(nemesis) = &scenario.nemesis {
        nemesis.check(scenario.nodes.len()).map_err(|error| Problem::of(Place::of("nemesis"), &error))?;
        let suspends = nemesis.mix.contains(&crate::nemesis::Fault::Suspend);
        if let Some((name, _)) = scenario.nodes.iter().find(|(_, program)| suspends && !program.monotonic) {
            let why =
                format!("it has suspend in it, and the monotonic clocks of node {name} may not be faulted");
            return Err(Problem::new(Place::of("nemesis").key("mix"), why)
                .remedy(format_args!("add monotonic = true to [nodes.{name}], or leave suspend out")));
        }
    }
    for (index, each) in scenario.timeline.iter().enumerate() {
        entry(scenario, &Place::entry(index), each)?;
    }
    let mut names = BTreeSet::new();
    match scenario.checks.iter().map(|chosen| chosen.rule().name()).find(|name| !names.insert(*name)) {
        Some(name) => {
            Err(Problem::new(Place::of("checks").key(name), "it is there twice")
                .remedy("leave one of them out"))
        }
        None => Ok(()),
    }
}

fn head(scenario: &Scenario) -> Checked {
    let place = |key| Place::of("scenario").key(key);
    let head = &scenario.head;
    let positive = |span: Span, key| {
        let fits = span > Span::ZERO && span <= LONGEST;
        let why = format!("{} is not longer than nothing and 30d at most", format_span(span));
        if fits { Ok(()) } else { Err(Problem::new(place(key), why).remedy("write a span such as 30s")) }
    };
    positive(head.duration, "duration")?;
    positive(head.sample, "sample")?;
    if head.recovery.is_negative() || head.recovery > LONGEST {
        return Err(Problem::new(place("recovery"), "it must be 0s or more, and 30d at most"));
    }
    if scenario.nodes.is_empty() {
        return Err(Problem::new(Place::of("nodes"), "there is no node")
            .remedy("add a table such as [nodes.a] with command = [\"./app\"]"));
    }
    Ok(())
}

fn node(scenario: &Scenario, name: &str, program: &Program) -> Checked {
    let place = || Place::of("nodes").key(name);
    name.parse::<NodeName>().map_err(|error| Problem::of(place(), &error))?;
    if program.command.first().is_none_or(String::is_empty) {
        return Err(Problem::new(place().key("command"), "it is empty")
            .remedy("write the program and its arguments, as in [\"./app\", \"--id\", \"a\"]"));
    }
    let has_nul = |text: &String| text.contains('\0');
    if program.command.iter().any(has_nul) {
        return Err(Problem::new(place().key("command"), "it has a NUL byte in it"));
    }
    if program
        .env
        .iter()
        .any(|(key, value)| has_nul(key) || has_nul(value) || key.contains('=') || key.is_empty())
    {
        return Err(Problem::new(
            place().key("env"),
            "a variable has no name, or a NUL byte, or an = in its name",
        ));
    }
    if let Some(ready) = &program.ready {
        check_ready(&place().key("ready"), ready)?;
    }
    if let Some(stop) = &program.stop {
        super::signal(&stop.signal)
            .map_err(|error| Problem::of(place().key("stop").key("signal"), &error))?;
        if stop.within <= Span::ZERO {
            return Err(Problem::new(place().key("stop").key("within"), "it must be longer than nothing"));
        }
    }
    for (index, needed) in program.needs.iter().enumerate() {
        known(scenario, &place().key("needs").index(index), needed)?;
    }
    Ok(())
}

fn check_ready(place: &Place, ready: &Ready) -> Checked {
    let kinds = [ready.port.is_some(), ready.output.is_some(), ready.command.is_some()];
    if kinds.iter().filter(|is| **is).count() != 1 {
        return Err(Problem::new(place.clone(), "it is one of port, output and command")
            .remedy("write one of them, as in { port = 7001, within = \"5s\" }"));
    }
    if let Some(output) = &ready.output {
        pattern(output).map_err(|error| Problem::of(place.clone().key("output"), &error))?;
    }
    if ready.within <= Span::ZERO {
        return Err(Problem::new(place.clone().key("within"), "it must be longer than nothing"));
    }
    Ok(())
}

/// Nodes that wait for one another would never start.
fn circles(scenario: &Scenario) -> Checked {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while done.len() < scenario.nodes.len() {
        let is_free = |program: &Program| program.needs.iter().all(|needed| done.contains(needed.as_str()));
        let next =
            scenario.nodes.iter().find(|(name, program)| !done.contains(name.as_str()) && is_free(program));
        match next {
            Some((name, _)) => done.insert(name),
            None => {
                let stuck = scenario.nodes.keys().find(|name| !done.contains(name.as_str()));
                let name = stuck.map_or("", String::as_str);
                let place = Place::of("nodes").key(name).key("needs");
                return Err(Problem::new(
                    place,
                    format_args!("node {name} waits for itself, perhaps by others"),
                ));
            }
        };
    }
    Ok(())
}

fn known(scenario: &Scenario, place: &Place, name: &str) -> Checked {
    if scenario.nodes.contains_key(name) {
        return Ok(());
    }
    let names: Vec<&str> = scenario.nodes.keys().map(String::as_str).collect();
    Err(Problem::new(place.clone(), format_args!("there is no node '{name}'"))
        .remedy(format_args!("the nodes are {}", names.join(", "))))
}

fn entry(scenario: &Scenario, place: &Place, entry: &Entry) -> Checked {
    let latest = latest(scenario, place, entry)?;
    who(scenario, place, entry)?;
    let at = place.clone().key(entry.action.key());
    let refused = |error: Error| Problem::of(at.clone(), &error);
    let lasts = match &entry.action {
        Action::Freeze(freeze) => check_freeze(&at, freeze)?,
        Action::Suspend(suspend) => {
            suspend.asked().check().map_err(refused)?;
            Some(suspend.lasts)
        }
        Action::Kill(kill) if kill.restart.is_some_and(Span::is_negative) => {
            return Err(Problem::new(at.key("restart"), "it must be 0s or more"));
        }
        Action::Run(run) if run.command.trim().is_empty() => return Err(Problem::new(at, "it is empty")),
        action => match action.on_clock().map_err(refused)? {
            Some((fault, clocks, lasts)) => {
                if lasts.is_some_and(|lasts| lasts <= Span::ZERO) {
                    return Err(Problem::new(at.key("for"), "it must be longer than nothing"));
                }
                fault.check(clocks, lasts.is_some()).map_err(refused)?;
                lasts
            }
            None => None,
        },
    };
    let end = latest.zip(lasts).and_then(|(at, lasts)| at.checked_add(lasts));
    if let Some(end) = end.filter(|end| *end > scenario.head.duration) {
        let over = format_span(scenario.head.duration);
        return Err(Problem::new(
            at,
            format_args!("it would end at {}, and the scenario at {over}", format_span(end)),
        )
        .remedy("begin it sooner, shorten it, or make the scenario's duration longer"));
    }
    Ok(())
}

fn check_freeze(place: &Place, freeze: &Freeze) -> std::result::Result<Option<Span>, Problem> {
    let of = |key: &str, why: &str| Err(Problem::new(place.clone().key(key), why));
    let length = freeze.lasts.clone().or(freeze.preset.map(|preset| preset.length()));
    let Some(length) = length else {
        return Err(
            Problem::new(place.clone(), "it does not say how long").remedy("add for = \"5s\", or a preset")
        );
    };
    let again = freeze.every.is_some() || freeze.preset.is_some();
    if freeze.on_read.is_some() && (again || freeze.until.is_some()) {
        return of("on-read", "on-read says when a pause begins, and every, until and preset do so too");
    }
    if freeze.on_read.is_none()
        && (freeze.nth.is_some() || freeze.probability.is_some() || freeze.hold.is_some())
    {
        let key = if freeze.nth.is_some() {
            "nth"
        } else if freeze.hold.is_some() {
            "hold"
        } else {
            "probability"
        };
        return of(key, "it is for pauses at a read of the clock: add on-read");
    }
    if freeze.nth.is_some() && freeze.probability.is_some() {
        return of("nth", "nth and probability contradict each other");
    }
    if freeze.until.is_some() && freeze.count.is_some() {
        return of("until", "until and count contradict each other");
    }
    if !again && freeze.on_read.is_none() && (freeze.count.is_some() || freeze.until.is_some()) {
        let key = if freeze.count.is_some() { "count" } else { "until" };
        return of(key, "it is for pauses that come again: add every");
    }
    if freeze.count == Some(0) {
        return of("count", "it must be one at least");
    }
    if !freeze.thread.is_empty() && !matches!(freeze.how, None | Some(super::action::Means::Thread)) {
        return of("thread", "only how = \"thread\" can hold threads alone");
    }
    if let (Some(plan), Some(_)) = (freeze.trap(Span::from_millis(1), 0), freeze.on_read) {
        plan.check().map_err(|error| Problem::of(place.clone(), &error))?;
    }
    for drawn in [Some(&length), freeze.every.as_ref()].into_iter().flatten() {
        drawn.sampler().map_err(|error| Problem::of(place.clone(), &error))?;
    }
    Ok(if again || freeze.on_read.is_some() { None } else { length.as_fixed() })
}

/// When it comes at the latest, where that is known.
fn latest(scenario: &Scenario, place: &Place, entry: &Entry) -> std::result::Result<Option<Span>, Problem> {
    let duration = scenario.head.duration;
    let within = |at: Span, key: &str| {
        if at.is_negative() {
            return Err(Problem::new(place.clone().key(key), "it is before the start")
                .remedy("instants count from the start"));
        }
        if at >= duration {
            let why =
                format!("{} is not before the end, which is at {}", format_span(at), format_span(duration));
            return Err(Problem::new(place.clone().key(key), why)
                .remedy("choose an earlier instant, or a longer duration"));
        }
        Ok(Some(at))
    };
    match &entry.when {
        When::At(at) => within(*at, "at"),
        When::Between(from, to) => {
            within(*from, "between")?;
            if to <= from {
                return Err(Problem::new(
                    place.clone().key("between"),
                    "the second instant is not after the first",
                ));
            }
            within(*to, "between")
        }
        When::Every { gap, first, count } => {
            if *count == Some(0) {
                return Err(Problem::new(place.clone().key("count"), "it must be one at least"));
            }
            gap.gap_sampler().map_err(|error| Problem::of(place.clone().key("every"), &error))?;
            first.map_or(Ok(None), |first| within(first, "at"))?;
            match (first.or(gap.as_fixed()), first) {
                (Some(begin), None) => within(begin, "every").map(|_| None),
                _ => Ok(None),
            }
        }
        When::After(after) => check_after(scenario, &place.clone().key("after"), after).map(|()| None),
    }
}

fn check_after(scenario: &Scenario, place: &Place, after: &After) -> Checked {
    let kinds =
        [after.output.is_some(), after.file.is_some(), after.command.is_some(), after.connect.is_some()];
    if kinds.iter().filter(|is| **is).count() != 1 {
        return Err(Problem::new(place.clone(), "it is one of output, file, command and connect")
            .remedy("write one of them, as in { output = \"became leader\", node = \"a\" }"));
    }
    if let Some(output) = &after.output {
        pattern(output).map_err(|error| Problem::of(place.clone().key("output"), &error))?;
    }
    if let Some(name) = &after.node {
        known(scenario, &place.clone().key("node"), name)?;
        if after.output.is_none() && after.connect.is_none() {
            return Err(Problem::new(place.clone().key("node"), "only output and connect are a node's"));
        }
    }
    if after.connect.is_some() && after.node.is_none() {
        return Err(
            Problem::new(place.clone().key("connect"), "it does not say whose").remedy("add node = \"...\"")
        );
    }
    if after.poll.is_some() && after.command.is_none() {
        return Err(Problem::new(
            place.clone().key("poll"),
            "there is no command whose tries it could space",
        ));
    }
    if after.poll.is_some_and(|poll| poll <= Span::ZERO) {
        return Err(Problem::new(place.clone().key("poll"), "it must be longer than nothing"));
    }
    if let Some(delay) = &after.delay {
        delay.sampler().map_err(|error| Problem::of(place.clone().key("delay"), &error))?;
    }
    Ok(())
}

fn who(scenario: &Scenario, place: &Place, entry: &Entry) -> Checked {
    let place = || place.clone().key("node");
    let names: Vec<(Place, &str)> = match (&entry.who, &entry.action) {
        (Some(_), Action::Run(_)) => {
            return Err(Problem::new(place(), "run is done to no node").remedy("leave node out"));
        }
        (None, Action::Run(_)) => return Ok(()),
        (None, _) => {
            return Err(Problem::new(place(), "it does not say to whom").remedy("add node = \"...\""));
        }
        (Some(Who::Named { command }), _) => {
            let empty = command.trim().is_empty();
            let why = "an empty command names nobody";
            return if empty { Err(Problem::new(place(), why)) } else { Ok(()) };
        }
        (Some(Who::One(name)), _) if Choice::of(name).is_some() => {
            scenario.nodes.keys().map(|name| (place(), name.as_str())).collect()
        }
        (Some(Who::One(name)), _) => vec![(place(), name.as_str())],
        (Some(Who::Several(names)), _) => {
            names.iter().enumerate().map(|(index, name)| (place().index(index), name.as_str())).collect()
        }
    };
    if names.is_empty() {
        return Err(Problem::new(place(), "the list is empty"));
    }
    let mut seen = BTreeSet::new();
    for (place, name) in names {
        known(scenario, &place, name)?;
        if !seen.insert(name) {
            return Err(Problem::new(place, format_args!("node {name} is there twice")));
        }
        monotonic(scenario, &place, name, &entry.action)?;
    }
    Ok(())
}

/// Refuses what needs a node whose monotonic clocks may be faulted.
fn monotonic(scenario: &Scenario, place: &Place, name: &str, action: &Action) -> Checked {
    let all = matches!(action.on_clock(), Ok(Some((_, crate::fault::Clocks::All, _))));
    let needs = all || matches!(action, Action::Suspend(_));
    let has = scenario.nodes.get(name).is_some_and(|program| program.monotonic);
    if needs && !has {
        return Err(Problem::new(
            place.clone(),
            format_args!("the monotonic clocks of node {name} may not be faulted"),
        )
        .remedy(format_args!("add monotonic = true to [nodes.{name}]")));
    }
    Ok(())
}
