//! A scenario as a TOML file.
//!
//! What must hold: every error has the file's name, line and column, and underlines what it is about; what [`write()`] writes
//! [`read`] reads as the same scenario.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

use super::action::Action;
use super::check::check;
use super::model::{Entry, Scenario, When};
use super::problem::{Place, Problem, Step, in_file};
use super::raw::{RawEntry, RawRule, RawScenario};
use crate::check::Chosen;
use crate::error::{Error, Result};

/// The largest file that is read: a mistaken path must not fill the memory.
const LARGEST: u64 = 64 << 20;

/// Reads and checks a file.
pub fn read(path: &Path) -> Result<Scenario> {
    let shown = path.display();
    let refused = |why: std::io::Error| Error::bad_input(format_args!("read scenario {shown}"), why);
    let length = std::fs::metadata(path).map_err(refused)?.len();
    if length > LARGEST {
        return Err(Error::bad_input(format_args!("read scenario {shown}"), "it is larger than 64 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(refused)?;
    parse(&text, &shown.to_string())
}

/// Reads and checks a text; `name` is what errors call it.
pub fn parse(text: &str, name: &str) -> Result<Scenario> {
    let raw: RawScenario = toml::from_str(text).map_err(|why| of_toml(&why, text, name))?;
    let scenario = of_raw(raw).and_then(|scenario| check(&scenario).map(|()| scenario));
    scenario.map_err(|problem| {
        let span = DeTable::parse(text).map_or(0..0, |table| find(&table, &problem.place));
        in_file(name, text, span, &problem.why, problem.remedy.as_deref())
    })
}

/// What the TOML reader says, with our remedies taken out of its text.
fn of_toml(why: &toml::de::Error, text: &str, name: &str) -> Error {
    let message = why.message().trim_end().replace('\n', "; ");
    let (said, remedy) = match message.split_once('\u{1f}') {
        Some((said, remedy)) => (said.to_owned(), Some(remedy.to_owned())),
        None => (message, None),
    };
    in_file(name, text, why.span().unwrap_or(0..0), &said, remedy.as_deref())
}

/// Where a place is spelled out, or what is nearest around it.
fn find(table: &Spanned<DeTable<'_>>, place: &Place) -> Range<usize> {
    let mut nearest = 0..0;
    let mut tables = Some(table.get_ref());
    let mut value: Option<&Spanned<DeValue<'_>>> = None;
    for step in &place.0 {
        let next = match step {
            Step::Key(key) => {
                tables.and_then(|table| table.get_key_value(key.as_str())).map(|(key, value)| {
                    nearest = key.span();
                    value
                })
            }
            Step::Index(index) => value.and_then(|value| match value.get_ref() {
                DeValue::Array(list) => list.get(*index),
                _ => None,
            }),
        };
        let Some(next) = next else { return nearest };
        let is_header = matches!(next.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        if !is_header || matches!(step, Step::Index(_)) {
            nearest = next.span();
        }
        tables = match next.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
        value = Some(next);
    }
    nearest
}

/// From the keys of the file to the model.
pub(super) fn of_raw(raw: RawScenario) -> std::result::Result<Scenario, Problem> {
    let entry = |(index, raw)| entry(Place::entry(index), raw);
    let timeline = raw.timeline.into_iter().enumerate().map(entry).collect::<std::result::Result<_, _>>()?;
    let checks =
        raw.checks.iter().map(|(name, raw)| rule(name, raw)).collect::<std::result::Result<_, _>>()?;
    Ok(Scenario { head: raw.scenario, nodes: raw.nodes, nemesis: raw.nemesis, timeline, checks })
}

fn rule(name: &str, raw: &RawRule) -> std::result::Result<Chosen, Problem> {
    let place = || Place::of("checks").key(name);
    let argument = match raw {
        RawRule::Plain(true) => None,
        RawRule::Plain(false) => {
            return Err(Problem::new(place(), "a rule that is not to be judged by is left out")
                .remedy("leave the line out, or write true"));
        }
        RawRule::With(argument) => Some(argument.as_str()),
    };
    Chosen::new(name, argument).map_err(|error| Problem::of(place(), &error))
}

fn entry(place: Place, raw: RawEntry) -> std::result::Result<Entry, Problem> {
    let when = when(&place, &raw)?;
    let mut run = raw.run;
    if let Some(undo) = raw.undo {
        match &mut run {
            Some(run) if run.undo.is_none() => run.undo = Some(undo),
            _ => {
                return Err(Problem::new(place.key("undo"), "there is no command that it could take back")
                    .remedy("write it beside run = \"...\""));
            }
        }
    }
    let actions = [
        raw.jump.map(Action::Jump),
        raw.set.map(Action::Set),
        raw.drift.map(Action::Drift),
        raw.slew.map(Action::Slew),
        raw.stall.map(Action::Stall),
        raw.strobe.map(Action::Strobe),
        raw.leap.map(Action::Leap),
        raw.freeze.map(Action::Freeze),
        raw.suspend.map(Action::Suspend),
        raw.kill.map(Action::Kill),
        raw.heal.map(Action::Heal),
        run.map(Action::Run),
    ];
    let mut actions = actions.into_iter().flatten();
    match (actions.next(), actions.next()) {
        (Some(action), None) => {
            Ok(Entry { when, who: raw.node, action, optional: raw.optional.unwrap_or(false) })
        }
        (Some(_), Some(second)) => Err(Problem::new(place.key(second.key()), "an entry does one thing")
            .remedy("write a [[timeline]] entry of its own for each fault")),
        (None, _) => Err(Problem::new(place, "it says when, and nothing that is done then").remedy(
            "add one of jump, set, drift, slew, stall, strobe, leap, freeze, suspend, kill, heal and run",
        )),
    }
}

fn when(place: &Place, raw: &RawEntry) -> std::result::Result<When, Problem> {
    let together = |key: &str, other: &str| {
        Err(Problem::new(place.clone().key(key), format_args!("{key} and {other} contradict each other"))
            .remedy("leave one of them out"))
    };
    if raw.count.is_some() && raw.every.is_none() {
        return Err(Problem::new(place.clone().key("count"), "nothing comes again that could be counted")
            .remedy("add every = \"...\""));
    }
    match (raw.at, &raw.every, raw.between, &raw.after) {
        (_, Some(_), Some(_), _) => together("between", "every"),
        (_, Some(_), _, Some(_)) => together("after", "every"),
        (Some(_), _, Some(_), _) => together("between", "at"),
        (Some(_), _, _, Some(_)) => together("after", "at"),
        (_, _, Some(_), Some(_)) => together("after", "between"),
        (first, Some(gap), ..) => Ok(When::Every { gap: gap.clone(), first, count: raw.count }),
        (Some(at), ..) => Ok(When::At(at)),
        (_, _, Some([from, to]), _) => Ok(When::Between(from, to)),
        (.., Some(after)) => Ok(When::After(after.clone())),
        (None, None, None, None) => {
            Err(Problem::new(place.clone(), "it does not say when").remedy("add at, every, between or after"))
        }
    }
}

fn to_raw(scenario: &Scenario) -> RawScenario {
    RawScenario {
        scenario: scenario.head.clone(),
        nodes: scenario.nodes.clone(),
        nemesis: scenario.nemesis.clone(),
        timeline: scenario.timeline.iter().map(raw_entry).collect(),
        checks: scenario.checks.iter().map(raw_rule).collect(),
    }
}

fn raw_rule(chosen: &Chosen) -> (String, RawRule) {
    let argument = chosen.argument().map_or(RawRule::Plain(true), RawRule::With);
    (chosen.rule().name().to_owned(), argument)
}

fn raw_entry(entry: &Entry) -> RawEntry {
    let mut raw =
        RawEntry { node: entry.who.clone(), optional: entry.optional.then_some(true), ..RawEntry::default() };
    match &entry.when {
        When::At(at) => raw.at = Some(*at),
        When::Between(from, to) => raw.between = Some([*from, *to]),
        When::After(after) => raw.after = Some(after.clone()),
        When::Every { gap, first, count } => {
            (raw.every, raw.at, raw.count) = (Some(gap.clone()), *first, *count);
        }
    }
    match entry.action.clone() {
        Action::Jump(jump) => raw.jump = Some(jump),
        Action::Set(set) => raw.set = Some(set),
        Action::Drift(drift) => raw.drift = Some(drift),
        Action::Slew(slew) => raw.slew = Some(slew),
        Action::Stall(stall) => raw.stall = Some(stall),
        Action::Strobe(strobe) => raw.strobe = Some(strobe),
        Action::Leap(leap) => raw.leap = Some(leap),
        Action::Freeze(freeze) => raw.freeze = Some(freeze),
        Action::Suspend(suspend) => raw.suspend = Some(suspend),
        Action::Kill(kill) => raw.kill = Some(kill),
        Action::Heal(heal) => raw.heal = Some(heal),
        Action::Run(mut run) => {
            raw.undo = run.undo.take();
            raw.run = Some(run);
        }
    }
    raw
}

/// The scenario as the text of a file.
pub fn write(scenario: &Scenario) -> Result<String> {
    let refused = |why: toml::ser::Error| Error::not_applied("write a scenario as TOML", why);
    let raw = to_raw(scenario);
    let mut text = String::new();
    table(&mut text, "[scenario]", &Value::try_from(&raw.scenario).map_err(refused)?);
    for (name, program) in &raw.nodes {
        let header = format!("[nodes.{}]", key(name));
        table(&mut text, &header, &Value::try_from(program).map_err(refused)?);
    }
    if let Some(nemesis) = &raw.nemesis {
        table(&mut text, "[nemesis]", &Value::try_from(nemesis).map_err(refused)?);
    }
    if !raw.checks.is_empty() {
        table(&mut text, "[checks]", &Value::try_from(&raw.checks).map_err(refused)?);
    }
    text.push_str(&timeline(&scenario.timeline)?);
    Ok(text)
}

/// A timeline as the text of a file, without the rest.
pub fn timeline(entries: &[Entry]) -> Result<String> {
    let refused = |why: toml::ser::Error| Error::not_applied("write a timeline as TOML", why);
    let mut text = String::new();
    for entry in entries {
        table(&mut text, "[[timeline]]", &Value::try_from(raw_entry(entry)).map_err(refused)?);
    }
    Ok(text)
}

/// A header, and each key on a line of its own.
fn table(text: &mut String, header: &str, value: &Value) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(header);
    text.push('\n');
    for (name, value) in value.as_table().into_iter().flatten() {
        text.push_str(&format!("{} = {value}\n", key(name)));
    }
}

/// A key as it is written: bare where that is allowed.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if bare {
        return name.to_owned();
    }
    // JSON's escapes are TOML's as well, but for one character that only TOML refuses.
    serde_json::Value::from(name).to_string().replace('\u{7f}', "\\u007f")
}
