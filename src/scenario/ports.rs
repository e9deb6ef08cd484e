//! Ports by name: drawn anew for each play, so that no two plays, and nothing else on the machine, are in one another's way.
//!
//! What must hold: a name means one port throughout a play; that is free when it is drawn, and none that the kernel gives out
//! by itself; a name that [`Head::ports`](super::Head::ports) has not is refused wherever it is written.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::LazyLock;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::model::{Scenario, When, Who};
use super::problem::{Place, Problem};
use crate::error::{Error, Result};
use crate::freeze::shape::Seed;

/// Below what Linux gives to sockets that ask for no port of their own (`ip_local_port_range`, 32768 on).
const RANGE: Range<u16> = 10_000..32_000;
/// So many are tried: that all of them are taken means that something else is wrong.
const TRIES: usize = 1_000;

/// A port of 127.0.0.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "write a port's number, or one of the names in [scenario] ports")]
pub enum Port {
    /// By its number.
    Number(u16),
    /// By its name, until it is drawn.
    Named(String),
}

impl Port {
    /// Its number; an error if it was not drawn.
    pub fn number(&self) -> Result<u16> {
        match self {
            Port::Number(number) => Ok(*number),
            Port::Named(name) => {
                Err(Error::not_applied(format_args!("use port '{name}'"), "it was not drawn"))
            }
        }
    }
}

impl From<u16> for Port {
    fn from(number: u16) -> Self {
        Port::Number(number)
    }
}

impl From<&str> for Port {
    fn from(name: &str) -> Self {
        Port::Named(name.to_owned())
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Number(number) => write!(f, "{number}"),
            Port::Named(name) => f.write_str(name),
        }
    }
}

/// `{name.port}` in a text.
static MENTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{([A-Za-z0-9_-]+)\.port\}").expect("a regular expression"));

/// Refuses names that cannot be written, and those that are not there.
pub(super) fn check(scenario: &Scenario) -> std::result::Result<(), Problem> {
    let names = &scenario.head.ports;
    for (index, name) in names.iter().enumerate() {
        let place = || Place::of("scenario").key("ports").index(index);
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
            return Err(Problem::new(place(), "a port's name has letters, digits, - and _ in it alone"));
        }
        if names[..index].contains(name) {
            return Err(Problem::new(place(), format_args!("port '{name}' is there twice")));
        }
    }
    let known = |place: Place, name: &str| {
        if names.iter().any(|each| each == name) {
            return Ok(());
        }
        Err(Problem::new(place, format_args!("there is no port '{name}'"))
            .remedy(format_args!("add it to [scenario]: ports = [\"{name}\"]")))
    };
    let mut checked = Ok(());
    let mut copy = scenario.clone();
    texts(&mut copy, |place, text| {
        for mention in MENTION.captures_iter(text) {
            if checked.is_ok() {
                checked = known(place.clone(), &mention[1]);
            }
        }
    });
    checked?;
    let mut checked = Ok(());
    ports(&mut copy, |place, port| {
        if let (Port::Named(name), true) = (port, checked.is_ok()) {
            checked = known(place, name);
        }
    });
    checked
}

/// The scenario with numbers in place of the names.
pub fn draw(scenario: &Scenario) -> Result<Scenario> {
    let mut drawn = BTreeMap::new();
    for name in &scenario.head.ports {
        let number = free(&drawn)?;
        drawn.insert(name.clone(), number);
    }
    let mut scenario = scenario.clone();
    texts(&mut scenario, |_, text| {
        let number = |mention: &regex::Captures<'_>| {
            drawn.get(&mention[1]).map_or_else(|| mention[0].to_owned(), u16::to_string)
        };
        *text = MENTION.replace_all(text, number).into_owned();
    });
    ports(&mut scenario, |_, port| {
        if let Port::Named(name) = port
            && let Some(number) = drawn.get(name)
        {
            *port = Port::Number(*number);
        }
    });
    Ok(scenario)
}

fn free(taken: &BTreeMap<String, u16>) -> Result<u16> {
    let mut random = ChaCha8Rng::seed_from_u64(Seed::fresh().0);
    let mut candidates = (0..TRIES).map(|_| random.random_range(RANGE));
    let is_free = |port: &u16| {
        !taken.values().any(|other| other == port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
    };
    candidates.find(is_free).ok_or_else(|| {
        let why = format!("none of {TRIES} that were tried from {} to {} is free", RANGE.start, RANGE.end);
        Error::not_applied("find a free port of 127.0.0.1", why)
            .remedy("see whether 127.0.0.1 is there (ip addr), and what listens (ss -ltn)")
    })
}

/// All ports.
fn ports(scenario: &mut Scenario, mut each: impl FnMut(Place, &mut Port)) {
    for (name, program) in &mut scenario.nodes {
        if let Some(port) = program.ready.as_mut().and_then(|ready| ready.port.as_mut()) {
            each(Place::of("nodes").key(name).key("ready").key("port"), port);
        }
    }
    for (index, entry) in scenario.timeline.iter_mut().enumerate() {
        if let When::After(after) = &mut entry.when
            && let Some(port) = &mut after.connect
        {
            each(Place::entry(index).key("after").key("connect"), port);
        }
    }
}

/// All texts in which a name may stand: words and variables of programs, and commands.
fn texts(scenario: &mut Scenario, mut each: impl FnMut(Place, &mut String)) {
    for (name, program) in &mut scenario.nodes {
        let place = || Place::of("nodes").key(name);
        for (index, word) in program.command.iter_mut().enumerate() {
            each(place().key("command").index(index), word);
        }
        for (variable, value) in &mut program.env {
            each(place().key("env").key(variable), value);
        }
        if let Some(command) = program.ready.as_mut().and_then(|ready| ready.command.as_mut()) {
            each(place().key("ready").key("command"), command);
        }
    }
    for (index, entry) in scenario.timeline.iter_mut().enumerate() {
        let place = || Place::entry(index);
        if let When::After(after) = &mut entry.when
            && let Some(command) = &mut after.command
        {
            each(place().key("after").key("command"), command);
        }
        if let Some(Who::Named { command }) = &mut entry.who {
            each(place().key("node").key("command"), command);
        }
        if let Action::Run(run) = &mut entry.action {
            each(place().key("run"), &mut run.command);
            if let Some(undo) = &mut run.undo {
                each(place().key("undo"), undo);
            }
        }
    }
}
