//! What a line of a history says.
//!
//! What must hold: names are stable within a version; `_ns` instants are the host's CLOCK_MONOTONIC in nanoseconds, but for
//! `wall_ns`, which is its CLOCK_REALTIME; `id` is the number of a planned fault, by which its lines are found.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::operation::Operation;
use crate::scenario::{Action, After};

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Always [`FORMAT`](super::FORMAT).
    pub format: String,
    /// The version of the format.
    pub version: u32,
    /// The version of the tool that wrote it.
    pub tool: String,
    /// The scenario's name.
    pub scenario: String,
    /// From which everything was drawn.
    pub seed: u64,
    /// When it was begun, RFC 3339.
    pub started: String,
    /// How long the timeline is, from its start to the heal.
    pub duration_ns: i64,
    /// How long the programs run after that.
    pub recovery_ns: i64,
    /// The clocks that instants are in: `mono`, the host's CLOCK_MONOTONIC; `wall`, its CLOCK_REALTIME.
    pub clocks: Vec<String>,
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// A node of the header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its program.
    pub command: Vec<String>,
    /// Whether its monotonic clocks may be faulted.
    pub monotonic: bool,
}

/// Any other line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When it was written down, or, of what has an instant of its own, that instant.
    pub at_ns: i64,
    /// The same by the host's CLOCK_REALTIME.
    pub wall_ns: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// A fault of the timeline, as it is planned.
    Planned {
        /// Its number.
        id: u32,
        /// The entry of the scenario that it is of, from 0.
        entry: usize,
        /// To whom; nobody for a command, or whoever is named in time.
        node: Option<String>,
        /// What.
        fault: Action,
        /// When; `None` if it waits for something.
        #[serde(rename = "due_ns")]
        due: Option<i64>,
        /// What it waits for.
        after: Option<After>,
        /// The change of the node's page that it is, where it is written there ahead.
        change: Option<u32>,
        /// Whether nothing is wrong if it never arrives.
        optional: bool,
    },
    /// All nodes are ready: the timeline starts here.
    Start {
        /// When the clocks are healed.
        #[serde(rename = "heal_ns")]
        heal: i64,
        /// When the programs are stopped.
        #[serde(rename = "end_ns")]
        end: i64,
    },
    /// What a fault waited for has happened.
    Fired {
        /// Its number.
        id: u32,
        /// `output`, `file`, `command`, `connect`.
        kind: String,
        /// On what.
        on: String,
    },
    /// A clock fault takes effect, or its end does.
    Applied {
        /// Its number; `None` for the heal at the end.
        id: Option<u32>,
        /// Whose clock.
        node: String,
        /// Its change in the node's page.
        change: u32,
        /// As on the command line; `end of 3` and `heal` too.
        what: String,
        /// Which clocks.
        clocks: Vec<String>,
        /// When it ends by itself.
        #[serde(rename = "until_ns")]
        until: Option<i64>,
        /// By how much it was published too late.
        #[serde(rename = "late_by_ns")]
        late_by: i64,
    },
    /// A process has read its clock under a change, for the first time.
    Evidence {
        /// The fault's number; `None` for ends and heals.
        id: Option<u32>,
        /// Whose clock.
        node: String,
        /// The change.
        change: u32,
        /// The process.
        pid: i32,
        /// How long after the change took effect.
        #[serde(rename = "latency_ns")]
        latency: i64,
    },
    /// A node stands still: every process is confirmed.
    Frozen {
        /// The fault's number.
        id: u32,
        /// Who.
        node: String,
        /// By which means.
        means: String,
        /// How much later than planned the first stop was sent; `None` if it waited for something.
        #[serde(rename = "late_by_ns")]
        late_by: Option<i64>,
        /// The first stop.
        #[serde(rename = "first_stop_ns")]
        first_stop: i64,
        /// From here on all stood still.
        #[serde(rename = "confirmed_ns")]
        confirmed: i64,
        /// Who was stopped.
        processes: Vec<HeldProcess>,
    },
    /// It runs again.
    Resumed {
        /// The fault's number.
        id: u32,
        /// Who.
        node: String,
        /// Until here all stood still.
        #[serde(rename = "first_resumed_ns")]
        first_resumed: i64,
        /// From here on all ran.
        #[serde(rename = "confirmed_ns")]
        confirmed: i64,
        /// `as-planned`, `by-request`, `guards-lost`.
        ended: String,
    },
    /// A thread was held at a read of its clock.
    Held {
        /// The fault's number.
        id: u32,
        /// Whose.
        node: String,
        /// The process.
        pid: i32,
        /// The thread.
        tid: i32,
        /// Until when.
        #[serde(rename = "until_ns")]
        until: i64,
    },
    /// A node's processes were killed.
    Killed {
        /// The fault's number.
        id: u32,
        /// Whose.
        node: String,
        /// Who.
        pids: Vec<i32>,
        /// How much later than planned; `None` if it waited for something.
        #[serde(rename = "late_by_ns")]
        late_by: Option<i64>,
    },
    /// A command of the timeline was given, or taken back.
    Command {
        /// The fault's number.
        id: u32,
        /// Which.
        command: String,
        /// Whether it is what takes another one back.
        undo: bool,
        /// Its exit code; 128 and the signal's number if one killed it.
        code: i32,
        /// How much later than planned it was begun; `None` if it waited for something.
        #[serde(rename = "late_by_ns")]
        late_by: Option<i64>,
    },
    /// A fault could not be put in force.
    Failed {
        /// Its number.
        id: u32,
        /// To whom.
        node: Option<String>,
        /// Why.
        why: String,
    },
    /// A program was started.
    Started {
        /// In which node.
        node: String,
        /// Its process.
        pid: i32,
    },
    /// A program is ready.
    Ready {
        /// In which node.
        node: String,
        /// How long after its start.
        #[serde(rename = "after_ns")]
        after: i64,
    },
    /// A program has ended.
    Exited {
        /// In which node.
        node: String,
        /// Its process.
        pid: i32,
        /// Its exit code.
        code: Option<i32>,
        /// The signal that killed it.
        signal: Option<i32>,
        /// Whether it was to end: killed, stopped, or done with its job.
        expected: bool,
    },
    /// A line of output.
    Output {
        /// Of which node.
        node: String,
        /// `out` or `err`.
        stream: String,
        /// What it says.
        line: String,
    },
    /// What a node's clocks were then, against the true ones.
    Sample {
        /// Whose.
        node: String,
        /// How far the wall clock was from true.
        #[serde(rename = "wall_off_ns")]
        wall: i64,
        /// The monotonic one.
        #[serde(rename = "mono_off_ns")]
        mono: i64,
        /// CLOCK_BOOTTIME.
        #[serde(rename = "boot_off_ns")]
        boot: i64,
        /// How much faster than true the wall clock ran.
        wall_ppm: f64,
    },
    /// An operation that a program told of.
    Op {
        /// Whose.
        node: String,
        /// What it was.
        #[serde(flatten)]
        operation: Operation,
    },
    /// A verdict.
    Verdict(Check),
    /// The end of the history.
    End {
        /// `complete`, `interrupted` or `failed`.
        reason: String,
        /// Why, if it failed.
        why: Option<String>,
    },
}

impl Verdict {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Unknown => "unknown",
            Verdict::Violated => "violated",
        }
    }
}

/// A process, or a thread, that stood still.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldProcess {
    /// The process.
    pub pid: i32,
    /// The thread of it, if it alone was held.
    pub tid: Option<i32>,
    /// Until here it ran.
    pub stop_sent_ns: i64,
    /// From here on it stood still.
    pub confirmed_ns: i64,
}

/// What a check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// `arrived`, `programs`, or a rule of [`crate::check`].
    pub check: String,
    /// What it came to.
    pub verdict: Verdict,
    /// The faults and nodes that it is about, and why.
    pub why: Vec<String>,
    /// The fewest operations that show it, where it is violated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witness: Vec<Seen>,
}

/// An operation that a verdict shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Not before here.
    pub from_ns: i64,
    /// Not after here.
    pub until_ns: i64,
    /// The line of the history at which it begins.
    pub line: usize,
    /// Who did what.
    pub what: String,
}

/// A verdict; never a guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It cannot be told.
    #[default]
    Unknown,
    /// It does not hold.
    Violated,
}
