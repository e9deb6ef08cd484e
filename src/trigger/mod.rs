//! Triggers: events outside falseticker upon which a fault is put in force, so that it comes at the worst moment.
//!
//! Prepare one ([`OnFile`], [`OnCommand`], [`OnConnect`], [`OnOutput`]), check whatever else can be refused, and [`wait`]:
//!
//! ```no_run
//! use falseticker::trigger::{self, OnFile};
//! use falseticker::{Node, Span};
//!
//! # fn main() -> falseticker::Result<()> {
//! let node = Node::open("a")?;
//! let mut trigger = OnFile::prepare("/var/lib/app/snapshot.tmp".as_ref())?;
//! trigger::wait(&mut trigger, Span::from_millis(5), None)?;
//! node.freeze_for(Span::from_secs(15))?;
//! # Ok(())
//! # }
//! ```

mod command;
mod connect;
mod file;
mod output;
mod wait;

pub use command::{OnCommand, POLL};
pub use connect::OnConnect;
pub use file::OnFile;
pub use output::{OnOutput, pattern};
pub use regex::bytes::Regex as Pattern;
pub use wait::{Waited, wait};

use std::os::fd::BorrowedFd;

use serde::Serialize;

use crate::{HostInstant, Result, Span};

/// Something that fires once. Duties:
///
/// 1. It is prepared by a constructor of its own: from its return on no event is lost, though nobody waits yet. What can
///    never fire is refused there.
/// 2. [`Trigger::look`] never waits for anything. It is called at any time, and in any case when one of
///    [`Trigger::descriptors`] is readable or hung up, and when [`Trigger::due`] has come.
/// 3. What turns out never to fire any more is an error of [`Trigger::look`], not silence.
/// 4. Dropped, it leaves nothing behind: no process, no file.
pub trait Trigger {
    /// What is waited for, to be read after "waiting for": `"file /run/ready to appear or change"`.
    fn awaited(&self) -> String;

    /// What to poll for input; asked anew before each wait.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// When it must look though no descriptor says so; `None` if never.
    fn due(&self) -> Option<HostInstant> {
        None
    }

    /// Whether it has fired.
    fn look(&mut self) -> Result<Option<Fired>>;
}

/// What fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fired {
    /// The trigger's kind: `file`, `command`, `output`, ...
    pub kind: &'static str,
    /// On what: a path and what became of it, a command, a line of output.
    pub on: String,
    /// When it was noticed, by the host's CLOCK_MONOTONIC, in nanoseconds.
    #[serde(rename = "at_ns", serialize_with = "nanos")]
    pub at: HostInstant,
    /// How long after it the fault was to come, in nanoseconds.
    #[serde(rename = "delay_ns", serialize_with = "span_nanos")]
    pub delay: Span,
}

impl Fired {
    /// Noticed at `at`, with no delay yet.
    pub fn new(kind: &'static str, on: impl Into<String>, at: HostInstant) -> Self {
        Fired { kind, on: on.into(), at, delay: Span::ZERO }
    }
}

fn nanos<S: serde::Serializer>(at: &HostInstant, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_i64(at.as_nanos())
}

fn span_nanos<S: serde::Serializer>(span: &Span, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_i64(span.as_nanos())
}
