//! `falseticker freeze NODE --on-read wall|mono --for SPAN`: pauses right after a read of the clock.
//!
//! What must hold: in the foreground until as many threads as were asked for have been held and have gone on; a signal that
//! ends this command disarms the trap and lets go whoever is held; if it is killed, the trap ends by itself within 2 s.

use std::os::fd::AsFd;

use falseticker::freeze::{Ended, How};
use falseticker::trap::{Armed, Firing, Hold, On, Pick, Plan};
use falseticker::units::format_span;
use falseticker::{Error, ErrorKind, HostInstant, Node, Result, Span, host_clock};
use serde_json::{Value, json};

use super::super::exit;
use super::super::output::{Output, Reply};
use super::super::signals::{Signals, Woken};
use super::super::table::{count, cut, short};

use super::shape::Once;
use super::told::{add_end, line as line_of_freeze, to_json as json_of_freeze};

/// How often it is looked whether anybody is left who could read.
const NODE_LOOKED_AT_EVERY: Span = Span::from_secs(1);
/// How much later than its deadline a held thread may be expected to say that it has gone on.
const LATE: Span = Span::from_secs(5);

/// The flags.
#[derive(Debug, clap::Args)]
pub struct OnRead {
    /// Pause right after a read of that clock, before the program can act on the value; needs --for
    #[arg(long, value_name = "CLOCK", value_enum)]
    pub on_read: Option<ReadOf>,

    /// The Nth read from now on, by whichever thread of the node, and with --count every Nth after it
    #[arg(long, value_name = "N", requires = "on_read", conflicts_with = "probability")]
    pub nth: Option<u64>,

    /// Each read with this probability: above 0, 1 at most
    #[arg(long, value_name = "P", requires = "on_read", allow_hyphen_values = true)]
    pub probability: Option<f64>,

    /// Who is held: the thread that reads, or with it the whole node
    #[arg(long, value_name = "WHO", value_enum, requires = "on_read")]
    pub hold: Option<Who>,
}

/// Which clock's reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReadOf {
    /// CLOCK_REALTIME and what follows it.
    Wall,
    /// CLOCK_MONOTONIC, its coarse form and RAW.
    Mono,
}

/// Who is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Who {
    /// The thread that reads.
    #[default]
    Thread,
    /// The whole node, frozen.
    Node,
}

impl OnRead {
    /// What is to be done.
    pub fn plan(
        &self,
        once: Option<&Once>,
        count: Option<u64>,
        seed: Option<u64>,
        how: &How,
    ) -> Result<Plan> {
        let refused =
            |why: &str, remedy: &str| Err(Error::bad_input("pause at a read of a clock", why).remedy(remedy));
        let Some(once) = once else {
            return refused("nothing says how long", "give the length with --for, such as --for 5s");
        };
        if seed.is_some() && self.probability.is_none() && once.drawn.is_none() {
            return refused(
                "there is nothing to draw with --seed",
                "give --probability too, or leave --seed out",
            );
        }
        let hold = match (self.hold.unwrap_or_default(), how) {
            (_, How::Thread(_)) => {
                return refused("it is the thread that reads which is held", "leave --thread out");
            }
            (Who::Thread, How::Signal) => Hold::Thread(once.lasts),
            (Who::Thread, _) => {
                return refused(
                    "--how says how a whole node is frozen",
                    "add --hold node, or leave --how out",
                );
            }
            (Who::Node, _) => Hold::Node(once.lasts),
        };
        let pick = match self.probability {
            Some(probability) => Pick::Probability { probability, seed: seed.unwrap_or_else(fresh_seed) },
            None => Pick::Nth(self.nth.unwrap_or(1)),
        };
        let Ok(count) = u32::try_from(count.unwrap_or(1)) else {
            return refused("nobody counts so far", "leave --count below 4294967296");
        };
        let on = match self.on_read {
            Some(ReadOf::Mono) => On::Mono,
            Some(ReadOf::Wall) | None => On::Wall,
        };
        let plan = Plan { on, pick, count, hold };
        plan.check()?;
        Ok(plan)
    }
}

/// One that nobody has had, as the standard library draws it for its hash tables.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// Why it is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Complete,
    Interrupted,
    ByRequest,
    NodeEnded,
}

/// One firing, and the node's pause that came of it.
struct Told {
    firing: Firing,
    pause: Option<Value>,
    /// Whether it has been told that it went on.
    is_over: bool,
}

struct Run<'a> {
    node: &'a Node,
    /// By which means a whole node is frozen.
    how: How,
    armed: Armed,
    signals: Signals,
    output: &'a Output,
    told: Vec<Told>,
}

/// Arms the trap, tells of each thread that it holds, and waits until it is over.
pub fn run(node: &Node, plan: &Plan, how: How, output: &Output) -> Result<Reply> {
    let signals = Signals::hold()?;
    let armed = node.trap(plan)?;
    output.say(&headline(node, plan))?;
    let mut run = Run { node, how, armed, signals, output, told: Vec::new() };
    let over = run.all()?;
    run.end()?;
    Ok(run.reply(over))
}

impl Run<'_> {
    fn all(&mut self) -> Result<Over> {
        loop {
            for firing in self.armed.fired() {
                if self.tell(firing)? == Woken::Signal {
                    return Ok(Over::Interrupted);
                }
            }
            self.tell_ends()?;
            if self.armed.is_spent() {
                let complete = self.armed.counts().fired >= self.armed.plan().count;
                self.armed.disarm();
                let woken = self.wait_for_all_to_go_on()?;
                return Ok(match woken {
                    Woken::Signal => Over::Interrupted,
                    Woken::Ended if complete => Over::Complete,
                    Woken::Ended => Over::ByRequest,
                });
            }
            let soon = host_clock::monotonic().saturating_add(NODE_LOOKED_AT_EVERY);
            if self.wait(soon)? == Woken::Signal {
                return Ok(Over::Interrupted);
            }
            if self.is_nobody_left() {
                return Ok(Over::NodeEnded);
            }
        }
    }

    /// Waits until something changes, until an instant, or for a signal.
    fn wait(&self, until: HostInstant) -> Result<Woken> {
        let woken = self.signals.wait_until(until, Some(self.armed.as_fd()))?;
        self.armed.listen();
        Ok(woken)
    }

    fn is_nobody_left(&self) -> bool {
        match self.node.members() {
            Ok(members) => !members.into_iter().any(|id| id.is_alive()),
            Err(_) => !self.node.dir().path().exists(),
        }
    }

    /// Tells of a thread that is held, and freezes the rest of the node where that was asked for.
    fn tell(&mut self, firing: Firing) -> Result<Woken> {
        self.output.say(&line(&firing))?;
        let covered = is_covered(&self.told, &firing);
        let mut told = Told { firing, pause: None, is_over: false };
        let mut woken = Woken::Ended;
        if let (Hold::Node(length), false) = (self.armed.plan().hold, covered) {
            let (pause, by) = self.freeze(length)?;
            (told.pause, woken) = (Some(pause), by);
        }
        self.told.push(told);
        Ok(woken)
    }

    fn freeze(&self, length: Span) -> Result<(Value, Woken)> {
        let frozen = self.armed.freeze_node(self.node, self.how.clone())?;
        let mut json = json_of_freeze(self.node.name(), frozen.report(), frozen.until());
        self.output.say(&line_of_freeze(self.node.name(), frozen.report(), Some(length)))?;
        let since = frozen.report().last_confirmed;
        let woken = self.signals.wait(&frozen)?;
        let (how, thawed) = match woken {
            Woken::Signal => ("interrupted", frozen.thaw()?),
            Woken::Ended => {
                let thawed = frozen.wait_and_thaw()?;
                let how = match thawed.ended {
                    Ended::AsPlanned => "as-planned",
                    Ended::ByRequest => "by-request",
                    Ended::GuardsLost => "guards-lost",
                };
                (how, thawed)
            }
        };
        add_end(&mut json, how, since, &thawed);
        let after = short(thawed.first_resumed.saturating_since(since));
        self.output.say(&format!("node {}: thawed after {after}", self.node.name()))?;
        Ok((json, woken))
    }

    /// Tells of everybody who has gone on since, or is gone.
    fn tell_ends(&mut self) -> Result<()> {
        let now = host_clock::monotonic();
        for told in self.told.iter_mut().filter(|told| !told.is_over) {
            told.firing = self.armed.now(&told.firing);
            told.is_over = !told.firing.is_held() || now >= told.firing.until.saturating_add(LATE);
            if told.is_over {
                self.output.say(&line_of_end(&told.firing))?;
            }
        }
        Ok(())
    }

    /// Waits until everybody who was held has gone on, or is gone.
    fn wait_for_all_to_go_on(&mut self) -> Result<Woken> {
        loop {
            self.tell_ends()?;
            if self.told.iter().all(|told| told.is_over) {
                return Ok(Woken::Ended);
            }
            // One that is killed says nothing.
            let soon = host_clock::monotonic().saturating_add(NODE_LOOKED_AT_EVERY);
            if self.wait(soon)? == Woken::Signal {
                return Ok(Woken::Signal);
            }
        }
    }

    /// Disarms, lets go whoever is held, and sees them go.
    fn end(&mut self) -> Result<()> {
        self.armed.disarm();
        self.armed.release();
        let until = host_clock::monotonic().saturating_add(NODE_LOOKED_AT_EVERY);
        while self.told.iter().any(|told| !told.is_over) && host_clock::monotonic() < until {
            self.armed.wait(until);
            self.tell_ends()?;
        }
        Ok(())
    }

    fn reply(self, over: Over) -> Reply {
        let (how, words, mut code) = match over {
            Over::Complete => ("complete", "", exit::DONE),
            Over::Interrupted => (
                "interrupted",
                "; interrupted, and whoever was held has gone on",
                ErrorKind::Interrupted.exit_code(),
            ),
            Over::ByRequest => ("by-request", "; ended by another command", exit::DONE),
            Over::NodeEnded => {
                ("node-ended", "; then the node's processes ended", ErrorKind::NotApplied.exit_code())
            }
        };
        if self.told.iter().any(|told| told.firing.refused.is_some()) {
            code = code.max(ErrorKind::NotApplied.exit_code());
        }
        let counts = self.armed.counts();
        let reads = count(usize::try_from(counts.reads).unwrap_or(usize::MAX), "read", "reads");
        let text = format!("node {}: {} of {reads} held{words}", self.node.name(), counts.fired);
        let json = to_json(self.node, &self.armed, &self.told, how);
        Reply::done(text, json).with_code(code)
    }
}

/// Whether the node's last pause began after this thread was held: it stood still with the rest then.
fn is_covered(told: &[Told], firing: &Firing) -> bool {
    let last = told.iter().rev().find_map(|told| told.pause.as_ref());
    last.is_some_and(|pause| pause["last_confirmed_ns"].as_i64() > Some(firing.at.as_nanos()))
}

/// "node a: the 3rd read of wall from now on is held, for 5s".
fn headline(node: &Node, plan: &Plan) -> String {
    let whom = match plan.pick {
        Pick::Nth(1) if plan.count == 1 => format!("the next {}", plan.what()),
        Pick::Nth(nth) if plan.count == 1 => format!("{} number {nth} from now on", plan.what()),
        Pick::Nth(1) => format!("each {}, {} times", plan.what(), plan.count),
        Pick::Nth(nth) => format!("one {} of {nth}, {} times", plan.what(), plan.count),
        Pick::Probability { probability, seed } => {
            let times = count(usize::try_from(plan.count).unwrap_or(usize::MAX), "time", "times");
            format!("each {} with probability {probability} (seed {seed}), {times}", plan.what())
        }
    };
    let length = plan.length().map(format_span).unwrap_or_default();
    let who = if matches!(plan.hold, Hold::Node(_)) { "the whole node" } else { "its thread alone" };
    format!("node {}: armed: {whom}: {who} stands still for {length}", node.name())
}

/// "  held: process 12, thread 14, after read 3: etcd --name a".
fn line(firing: &Firing) -> String {
    let elsewhere = if firing.is_of_this_namespace { "" } else { " (of another pid namespace)" };
    let (pid, tid, number) = (firing.pid, firing.tid, firing.number);
    format!(
        "  held: process {pid}, thread {tid}{elsewhere}, after read {number}: {}",
        cut(&firing.command, 30)
    )
}

fn line_of_end(firing: &Firing) -> String {
    let tid = firing.tid;
    match (&firing.refused, firing.held_for()) {
        (Some(why), _) => {
            format!("  thread {tid} was not held: {why}; a sandbox that refuses futex, most likely")
        }
        (None, Some(held)) => format!("  thread {tid} went on after {}", short(held)),
        // A handler that jumps out of the read leaves no word.
        (None, None) if firing.is_held() => format!("  thread {tid} was not seen to go on"),
        (None, None) => format!("  thread {tid} has ended"),
    }
}

fn to_json(node: &Node, armed: &Armed, told: &[Told], how: &str) -> Value {
    let plan = armed.plan();
    let (nth, probability, seed) = match plan.pick {
        Pick::Nth(nth) => (Some(nth), None, None),
        Pick::Probability { probability, seed } => (None, Some(probability), Some(seed)),
    };
    let firings = told.iter().map(|told| {
        let firing = &told.firing;
        json!({
            "pid": firing.pid,
            "tid": firing.tid,
            "command": firing.command,
            "number": firing.number,
            "at_ns": firing.at.as_nanos(),
            "until_ns": firing.until.as_nanos(),
            "ended_ns": firing.ended.map(HostInstant::as_nanos),
            "refused": firing.refused,
            "pause": told.pause,
        })
    });
    json!({
        "node": node.name(),
        "on": plan.what(),
        "nth": nth,
        "probability": probability,
        "seed": seed,
        "count": plan.count,
        "hold": if matches!(plan.hold, Hold::Node(_)) { "node" } else { "thread" },
        "for_ns": plan.length().map(Span::as_nanos),
        "reads": armed.counts().reads,
        "fired": armed.counts().fired,
        "firings": firings.collect::<Vec<_>>(),
        "ended": how,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_were_held_before_a_pause_are_covered_by_it() {
        let held = |at| Firing {
            pid: 1,
            tid: 2,
            is_of_this_namespace: true,
            command: String::new(),
            number: 1,
            at: HostInstant::from_nanos(at),
            until: HostInstant::from_nanos(at + 1_000),
            ended: None,
            refused: None,
        };
        let told = |at, pause| Told { firing: held(at), pause, is_over: false };
        let told = [told(10, Some(json!({ "last_confirmed_ns": 50 }))), told(20, None)];
        assert!(!is_covered(&[], &held(10)));
        assert!(is_covered(&told[..1], &held(20)));
        assert!(is_covered(&told, &held(30)), "the pause before the last firing");
        assert!(!is_covered(&told, &held(60)));
    }
}
