//! The columns of the table: what is done to the node's clock before and during the waits.
//!
//! What must hold: every cell ends within three seconds of its beginning, also when the shim does nothing at all.

use falseticker::fault::{Clocks, Drift, Jump, Stall};
use falseticker::node::Applied;
use falseticker::{Heal, Node, Rate, Result, Span, host_clock};

use crate::harness::MILLISECOND;

/// What is done while all wait.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Jump(Span),
    /// Of the monotonic clocks too.
    JumpAll(Span),
    /// Of the monotonic clocks too, by so much more than the machine has run.
    JumpAllBeyondBoot(Span),
    /// A jump that is taken back after a time.
    JumpFor(Span, Span),
    Stall,
    /// Of all clocks, for a time.
    StallAllFor(Span),
    /// All clocks run at so many times the true rate, in hundredths.
    DriftAll(i64),
    Heal,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    /// What `run` is told.
    pub before: &'static [&'static str],
    /// How far ahead the deadlines are, by the node's clock.
    pub ahead: i64,
    /// What is done during the waits, and how long after all wait.
    pub during: &'static [(i64, Deed)],
}

/// All of them.
pub const COLUMNS: [Column; 15] = [
    Column { name: "no fault", before: &[], ahead: 400 * MILLISECOND, during: &[] },
    Column { name: "jump -1h before", before: &["--jump", "-1h"], ahead: 400 * MILLISECOND, during: &[] },
    Column { name: "jump +1h before", before: &["--jump", "+1h"], ahead: 400 * MILLISECOND, during: &[] },
    Column {
        name: "jump back during",
        before: &[],
        ahead: 1000 * MILLISECOND,
        during: &[(0, Deed::Jump(Span::from_millis(-1000)))],
    },
    Column {
        name: "jump past during",
        before: &[],
        ahead: 2000 * MILLISECOND,
        during: &[(200 * MILLISECOND, Deed::Jump(Span::from_secs(3600)))],
    },
    Column { name: "drift 2x", before: &["--drift", "2x"], ahead: 1600 * MILLISECOND, during: &[] },
    Column {
        name: "jump back, for a time",
        before: &[],
        ahead: 1000 * MILLISECOND,
        during: &[(0, Deed::JumpFor(Span::from_secs(-3600), Span::from_millis(1500)))],
    },
    Column {
        name: "jump of all clocks during",
        before: &["--monotonic"],
        ahead: 2000 * MILLISECOND,
        during: &[(200 * MILLISECOND, Deed::JumpAll(Span::from_secs(3600)))],
    },
    Column {
        name: "jump of all clocks during, by more than the machine has run",
        before: &["--monotonic"],
        ahead: 2000 * MILLISECOND,
        during: &[(200 * MILLISECOND, Deed::JumpAllBeyondBoot(Span::from_secs(3600)))],
    },
    Column {
        name: "drift 2x of all clocks",
        before: &["--monotonic", "--clock", "all", "--drift", "2x"],
        ahead: 1600 * MILLISECOND,
        during: &[],
    },
    Column {
        name: "drift 0.5x of all clocks",
        before: &["--monotonic", "--clock", "all", "--drift", "0.5x"],
        ahead: 900 * MILLISECOND,
        during: &[],
    },
    Column {
        name: "drift 2x of all clocks, begun during",
        before: &["--monotonic"],
        ahead: 1800 * MILLISECOND,
        during: &[(200 * MILLISECOND, Deed::DriftAll(200))],
    },
    Column {
        name: "drift 0.5x of all clocks, begun during",
        before: &["--monotonic"],
        ahead: 1000 * MILLISECOND,
        during: &[(200 * MILLISECOND, Deed::DriftAll(50))],
    },
    Column {
        name: "all clocks stand still for a second during",
        before: &["--monotonic"],
        ahead: 1000 * MILLISECOND,
        during: &[(200 * MILLISECOND, Deed::StallAllFor(Span::from_millis(1000)))],
    },
    Column {
        name: "stall, heal",
        before: &[],
        ahead: 1000 * MILLISECOND,
        during: &[(0, Deed::Stall), (1500 * MILLISECOND, Deed::Heal)],
    },
];

impl Column {
    /// Whether its faults may touch the monotonic clocks too.
    pub fn all_clocks(&self) -> bool {
        self.before.contains(&"--monotonic")
    }
}

impl Deed {
    /// Does it to a node.
    pub fn apply(self, node: &Node) -> Result<Applied> {
        match self {
            Deed::Jump(by) => node.fault(Jump { by }, Clocks::Wall, None),
            Deed::JumpAll(by) => node.fault(Jump { by }, Clocks::All, None),
            Deed::JumpAllBeyondBoot(more) => {
                let by = more.saturating_add(Span::from_nanos(host_clock::monotonic().as_nanos()));
                node.fault(Jump { by }, Clocks::All, None)
            }
            Deed::JumpFor(by, time) => node.fault(Jump { by }, Clocks::Wall, Some(time)),
            Deed::Stall => node.fault(Stall, Clocks::Wall, None),
            Deed::StallAllFor(time) => node.fault(Stall, Clocks::All, Some(time)),
            Deed::DriftAll(hundredths) => {
                let parts = (i128::from(hundredths - 100) << 32) / 100;
                let rate = Rate::from_parts(i64::try_from(parts).expect("a rate"));
                node.fault(Drift { rate }, Clocks::All, None)
            }
            Deed::Heal => Ok(node.heal_clocks(Heal::Step)?.expect("there is a fault to end")),
        }
    }
}
