//! A scenario from its beginning to its end, in one thread, which waits for whatever comes first: a keeper's word, a thread
//! that has done its part, an instant, an interruption.
//!
//! What must hold: nothing here waits for anything else, so that the instants of the timeline find their threads in time;
//! whatever fails, the end is always the same: healed, thawed, undone, stopped, waited for, told.

mod finish;
mod timeline;

use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock};

use indexmap::IndexMap;

use super::cast::{Cast, Heard};
use super::hire::{examine, make_nodes, remove};
use super::record::Record;
use super::samples;
use super::shared::{News, Over, Shared, lock};
use super::verdict::Known;
use super::watch::Watch;
use super::{Options, Outcome};
use crate::error::{Error, Result};
use crate::history::{Event, FORMAT, Header, Node as NodeLine, VERSION, Writer};
use crate::node::Node;
use crate::scenario::{Planned, Scenario, timeline};
use crate::units::format_instant;
use crate::{HostInstant, NodeInstant, Span, host_clock, raw};

/// How often marks are looked for.
const LOOK: Span = Span::from_millis(25);
/// How often a program is asked whether it is ready.
const ASK: Span = Span::from_millis(10);

/// Why a part of the play is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Its time has come.
    Time,
    /// It was interrupted.
    Interrupted,
}

struct Play<'a> {
    scenario: &'a Scenario,
    timeline: &'a [Planned],
    nodes: &'a IndexMap<String, Node>,
    history: &'a Mutex<Writer>,
    record: Option<&'a Record>,
    over: &'a Over,
    killed: &'a Mutex<BTreeSet<String>>,
    cancel: Option<&'a OwnedFd>,
    bell: &'a UnixStream,
    news: &'a Receiver<News>,
    dir: &'a Path,
    cast: Cast,
    watches: IndexMap<String, Watch>,
    samples: IndexMap<String, samples::Known>,
    known: Known,
    undo: Vec<(u32, String)>,
    next_sample: HostInstant,
    next_look: HostInstant,
    stopping: bool,
}

pub fn play(scenario: &Scenario, seed: u64, options: Options) -> Result<Outcome> {
    let timeline = timeline(scenario, seed)?;
    let dir = match &options.directory {
        Some(dir) => std::path::absolute(dir),
        None => std::env::current_dir(),
    };
    let dir: PathBuf = dir.map_err(|why| Error::not_applied("find the current directory", why))?;
    let commands = examine(scenario, &dir, options.falseticker.as_deref())?;
    let nodes = make_nodes(scenario)?;
    let header = header(scenario, seed);
    let record = Record::begin(&scenario.checks, &header).inspect_err(|_| remove(&nodes))?;
    let observer = match &record {
        Some(record) => Some(record.observer(options.observer)),
        None => options.observer,
    };
    let written = Writer::create(options.history.as_deref(), options.overwrite, observer);
    let mut writer = written.inspect_err(|_| remove(&nodes))?;
    writer.begin(&header);
    let cast = Cast::hire(scenario, &nodes, commands, &dir).inspect_err(|_| remove(&nodes))?;
    let history = Mutex::new(writer);
    let (over, killed) = (Over::new()?, Mutex::new(BTreeSet::new()));
    let (bell, ringer) =
        UnixStream::pair().map_err(|why| Error::not_applied("make a pair of sockets", why))?;
    for end in [&bell, &ringer] {
        end.set_nonblocking(true).map_err(|why| Error::not_applied("make a pair of sockets", why))?;
    }
    let (send, news) = channel();
    let start = OnceLock::new();
    let shared = Shared {
        start: &start,
        nodes: &nodes,
        history: &history,
        over: &over,
        killed: &killed,
        news: send,
        bell: &ringer,
    };
    let mut play = Play {
        scenario,
        timeline: &timeline,
        nodes: &nodes,
        history: &history,
        record: record.as_ref(),
        over: &over,
        killed: &killed,
        cancel: options.cancel.as_ref(),
        bell: &bell,
        news: &news,
        dir: &dir,
        cast,
        watches: nodes.keys().map(|name| (name.clone(), Watch::default())).collect(),
        samples: nodes.keys().map(|name| (name.clone(), samples::Known::default())).collect(),
        known: Known::default(),
        undo: Vec::new(),
        next_sample: HostInstant::MAX,
        next_look: HostInstant::MAX,
        stopping: false,
    };
    let ended = play.whole(&shared);
    play.finish(ended, seed)
}

fn header(scenario: &Scenario, seed: u64) -> Header {
    let node = |(name, program): (&String, &crate::scenario::Program)| NodeLine {
        name: name.clone(),
        command: program.command.clone(),
        monotonic: program.monotonic,
    };
    Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.head.name.clone(),
        seed,
        started: format_instant(NodeInstant::from_nanos(host_clock::realtime())),
        duration_ns: scenario.head.duration.as_nanos(),
        recovery_ns: scenario.head.recovery.as_nanos(),
        clocks: vec!["mono".to_owned(), "wall".to_owned()],
        nodes: scenario.nodes.iter().map(node).collect(),
    }
}

impl Play<'_> {
    fn whole(&mut self, shared: &Shared<'_>) -> Result<Stop> {
        if self.get_ready()? == Stop::Interrupted {
            return Ok(Stop::Interrupted);
        }
        let start = self.plan()?;
        let _ = shared.start.set(start);
        let (heal, end) = self.ends(start);
        let told = Event::Start { heal: heal.as_nanos(), end: end.as_nanos() };
        lock(self.history).at(start, told);
        (self.next_sample, self.next_look) = (start, start);
        let dir = self.dir;
        let stop = std::thread::scope(|scope| {
            let stop = self.act_until(scope, shared, start, heal, dir);
            // Also after a failure: nobody is to go on with the timeline.
            self.over.come();
            stop
        })?;
        self.take_news();
        if stop == Stop::Interrupted {
            return Ok(stop);
        }
        self.until(end)
    }

    /// Starts the programs, until all are ready.
    fn get_ready(&mut self) -> Result<Stop> {
        loop {
            if self.cast.advance(self.nodes, &mut lock(self.history))? {
                return Ok(Stop::Time);
            }
            let pause = host_clock::monotonic().saturating_add(ASK);
            if self.until(pause)? == Stop::Interrupted {
                return Ok(Stop::Interrupted);
            }
        }
    }

    /// When the clocks are healed, and when the programs are stopped.
    fn ends(&self, start: HostInstant) -> (HostInstant, HostInstant) {
        let heal = start.saturating_add(self.scenario.head.duration);
        (heal, heal.saturating_add(self.scenario.head.recovery))
    }

    /// Until an instant, or an interruption.
    fn until(&mut self, at: HostInstant) -> Result<Stop> {
        loop {
            self.once(at)?;
            if self.is_cancelled() && !self.stopping {
                return Ok(Stop::Interrupted);
            }
            if host_clock::monotonic() >= at {
                return Ok(Stop::Time);
            }
        }
    }

    /// Waits for whatever comes first, and takes care of it; the lines that were heard come back.
    fn once(&mut self, at: HostInstant) -> Result<Vec<Heard>> {
        let again =
            self.cast.actors.values().filter_map(|actor| actor.again).min().unwrap_or(HostInstant::MAX);
        let until = at.min(self.next_sample).min(self.next_look).min(again);
        self.poll(until);
        self.take_news();
        if self.next_look != HostInstant::MAX {
            self.cast.attend(self.nodes, &mut lock(self.history));
        }
        let mut heard = Vec::new();
        for (name, node) in self.nodes {
            let was_killed = || lock(self.killed).remove(name);
            let mut history = lock(self.history);
            heard.extend(self.cast.hear(name, node, &mut history, was_killed, self.stopping)?);
        }
        let now = host_clock::monotonic();
        if now >= self.next_look {
            self.look()?;
            self.next_look = now.saturating_add(LOOK);
        }
        if now >= self.next_sample {
            self.sample()?;
            let behind = now.saturating_since(self.next_sample).as_nanos()
                / self.scenario.head.sample.as_nanos().max(1);
            let step = self.scenario.head.sample.as_nanos().saturating_mul(behind + 1);
            self.next_sample = self.next_sample.saturating_add(Span::from_nanos(step));
        }
        match lock(self.history).failure() {
            Some(why) if !self.stopping => Err(why.clone()),
            _ => Ok(heard),
        }
    }

    fn poll(&self, until: HostInstant) {
        let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let cancel = self.cancel.filter(|_| !self.stopping).map_or(-1, AsRawFd::as_raw_fd);
        let mut fds = vec![entry(cancel), entry(self.bell.as_raw_fd())];
        fds.extend(self.cast.keepers().map(|(_, keeper)| entry(keeper.as_fd().as_raw_fd())));
        let left = until.saturating_since(host_clock::monotonic()).as_nanos().max(0);
        let _ = raw::poll(&mut fds, (until != HostInstant::MAX).then_some(left));
    }

    fn is_cancelled(&self) -> bool {
        let Some(cancel) = self.cancel else { return false };
        let mut fds = [libc::pollfd { fd: cancel.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        raw::poll(&mut fds, Some(0)).is_ok_and(|ready| ready > 0)
    }

    fn take_news(&mut self) {
        let mut bell = self.bell;
        while bell.read(&mut [0; 256]).is_ok_and(|length| length > 0) {}
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Applied { id, node, applied } => {
                    self.known.given.insert(id, node.clone());
                    if let Some(watch) = self.watches.get_mut(&node) {
                        watch.add(Some(id), applied);
                    }
                }
                News::Reached(id) => drop(self.known.reached.insert(id)),
                News::Failed(id, why) => drop(self.known.failed.insert(id, why)),
                News::Stood(node, from, until) => self.known.stood.push((node, from, until)),
                News::Restart(node, at) => {
                    if let Some(actor) = self.cast.actors.get_mut(&node) {
                        actor.again = Some(at);
                    }
                }
                News::Undo(id, command) => self.undo.push((id, command)),
            }
        }
    }

    fn look(&mut self) -> Result<()> {
        let now = host_clock::monotonic();
        let mut history = lock(self.history);
        for (name, node) in self.nodes {
            if let Some(watch) = self.watches.get_mut(name) {
                watch.look(node, now, &mut history)?;
            }
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<()> {
        let now = host_clock::monotonic();
        let mut history = lock(self.history);
        for (name, node) in self.nodes {
            if let Some(known) = self.samples.get_mut(name) {
                let sample = known.sample(node, now)?;
                history.at(now, sample);
            }
        }
        Ok(())
    }
}
