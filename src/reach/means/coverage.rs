//! What of a process's dealings with time is its node's, part by part.

use std::fmt;

use serde::Serialize;

/// A part of what a program does with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Clock reads by libc's functions.
    Reads,
    /// Clock reads by the vDSO, past libc.
    VdsoReads,
    /// Clock reads by libc's `syscall()`.
    SyscallReads,
    /// Clock reads by the `syscall` instruction itself.
    RawReads,
    /// Waits until an instant of the wall clock.
    Deadlines,
    /// Timers that are armed for an instant of the wall clock.
    Timers,
    /// Waits and timers for a length of time, which is the node's where its monotonic clock is faulted.
    Lengths,
    /// Calls that set the machine's clock, which are refused.
    Settings,
    /// `freeze --on-read`.
    ReadTraps,
    /// `--on-connect`.
    ConnectTraps,
    /// Marks of what was read.
    Evidence,
    /// Children that are forked.
    Forks,
    /// Programs that it, or a child, executes.
    Execs,
}

impl Part {
    /// All parts, in the order in which they are shown.
    pub const ALL: [Part; 13] = [
        Part::Reads,
        Part::VdsoReads,
        Part::SyscallReads,
        Part::RawReads,
        Part::Deadlines,
        Part::Timers,
        Part::Lengths,
        Part::Settings,
        Part::ReadTraps,
        Part::ConnectTraps,
        Part::Evidence,
        Part::Forks,
        Part::Execs,
    ];

    /// Whether it matters only where the node's monotonic clock is faulted.
    pub fn is_of_monotonic_nodes(self) -> bool {
        self == Part::Lengths
    }

    /// What it is called.
    pub fn describe(self) -> &'static str {
        match self {
            Part::Reads => "clock reads by libc",
            Part::VdsoReads => "clock reads by the vDSO",
            Part::SyscallReads => "clock reads by syscall()",
            Part::RawReads => "clock reads by the syscall instruction",
            Part::Deadlines => "waits for an instant of the wall clock",
            Part::Timers => "timers set to an instant of the wall clock",
            Part::Lengths => "lengths of time in nodes made with --monotonic",
            Part::Settings => "calls that set the machine's clock",
            Part::ReadTraps => "freeze --on-read",
            Part::ConnectTraps => "--on-connect",
            Part::Evidence => "evidence",
            Part::Forks => "children by fork",
            Part::Execs => "programs that it executes",
        }
    }
}

/// How far a part is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Wholly.
    Whole,
    /// But for this.
    But(&'static str),
    /// Not at all: this happens instead.
    Not(&'static str),
}

/// What is covered of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage([Cover; Part::ALL.len()]);

impl Coverage {
    /// The coverage that a function gives of each part.
    pub(super) fn of(cover: impl Fn(Part) -> Cover) -> Self {
        Coverage(Part::ALL.map(cover))
    }

    /// How far each part is covered.
    pub fn parts(&self) -> impl Iterator<Item = (Part, Cover)> + '_ {
        Part::ALL.into_iter().zip(self.0.iter().copied())
    }

    /// How far one part is covered.
    pub fn of_part(&self, part: Part) -> Cover {
        self.parts().find(|(other, _)| *other == part).map_or(Cover::Whole, |(_, cover)| cover)
    }

    /// What is not covered of a process in a node whose monotonic clock may be faulted or not.
    pub fn gaps(&self, monotonic: bool) -> Vec<Gap> {
        self.parts()
            .filter(|(part, _)| monotonic || !part.is_of_monotonic_nodes())
            .filter_map(|(part, cover)| match cover {
                Cover::Whole => None,
                Cover::But(what) => Some(Gap { part, whole: false, what }),
                Cover::Not(what) => Some(Gap { part, whole: true, what }),
            })
            .collect()
    }
}

/// A part that is not covered, or not wholly. As text, and in JSON, "timers set to an instant: they go by the machine's clock".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Gap {
    /// Which.
    pub part: Part,
    /// Whether nothing of it is covered.
    pub whole: bool,
    /// What happens instead, or what the exception is.
    pub what: &'static str,
}

impl Gap {
    /// A vDSO that the shim could not detour.
    pub const OF_SYMBOLS_ALONE: Gap =
        Gap { part: Part::VdsoReads, whole: true, what: "they show the machine's clock" };

    /// Whether it is what a user of these means trips over, rather than what is so of nearly every process.
    pub fn is_notable(self) -> bool {
        self.whole && self.part != Part::RawReads
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part.describe(), self.what)
    }
}

impl From<Gap> for String {
    fn from(gap: Gap) -> String {
        gap.to_string()
    }
}
