//! What an entry of a timeline does: one serde type for the file, the builder and the history, whose keys are the command
//! line's flags.
//!
//! What must hold: a clock fault here becomes the very [`Fault`] that the command line makes, and is refused by the same
//! checks; what is written reads back as the same.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as, skip_serializing_none};

use super::text::{AsInstant, AsRate, AsSpan, Short};
use crate::fault::{self, Clocks, Fault, LeapKind};
use crate::freeze::shape::{Length, Preset};
use crate::freeze::{How, ThreadPattern};
use crate::trap::{self, Hold, On, Pick};
use crate::units::{format_instant, format_rate, format_span, parse_instant, parse_rate, parse_span};
use crate::{Error, NodeInstant, Rate, Result, Span};

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
        /// See [`How::Auto`].
        Auto,
        /// See [`How::Signal`].
        Signal,
        /// See [`How::Cgroup`].
        Cgroup,
        /// See [`How::Thread`].
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

macro_rules! short {
    ($name:ident, $field:ident, $parse:expr, $format:expr, $rest:expr) => {
        impl Short for $name {
            fn of_text(text: &str) -> Result<Self> {
                let blank: fn() -> $name = $rest;
                Ok($name { $field: $parse(text)?, ..blank() })
            }

            fn text(&self) -> Option<String> {
                let blank: fn() -> $name = $rest;
                let plain = $name { $field: self.$field.clone(), ..blank() };
                (*self == plain).then(|| $format(self.$field.clone()))
            }
        }
    };
}

short!(Jump, by, parse_span, format_span, Jump::default);
short!(Set, to, parse_instant, format_instant, || Set { to: NodeInstant::from_nanos(0), lasts: None });
short!(Drift, rate, parse_rate, format_rate, Drift::default);
short!(Suspend, lasts, parse_span, format_span, Suspend::default);
short!(
    Run,
    command,
    |text: &str| Ok::<String, Error>(text.to_owned()),
    |command: String| command,
    Run::default
);

/// Reads and writes a word that stands for a table: `heal = "step"`, `stall = "3s"`, `leap = "insert"`, `freeze = "4s"`.
impl Short for Stall {
    fn of_text(text: &str) -> Result<Self> {
        Ok(Stall { lasts: Some(parse_span(text)?), ..Stall::default() })
    }

    fn text(&self) -> Option<String> {
        self.lasts.filter(|_| is_wall(&self.clock)).map(format_span)
    }
}

impl Short for Freeze {
    fn of_text(text: &str) -> Result<Self> {
        Ok(Freeze { lasts: Some(text.parse()?), ..Freeze::default() })
    }

    fn text(&self) -> Option<String> {
        let plain = Freeze { lasts: self.lasts.clone(), ..Freeze::default() };
        (*self == plain).then(|| self.lasts.as_ref().map(ToString::to_string)).flatten()
    }
}

impl Short for Heal {
    fn of_text(text: &str) -> Result<Self> {
        match text {
            "step" => Ok(Heal::default()),
            _ => Err(Error::bad_input("heal", format_args!("'{text}' is no way to heal"))
                .remedy("write \"step\"; a clock is led home by hand: falseticker heal --slew")),
        }
    }

    fn text(&self) -> Option<String> {
        Some("step".to_owned())
    }
}

impl Short for Kill {
    fn of_text(text: &str) -> Result<Self> {
        match text {
            "now" => Ok(Kill::default()),
            _ => Err(Error::bad_input("kill", format_args!("'{text}' is no way to kill"))
                .remedy("write \"now\", or { restart = \"2s\" }")),
        }
    }

    fn text(&self) -> Option<String> {
        self.restart.is_none().then(|| "now".to_owned())
    }
}

impl Short for Leap {
    fn of_text(text: &str) -> Result<Self> {
        Ok(Leap { kind: text.parse()?, window: None })
    }

    fn text(&self) -> Option<String> {
        self.window.is_none().then(|| self.kind.to_string())
    }
}

/// A strobe has no short form.
impl Short for Strobe {
    fn of_text(text: &str) -> Result<Self> {
        Err(no_short("strobe", text, "{ amplitude = \"100ms\", period = \"20ms\" }"))
    }

    fn text(&self) -> Option<String> {
        None
    }
}

/// Nor has a slew.
impl Short for Slew {
    fn of_text(text: &str) -> Result<Self> {
        Err(no_short("slew", text, "{ by = \"+250ms\", rate = \"500ppm\" }"))
    }

    fn text(&self) -> Option<String> {
        None
    }
}

fn no_short(what: &str, text: &str, instead: &str) -> Error {
    Error::bad_input(what, format_args!("'{text}' does not say all of it"))
        .remedy(format_args!("write {what} = {instead}"))
}

/// A clock fault, the clocks that it touches, and for how long.
pub type OnClock = (Fault, Clocks, Option<Span>);

impl Action {
    /// The key under which it stands.
    pub fn key(&self) -> &'static str {
        match self {
            Action::Jump(_) => "jump",
            Action::Set(_) => "set",
            Action::Drift(_) => "drift",
            Action::Slew(_) => "slew",
            Action::Stall(_) => "stall",
            Action::Strobe(_) => "strobe",
            Action::Leap(_) => "leap",
            Action::Freeze(_) => "freeze",
            Action::Suspend(_) => "suspend",
            Action::Kill(_) => "kill",
            Action::Heal(_) => "heal",
            Action::Run(_) => "run",
        }
    }

    /// What it does to the clocks, where it is a clock fault.
    pub fn on_clock(&self) -> Result<Option<OnClock>> {
        Ok(Some(match self {
            Action::Jump(Jump { by, clock, lasts }) => (fault::Jump { by: *by }.into(), *clock, *lasts),
            Action::Set(Set { to, lasts }) => (fault::Set { to: *to }.into(), Clocks::Wall, *lasts),
            Action::Drift(Drift { rate, clock, lasts }) => {
                (fault::Drift { rate: *rate }.into(), *clock, *lasts)
            }
            Action::Slew(Slew { by, rate, clock, lasts }) => {
                (fault::Slew::new(*by, *rate)?.into(), *clock, *lasts)
            }
            Action::Stall(Stall { clock, lasts }) => (fault::Stall.into(), *clock, *lasts),
            Action::Strobe(Strobe { amplitude, period, lasts }) => {
                let fault = fault::Strobe { amplitude: *amplitude, period: *period };
                (fault.into(), Clocks::Wall, *lasts)
            }
            Action::Leap(Leap { kind, window }) => {
                (fault::Leap::new(*kind, *window)?.fault()?, Clocks::Wall, None)
            }
            _ => return Ok(None),
        }))
    }

    /// As it is written on the command line, without the node.
    pub fn describe(&self) -> String {
        if let Action::Leap(Leap { kind, window }) = self {
            let window = window.map_or(String::new(), |window| format!(" --window {}", format_span(window)));
            return format!("leap {kind}{window}");
        }
        if let Ok(Some((fault, clocks, lasts))) = self.on_clock() {
            let lasts = lasts.map_or(String::new(), |lasts| format!(" --for {}", format_span(lasts)));
            let clocks = if clocks == Clocks::All { " --clock all" } else { "" };
            return format!("{}{lasts}{clocks}", fault.describe());
        }
        match self {
            Action::Freeze(freeze) => freeze.describe(),
            Action::Suspend(suspend) => format!("suspend --for {}", format_span(suspend.lasts)),
            Action::Kill(Kill { restart: None }) => "kill".to_owned(),
            Action::Kill(Kill { restart: Some(after) }) => {
                format!("kill, started again after {}", format_span(*after))
            }
            Action::Run(run) => format!("run {}", run.command),
            _ => self.key().to_owned(),
        }
    }

    /// Whether it stops or ends processes, and so is driven when its time has come.
    pub fn is_pause(&self) -> bool {
        matches!(self, Action::Freeze(_) | Action::Suspend(_))
    }
}

impl Freeze {
    fn describe(&self) -> String {
        let length = self.lasts.clone().or(self.preset.map(Preset::length));
        let lasts = length.map_or(String::new(), |lasts| format!(" --for {lasts}"));
        let on_read = self.on_read.map_or("", |clock| match clock {
            ReadOf::Wall => " --on-read wall",
            ReadOf::Mono => " --on-read mono",
        });
        format!("freeze{lasts}{on_read}")
    }

    /// By which means.
    pub fn means(&self) -> How {
        match self.how {
            None if !self.thread.is_empty() => How::Thread(self.thread.clone()),
            None | Some(Means::Signal) => How::Signal,
            Some(Means::Auto) => How::Auto,
            Some(Means::Cgroup) => How::Cgroup,
            Some(Means::Thread) => How::Thread(self.thread.clone()),
        }
    }

    /// The trap that it arms, holding for so long; `None` if it is a plain pause.
    pub fn trap(&self, length: Span, seed: u64) -> Option<trap::Plan> {
        let on = match self.on_read? {
            ReadOf::Wall => On::Wall,
            ReadOf::Mono => On::Mono,
        };
        let pick = match self.probability {
            Some(probability) => Pick::Probability { probability, seed },
            None => Pick::Nth(self.nth.unwrap_or(1)),
        };
        let hold = match self.hold {
            Some(Held::Node) => Hold::Node(length),
            None | Some(Held::Thread) => Hold::Thread(length),
        };
        Some(trap::Plan { on, pick, count: self.count.unwrap_or(1), hold })
    }
}

impl Suspend {
    /// What is asked of the node.
    pub fn asked(&self) -> fault::Suspend {
        let corrected =
            self.wall == Some(WallAfter::Corrected) || self.after.is_some() || self.slew.is_some();
        let wall = if corrected && self.wall != Some(WallAfter::Stale) {
            fault::WallAfter::Corrected { after: self.after.unwrap_or(Span::ZERO), slew: self.slew }
        } else {
            fault::WallAfter::Stale
        };
        fault::Suspend { length: self.lasts, wall }
    }
}

/// A file whose lengths are drawn from, for whoever resolves it.
pub fn file_of(length: &Length) -> Option<PathBuf> {
    length.path().map(PathBuf::from)
}
