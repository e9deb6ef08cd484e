//! What an entry of a timeline does: one serde type for the file, the builder and the history, whose keys are the command
//! line's flags.
//!
//! What must hold: a clock fault here becomes the very [`Fault`](crate::fault::Fault) that the command line makes, and is refused by the same
//! checks; what is written reads back as the same.

mod meaning;
mod short;

use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as, skip_serializing_none};

use super::text::{AsInstant, AsRate, AsSpan};
use crate::fault::{Clocks, LeapKind};
use crate::freeze::ThreadPattern;
use crate::freeze::shape::{Length, Preset};
use crate::{NodeInstant, Rate, Span};

/// What is done to a node; `run` alone is done to none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The wall clock is stepped.
    Jump(Jump),
    /// The wall clock is set.
    Set(Set),
    /// The clock runs at another rate.
    Drift(Drift),
    /// The clock is led by an amount.
    Slew(Slew),
    /// The clock stands still.
    Stall(Stall),
    /// The clock is stepped there and back.
    Strobe(Strobe),
    /// A leap second.
    Leap(Leap),
    /// The processes are stopped.
    Freeze(Freeze),
    /// The node is suspended as a virtual machine is.
    Suspend(Suspend),
    /// The processes are killed.
    Kill(Kill),
    /// All clock faults end.
    Heal(Heal),
    /// A command of somebody else's tool.
    Run(Run),
}

macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($body:tt)* }) => {
        $(#[$doc])*
        #[serde_as]
        #[skip_serializing_none]
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name { $($body)* }
    };
}

fn is_wall(clocks: &Clocks) -> bool {
    *clocks == Clocks::Wall
}

table!(
    /// See [`Action::Jump`].
    Jump {
        /// How far, and which way.
        #[serde_as(as = "AsSpan")]
        pub by: Span,
        /// Which clocks.
        #[serde(default, skip_serializing_if = "is_wall")]
        pub clock: Clocks,
        /// Undone after that.
        #[serde(default, rename = "for")]
        #[serde_as(as = "Option<AsSpan>")]
        pub lasts: Option<Span>,
    }
);

#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
/// See [`Action::Set`].
pub struct Set {
    /// What the clock shows then.
    #[serde_as(as = "AsInstant")]
    pub to: NodeInstant,
    /// Undone after that.
    #[serde(default, rename = "for")]
    #[serde_as(as = "Option<AsSpan>")]
    pub lasts: Option<Span>,
}

table!(
    /// See [`Action::Drift`].
    Drift {
        /// The rate.
        #[serde_as(as = "AsRate")]
        pub rate: Rate,
        /// Which clocks.
        #[serde(default, skip_serializing_if = "is_wall")]
        pub clock: Clocks,
        /// The rate before comes back after that.
        #[serde(default, rename = "for")]
        #[serde_as(as = "Option<AsSpan>")]
        pub lasts: Option<Span>,
    }
);

table!(
    /// See [`Action::Slew`].
    Slew {
        /// How far, and which way.
        #[serde_as(as = "AsSpan")]
        pub by: Span,
        /// At which rate; of it the size counts.
        #[serde_as(as = "AsRate")]
        pub rate: Rate,
        /// Which clocks.
        #[serde(default, skip_serializing_if = "is_wall")]
        pub clock: Clocks,
        /// Ended after that.
        #[serde(default, rename = "for")]
        #[serde_as(as = "Option<AsSpan>")]
        pub lasts: Option<Span>,
    }
);

table!(
    /// See [`Action::Stall`].
    Stall {
        /// Which clocks.
        #[serde(default, skip_serializing_if = "is_wall")]
        pub clock: Clocks,
        /// Ended after that.
        #[serde(default, rename = "for")]
        #[serde_as(as = "Option<AsSpan>")]
        pub lasts: Option<Span>,
    }
);

table!(
    /// See [`Action::Strobe`].
    Strobe {
        /// How far, and which way.
        #[serde_as(as = "AsSpan")]
        pub amplitude: Span,
        /// There and back.
        #[serde_as(as = "AsSpan")]
        pub period: Span,
        /// Ended after that.
        #[serde(default, rename = "for")]
        #[serde_as(as = "Option<AsSpan>")]
        pub lasts: Option<Span>,
    }
);

table!(
    /// See [`Action::Leap`].
    Leap {
        /// Which of them.
        pub kind: LeapKind,
        /// Over how long it is smeared.
        #[serde(default)]
        #[serde_as(as = "Option<AsSpan>")]
        pub window: Option<Span>,
    }
);

table!(
    /// See [`Action::Freeze`]. With `every` it is a series; with `on-read` a trap.
    Freeze {
        /// How long; drawn anew for each pause.
        #[serde(default, rename = "for")]
        #[serde_as(as = "Option<DisplayFromStr>")]
        pub lasts: Option<Length>,
        /// By which means.
        #[serde(default)]
        pub how: Option<Means>,
        /// Which threads.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[serde_as(as = "Vec<DisplayFromStr>")]
        pub thread: Vec<ThreadPattern>,
        /// How long from the end of one pause to the next.
        #[serde(default)]
        #[serde_as(as = "Option<DisplayFromStr>")]
        pub every: Option<Length>,
        /// How many pauses, or how many firings of a trap.
        #[serde(default)]
        pub count: Option<u32>,
        /// How long after the first pause the series is over.
        #[serde(default)]
        #[serde_as(as = "Option<AsSpan>")]
        pub until: Option<Span>,
        /// Length and gap of a real kind.
        #[serde(default)]
        #[serde_as(as = "Option<DisplayFromStr>")]
        pub preset: Option<Preset>,
        /// Right after a read of that clock.
        #[serde(default)]
        pub on_read: Option<ReadOf>,
        /// Which of the reads.
        #[serde(default)]
        pub nth: Option<u64>,
        /// With what chance each.
        #[serde(default)]
        pub probability: Option<f64>,
        /// From which its draws are made; without, the scenario's own seed.
        #[serde(default)]
        pub seed: Option<u64>,
        /// Who is held there.
        #[serde(default)]
        pub hold: Option<Held>,
    }
);

table!(
    /// See [`Action::Suspend`].
    Suspend {
        /// How long.
        #[serde(rename = "for")]
        #[serde_as(as = "AsSpan")]
        pub lasts: Span,
        /// What becomes of the wall clock.
        #[serde(default)]
        pub wall: Option<WallAfter>,
        /// When it is corrected.
        #[serde(default)]
        #[serde_as(as = "Option<AsSpan>")]
        pub after: Option<Span>,
        /// At which rate it is led back.
        #[serde(default)]
        #[serde_as(as = "Option<AsRate>")]
        pub slew: Option<Rate>,
    }
);

table!(
    /// See [`Action::Kill`].
    Kill {
        /// How long after that the program is started again; never without.
        #[serde(default)]
        #[serde_as(as = "Option<AsSpan>")]
        pub restart: Option<Span>,
    }
);

/// See [`Action::Heal`]; written as `heal = "step"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heal {}

table!(
    /// See [`Action::Run`].
    Run {
        /// What `sh -c` is given.
        pub command: String,
        /// What takes it back: given at the end, or when the player is interrupted.
        #[serde(default)]
        pub undo: Option<String>,
    }
);

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $word:ident),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$of])* $word),* }
    };
}

words!(
    /// As `--how`.
    Means {
        /// See [`crate::freeze::How`].
        Auto,
        /// SIGSTOP.
        Signal,
        /// A control group.
        Cgroup,
        /// Threads alone.
        Thread
    }
);
words!(
    /// As `--on-read`.
    ReadOf {
        /// The wall clock.
        Wall,
        /// The monotonic one.
        Mono
    }
);
words!(
    /// As `--hold`.
    Held {
        /// The thread that has read.
        Thread,
        /// All of its node.
        Node
    }
);
words!(
    /// As `--wall`.
    WallAfter {
        /// It stays behind.
        Stale,
        /// It is corrected.
        Corrected
    }
);
