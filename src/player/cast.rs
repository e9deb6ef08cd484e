//! Who plays: each node with its keeper and its program.
//!
//! What must hold: a node is started once those that it needs are ready; every line of its output is told once, and looked at
//! by whoever waits for one; an end that nobody asked for is remembered.

use std::path::Path;
use std::sync::atomic::Ordering;

use indexmap::IndexMap;

use super::hire::charge;
use super::keeper::{FromKeeper, Keeper, ToKeeper};
use super::ready::Readiness;
use super::samples::host_instants;
use crate::error::{Error, Result};
use crate::history::{Event, Operation, Writer, operation};
use crate::node::Node;
use crate::run::arrival::{self, Arrival};
use crate::run::launch::Command;
use crate::scenario::{Program, Restart, Scenario};
use crate::{HostInstant, Span, host_clock};

/// By when a program must have loaded its shim.
const ARRIVAL_LIMIT: Span = Span::from_secs(10);
/// How long after its end a program is started again that always is.
const AGAIN: Span = Span::from_secs(1);
/// How many lines of a program are kept, to be told should it not start.
const LAST_LINES: usize = 4;

/// How far a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was not started.
    Waiting,
    /// It is being started.
    Starting,
    /// It runs since, and is not ready.
    Running(HostInstant),
    /// It is ready.
    Ready,
    /// It has ended.
    Ended,
}

/// A node's program.
pub struct Actor {
    keeper: Keeper,
    program: Program,
    readiness: Readiness,
    /// Its process, once it was started.
    pid: i32,
    unseated: u64,
    /// How far it is.
    pub state: State,
    /// When it is to be started again.
    pub again: Option<HostInstant>,
    last: Vec<String>,
}

/// What somebody wrote.
#[derive(Clone, Debug)]
pub struct Heard {
    /// In which node.
    pub node: String,
    /// What.
    pub line: String,
    /// When it was read.
    pub at: HostInstant,
}

/// All of them.
pub struct Cast {
    /// By name, in the order of the scenario.
    pub actors: IndexMap<String, Actor>,
    /// What ended, or was not ready, and should not have.
    pub problems: Vec<String>,
    tells_output: bool,
}

impl Cast {
    /// Starts the keepers; their programs wait.
    pub fn hire(
        scenario: &Scenario,
        nodes: &IndexMap<String, Node>,
        commands: Vec<Command>,
        base: &Path,
    ) -> Result<Cast> {
        let mut cast =
            Cast { actors: IndexMap::new(), problems: Vec::new(), tells_output: scenario.head.output };
        for ((name, program), command) in scenario.nodes.iter().zip(commands) {
            let Some(node) = nodes.get(name) else { continue };
            let keeper = Keeper::start(charge(program, node, &command, base)?)?;
            let actor = Actor {
                keeper,
                program: program.clone(),
                readiness: Readiness::of(program.ready.as_ref(), base)?,
                pid: 0,
                unseated: 0,
                state: State::Waiting,
                again: None,
                last: Vec::new(),
            };
            cast.actors.insert(name.clone(), actor);
        }
        Ok(cast)
    }

    /// Starts whoever may start by now. `Ok(true)` once all are ready; an error if one never will be.
    pub fn advance(&mut self, nodes: &IndexMap<String, Node>, history: &mut Writer) -> Result<bool> {
        let ready: Vec<String> = self
            .actors
            .iter()
            .filter(|(_, actor)| actor.has_been_ready())
            .map(|(name, _)| name.clone())
            .collect();
        for (name, actor) in &mut self.actors {
            if actor.state == State::Waiting
                && actor.program.needs.iter().all(|needed| ready.contains(needed))
            {
                let node = nodes.get(name);
                actor.start(node);
            }
            if let (State::Running(since), Some(node)) = (actor.state, nodes.get(name)) {
                actor.look(name, node, since, history)?;
            }
        }
        Ok(self.actors.values().all(Actor::has_been_ready))
    }

    /// Starts whoever is to be started again by now, and sees whether those that were are ready.
    pub fn attend(&mut self, nodes: &IndexMap<String, Node>, history: &mut Writer) {
        let now = host_clock::monotonic();
        for (name, actor) in &mut self.actors {
            let may_start = matches!(actor.state, State::Ended | State::Waiting);
            if may_start && actor.again.is_some_and(|again| again <= now) {
                actor.again = None;
                actor.start(nodes.get(name));
            }
            if let (State::Running(since), Some(node)) = (actor.state, nodes.get(name))
                && let Err(why) = actor.look(name, node, since, history)
            {
                actor.state = State::Ready;
                self.problems.push(why.to_string());
            }
        }
    }

    /// Takes what a keeper has said; what was written comes back.
    pub fn hear(
        &mut self,
        name: &str,
        node: &Node,
        history: &mut Writer,
        was_killed: impl Fn() -> bool,
        stopping: bool,
    ) -> Result<Vec<Heard>> {
        let mut heard = Vec::new();
        let Some(actor) = self.actors.get_mut(name) else { return Ok(heard) };
        for message in actor.keeper.hear().unwrap_or_default() {
            match message {
                FromKeeper::Started { pid, at_ns } => {
                    let at = HostInstant::from_nanos(at_ns);
                    (actor.pid, actor.state) = (pid, State::Running(at));
                    history.at(at, Event::Started { node: name.to_owned(), pid });
                }
                FromKeeper::NotStarted { why } => {
                    actor.state = State::Ended;
                    return Err(Error::not_applied(format_args!("start the program of node {name}"), why));
                }
                FromKeeper::Output { err, line, since_ns, at_ns } => {
                    let at = HostInstant::from_nanos(at_ns);
                    actor.readiness.take(&line);
                    actor.remember(&line);
                    if let Some((operation, mono)) = operation::read(&line).filter(|_| !err) {
                        let bounds = (HostInstant::from_nanos(since_ns), at);
                        let operation = place(operation, mono, bounds, node);
                        history.at(at, Event::Op { node: name.to_owned(), operation });
                    } else if self.tells_output {
                        let stream = if err { "err" } else { "out" }.to_owned();
                        history.at(at, Event::Output { node: name.to_owned(), stream, line: line.clone() });
                    }
                    heard.push(Heard { node: name.to_owned(), line, at });
                }
                FromKeeper::Exited { pid, code, signal, at_ns } => {
                    let at = HostInstant::from_nanos(at_ns);
                    let was_up = actor.state;
                    let killed = was_killed();
                    let done = actor.program.ends && code == Some(0);
                    let always = actor.program.restart == Restart::Always;
                    let expected = stopping || killed || done;
                    actor.state = State::Ended;
                    history.at(at, Event::Exited { node: name.to_owned(), pid, code, signal, expected });
                    if always && !killed && !stopping {
                        actor.again = Some(at.saturating_add(AGAIN));
                    } else if !expected {
                        let why = actor.why_it_ended(code, signal);
                        if matches!(was_up, State::Running(_)) && actor.again.is_none() {
                            return Err(Error::not_applied(
                                format_args!("start the program of node {name}"),
                                why,
                            )
                            .remedy("see what it says when it is run by itself"));
                        }
                        self.problems.push(format!("node {name}: its program ended unexpectedly: {why}"));
                    }
                }
            }
        }
        if actor.keeper.is_gone() && !stopping {
            return Err(Error::not_applied(
                format_args!("keep the program of node {name}"),
                "its keeper was killed",
            ));
        }
        Ok(heard)
    }

    /// Tells all keepers when to stop should the player be gone.
    pub fn until(&mut self, end: HostInstant) {
        for actor in self.actors.values_mut() {
            actor.keeper.say(&ToKeeper::Until { end_ns: end.as_nanos() });
        }
    }

    /// Stops all programs, those first that need others; their ends are told by [`Cast::hear`].
    pub fn stop(&mut self) {
        for actor in self.actors.values_mut().rev() {
            actor.keeper.say(&ToKeeper::Stop);
        }
    }

    /// The keepers that are there, to be polled.
    pub fn keepers(&self) -> impl Iterator<Item = (&String, &Keeper)> {
        self.actors.iter().map(|(name, actor)| (name, &actor.keeper)).filter(|(_, keeper)| !keeper.is_gone())
    }

    /// Who should have ended by itself and has not.
    pub fn unfinished(&self) -> impl Iterator<Item = &String> {
        self.actors
            .iter()
            .filter(|(_, actor)| actor.program.ends && actor.state != State::Ended)
            .map(|(name, _)| name)
    }
}

impl Actor {
    fn start(&mut self, node: Option<&Node>) {
        self.unseated = node.map_or(0, |node| node.evidence().header.unseated.load(Ordering::Relaxed));
        self.state = State::Starting;
        if let Readiness::Output(_, come) = &mut self.readiness {
            *come = false;
        }
        self.keeper.say(&ToKeeper::Start);
    }

    /// A client with a job may be done before anybody looks.
    fn has_been_ready(&self) -> bool {
        self.state == State::Ready || self.state == State::Ended && self.program.ends
    }

    fn look(&mut self, name: &str, node: &Node, since: HostInstant, history: &mut Writer) -> Result<()> {
        let arrived = arrival::look(node.evidence(), self.pid, since, self.unseated) != Arrival::Unknown;
        let now = host_clock::monotonic();
        let waited = now.saturating_since(since);
        if arrived && self.readiness.look()? {
            self.state = State::Ready;
            history.now(Event::Ready { node: name.to_owned(), after: waited.as_nanos() });
            return Ok(());
        }
        let attempted = || format!("start the program of node {name}");
        let within = self.program.ready.as_ref().map_or(ARRIVAL_LIMIT, |ready| ready.within);
        if arrived && waited > within {
            let why = format!(
                "it is not ready after {} ({}); it said: {}",
                crate::units::format_span(within),
                self.readiness.awaited(),
                self.last_words()
            );
            return Err(
                Error::not_applied(attempted(), why).remedy("see what it waits for, or raise ready.within")
            );
        }
        if !arrived && waited > ARRIVAL_LIMIT.max(within) {
            return Err(Error::not_applied(
                attempted(),
                "it did not load its shim, and so would have a true clock",
            )
            .remedy("try it by itself: falseticker run -- COMMAND"));
        }
        Ok(())
    }

    fn remember(&mut self, line: &str) {
        if self.last.len() == LAST_LINES {
            self.last.remove(0);
        }
        self.last.push(line.chars().take(200).collect());
    }

    fn last_words(&self) -> String {
        if self.last.is_empty() { "nothing".to_owned() } else { self.last.join(" | ") }
    }

    fn why_it_ended(&self, code: Option<i32>, signal: Option<i32>) -> String {
        let how = match (code, signal) {
            (_, Some(signal)) => format!("killed by signal {signal}"),
            (code, None) => format!("exit code {}", code.unwrap_or(-1)),
        };
        format!("{how}; it said: {}", self.last_words())
    }
}

/// An operation with the host's instants between which its line was written.
fn place(
    operation: Operation,
    mono: Option<i64>,
    bounds: (HostInstant, HostInstant),
    node: &Node,
) -> Operation {
    let known = mono.and_then(|mono| host_instants(node, mono, bounds.1));
    let ((from, until), by) = match known {
        Some(known) => (known, "mono"),
        None => (bounds, "bounds"),
    };
    Operation { from_ns: from.as_nanos(), until_ns: until.as_nanos(), by: by.to_owned(), ..operation }
}
