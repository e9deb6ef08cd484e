//! A scenario as a value: nodes with their programs, and a timeline of what is done to them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as, skip_serializing_none};

use super::action::Action;
use super::ports::Port;
use super::text::AsSpan;
use crate::Span;
use crate::check::Chosen;
use crate::freeze::shape::Length;
use crate::nemesis::Nemesis;
use crate::reach::Wanted;

/// A whole scenario. File and builder make the same one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// What holds for all of it.
    pub head: Head,
    /// The nodes, in the order of the file, in which they are started.
    pub nodes: IndexMap<String, Program>,
    /// A generator whose entries are added to the timeline.
    pub nemesis: Option<Nemesis>,
    /// What is done, in the order of the file.
    pub timeline: Vec<Entry>,
    /// By which rules its history is judged in the end.
    pub checks: Vec<Chosen>,
}

/// How long programs go on running after the heal, unless it is said.
pub const RECOVERY: Span = Span::from_secs(1);
/// How far apart the samples of the clocks are, unless it is said.
pub const SAMPLE: Span = Span::from_millis(100);

/// The table `[scenario]`.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Head {
    /// What it is called.
    pub name: String,
    /// From the start, when every node is ready, to the heal.
    #[serde_as(as = "AsSpan")]
    pub duration: Span,
    /// How long the programs run after the heal.
    #[serde(default = "recovery", skip_serializing_if = "is_recovery")]
    #[serde_as(as = "AsSpan")]
    pub recovery: Span,
    /// From which everything is drawn that is drawn.
    pub seed: Option<u64>,
    /// Whether all clocks are healed at the end of the duration.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub heal: bool,
    /// Whether the programs' output goes into the history.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub output: bool,
    /// How far apart samples of the clocks are.
    #[serde(default = "sample", skip_serializing_if = "is_sample")]
    #[serde_as(as = "AsSpan")]
    pub sample: Span,
    /// Ports of 127.0.0.1 that are drawn for each play: `{name.port}` in a program's words, its variables and in commands,
    /// and the name where else a port is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
}

impl Default for Head {
    fn default() -> Self {
        Head {
            name: String::new(),
            duration: Span::ZERO,
            recovery: RECOVERY,
            seed: None,
            heal: true,
            output: true,
            sample: SAMPLE,
            ports: Vec::new(),
        }
    }
}

fn recovery() -> Span {
    RECOVERY
}

fn sample() -> Span {
    SAMPLE
}

fn yes() -> bool {
    true
}

fn is_recovery(span: &Span) -> bool {
    *span == RECOVERY
}

fn is_sample(span: &Span) -> bool {
    *span == SAMPLE
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_yes(yes: &bool) -> bool {
    *yes
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_no(yes: &bool) -> bool {
    !*yes
}

/// A node and the program that runs in it: a table of `[nodes]`.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Program {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Variables beside those of the player.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Where it runs: from the scenario file's directory on, which is also the default.
    #[serde(default)]
    pub dir: Option<PathBuf>,
    /// How it is made to see its clock.
    #[serde(default)]
    pub reach: Option<Reach>,
    /// Whether its monotonic clocks may be faulted.
    #[serde(default, skip_serializing_if = "is_no")]
    pub monotonic: bool,
    /// Whether programs of other users may be in it.
    #[serde(default, skip_serializing_if = "is_no")]
    pub share: bool,
    /// Whether its programs may set the host's clocks.
    #[serde(default, skip_serializing_if = "is_no")]
    pub allow_settime: bool,
    /// Nodes that are ready before this one is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// When it is ready; at once without.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// What becomes of it when it ends by itself.
    #[serde(default, skip_serializing_if = "Restart::is_never")]
    pub restart: Restart,
    /// Whether it is to end by itself, with exit code 0: a client with a job.
    #[serde(default, skip_serializing_if = "is_no")]
    pub ends: bool,
    /// How it is ended.
    #[serde(default)]
    pub stop: Option<Stop>,
}

/// How a program is made to see its node's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// By the shim where it gets into the program, else by a replaced vDSO; so also without this key.
    Auto,
    /// By the preloaded shim.
    Preload,
    /// By a replaced vDSO: static programs, Go.
    Vdso,
}

impl Reach {
    /// What is asked for.
    pub fn wanted(self) -> Wanted {
        match self {
            Reach::Auto => Wanted::Auto,
            Reach::Preload => Wanted::Preload,
            Reach::Vdso => Wanted::Vdso,
        }
    }
}

/// What becomes of a program that ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restart {
    /// That is a failure.
    #[default]
    Never,
    /// It is started again, a second later.
    Always,
}

impl Restart {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_never(&self) -> bool {
        *self == Restart::Never
    }
}

/// How one knows that a program is ready: one of three.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ready {
    /// Somebody listens to this port of 127.0.0.1.
    pub port: Option<Port>,
    /// A line of its output matches.
    pub output: Option<String>,
    /// `sh -c` with this succeeds.
    pub command: Option<String>,
    /// By when.
    #[serde(default = "patience", skip_serializing_if = "is_patience")]
    #[serde_as(as = "AsSpan")]
    pub within: Span,
}

/// How long a program may take to be ready, or to end, unless it is said.
pub const PATIENCE: Span = Span::from_secs(10);

fn patience() -> Span {
    PATIENCE
}

fn is_patience(span: &Span) -> bool {
    *span == PATIENCE
}

/// How a program is ended: by a signal, and killed if it takes too long.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stop {
    /// The signal's name without SIG.
    #[serde(default = "term")]
    pub signal: String,
    /// How long it may take.
    #[serde(default = "patience", skip_serializing_if = "is_patience")]
    #[serde_as(as = "AsSpan")]
    pub within: Span,
}

fn term() -> String {
    "TERM".to_owned()
}

impl Default for Stop {
    fn default() -> Self {
        Stop { signal: term(), within: PATIENCE }
    }
}

/// One entry of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub when: When,
    /// To whom; to nobody for `run` alone.
    pub who: Option<Who>,
    /// What.
    pub action: Action,
    /// Whether nothing is wrong if it never arrives.
    pub optional: bool,
}

/// When an entry is due; instants count from the start, when every node is ready.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// At an instant.
    At(Span),
    /// Again and again.
    Every {
        /// From one to the next; drawn anew each time.
        gap: Length,
        /// When the first one is; one gap after the start without.
        first: Option<Span>,
        /// How many; until the end without.
        count: Option<u32>,
    },
    /// At an instant between two, which is drawn.
    Between(Span, Span),
    /// When something has happened.
    After(After),
}

/// What an entry waits for: one of four, whose names are those of the flags without `--on-`.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct After {
    /// A line of a node's output matches.
    pub output: Option<String>,
    /// Whose output, or whose connection; any node's without.
    pub node: Option<String>,
    /// A file appears or changes.
    pub file: Option<PathBuf>,
    /// `sh -c` with this succeeds.
    pub command: Option<String>,
    /// How often that is tried.
    #[serde(default)]
    #[serde_as(as = "Option<AsSpan>")]
    pub poll: Option<Span>,
    /// A process of the node connects to this port.
    pub connect: Option<Port>,
    /// How long after it; may be drawn.
    #[serde(default)]
    #[serde_as(as = "Option<DisplayFromStr>")]
    pub delay: Option<Length>,
}

impl After {
    /// How long after it, once that was drawn.
    pub fn drawn_delay(&self) -> Span {
        self.delay.as_ref().and_then(Length::as_fixed).unwrap_or(Span::ZERO)
    }

    /// What is waited for, in words.
    pub fn awaited(&self) -> String {
        let whose = self.node.as_ref().map_or(String::new(), |node| format!(" of {node}"));
        let what = match self {
            After { output: Some(pattern), .. } => {
                format!("a line of output{whose} that matches '{pattern}'")
            }
            After { file: Some(path), .. } => format!("file {} to appear or change", path.display()),
            After { connect: Some(port), .. } => format!("a connection{whose} to port {port}"),
            After { command, .. } => {
                format!("command '{}' to succeed", command.as_deref().unwrap_or_default())
            }
        };
        let delay = self.delay.as_ref().map_or(String::new(), |delay| format!(", and {delay} more"));
        what + &delay
    }
}

/// To whom something is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Who {
    /// One node, or a [reserved name](Choice).
    One(String),
    /// All of these, at one instant.
    Several(Vec<String>),
    /// Whom `sh -c` with this names, on its standard output, when the time has come.
    Named {
        /// The command.
        command: String,
    },
}

/// The names that stand for some of the nodes, drawn from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One of them.
    One,
    /// As many as can be missing from a majority; one at least.
    Minority,
    /// More than half.
    Majority,
    /// Every one.
    All,
}

impl Choice {
    /// By its name.
    pub fn of(name: &str) -> Option<Choice> {
        match name {
            "one" => Some(Choice::One),
            "minority" => Some(Choice::Minority),
            "majority" => Some(Choice::Majority),
            "all" => Some(Choice::All),
            _ => None,
        }
    }

    /// How many it means of so many.
    pub fn count(self, nodes: usize) -> usize {
        match self {
            Choice::One => nodes.min(1),
            Choice::Minority => (nodes.saturating_sub(1) / 2).max(1).min(nodes),
            Choice::Majority => nodes / 2 + 1,
            Choice::All => nodes,
        }
    }
}
