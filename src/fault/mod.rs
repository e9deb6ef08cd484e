//! Faults: what a person asks for. One file a kind, each saying what it is called, what it may not be combined with,
//! and which figures the page records for it; how they compose is [`crate::schedule::plan`]'s.

mod drift;
mod jump;
mod leap;
mod set;
mod slew;
mod stall;
mod strobe;
pub(crate) mod suspend;

pub use drift::Drift;
pub use jump::Jump;
pub use leap::{Leap, LeapKind, WINDOW as LEAP_WINDOW};
pub use set::Set;
pub use slew::Slew;
pub use stall::Stall;
pub use strobe::Strobe;
pub use suspend::{Suspend, WallAfter};

use falseticker_page::change::{Change, Kind};
use falseticker_page::layout::Clock;
use falseticker_page::time::{NodeInstant, Rate, Span};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::units::{format_instant, format_rate, format_span};

/// Which clocks a fault touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Clocks {
    /// The wall clock alone: CLOCK_REALTIME and whatever follows it.
    #[default]
    Wall,
    /// The monotonic clocks too; only in a node made with `--monotonic`.
    All,
}

impl Clocks {
    /// The schedules of the page that it means, as a change's bits.
    pub fn bits(self) -> u8 {
        match self {
            Clocks::Wall => Clock::Wall.bit(),
            Clocks::All => Clock::ALL.iter().fold(0, |bits, clock| bits | clock.bit()),
        }
    }
}

/// A clock fault. Duties of a kind:
///
/// 1. It is refused before anything is changed, with the reason, where it cannot be meant.
/// 2. Its two figures say all that [`crate::schedule::plan`] needs to lay it out.
/// 3. It can be read back from a change's record, to be shown.
pub trait ClockFault: Sized {
    /// The kind under which the page records it.
    const KIND: Kind;

    /// The figures that the page records; see [`Kind`].
    fn figures(&self) -> (i64, i64);

    /// The fault that a record of this kind tells of.
    fn of_figures(amount: i64, second: i64) -> Self;

    /// As it is written on the command line, without the node.
    fn describe(&self) -> String;

    /// How long it lasts by its own nature; `None` if it lasts until it is ended.
    fn length(&self) -> Option<Span> {
        None
    }

    /// Refuses what cannot be meant. `ends` says that the fault is to be undone after a time.
    fn check(&self, clocks: Clocks, ends: bool) -> Result<()>;
}

macro_rules! faults {
    ($($name:ident),*) => {
        /// Any clock fault.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Fault {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        impl Fault {
            /// The kind under which the page records it.
            pub fn kind(&self) -> Kind {
                match self { $(Fault::$name(_) => $name::KIND,)* }
            }

            /// The figures that the page records.
            pub fn figures(&self) -> (i64, i64) {
                match self { $(Fault::$name(fault) => fault.figures(),)* }
            }

            /// As it is written on the command line, without the node.
            pub fn describe(&self) -> String {
                match self { $(Fault::$name(fault) => fault.describe(),)* }
            }

            /// How long it lasts by its own nature.
            pub fn length(&self) -> Option<Span> {
                match self { $(Fault::$name(fault) => fault.length(),)* }
            }

            /// Refuses what cannot be meant.
            pub fn check(&self, clocks: Clocks, ends: bool) -> Result<()> {
                match self { $(Fault::$name(fault) => fault.check(clocks, ends),)* }
            }

            /// The fault that a change's record tells of; `None` for a heal and for an end.
            pub fn of_change(change: &Change) -> Option<Fault> {
                $(if change.kind == $name::KIND {
                    return Some(Fault::$name($name::of_figures(change.amount, change.second)));
                })*
                None
            }
        }

        $(impl From<$name> for Fault {
            fn from(fault: $name) -> Self {
                Fault::$name(fault)
            }
        })*
    };
}

faults!(Jump, Set, Drift, Slew, Stall, Strobe);

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.describe())
    }
}

/// The refusal of what would run a monotonic clock backward.
fn backward(what: &str, why: &str) -> Error {
    Error::bad_input(
        format!("{what} with --clock all"),
        format!("{why}, and monotonic clocks never run backward"),
    )
    .remedy("leave --clock at wall")
}
