//! What every way of freezing owes its caller.

use std::path::Path;

use super::hold::Hold;
use super::means::Means;
use crate::process::ProcessId;
use crate::{HostInstant, Result};

/// Who is to be frozen. Asked again until a scan made after all were confirmed shows nobody new, so it looks at
/// the machine each time: a node's roots, all that descends from them, and whoever else is reached.
pub trait Members {
    /// Everyone who belongs to it now; order and repetition do not matter.
    fn members(&self) -> Result<Vec<ProcessId>>;
}

impl<F: Fn() -> Result<Vec<ProcessId>>> Members for F {
    fn members(&self) -> Result<Vec<ProcessId>> {
        self()
    }
}

/// A way of holding processes still. Its duties:
///
/// 1. On success everyone who is meant stands still, confirmed by the kernel's own account and not inferred from having
///    asked for it; and a scan made after the last confirmation has shown nobody new who is meant and not held.
/// 2. Nobody is stopped before [`Hold::enter`] has returned with them.
/// 3. Nobody whom [`Hold::spares`] is stopped. Whoever was found stopped, and is held by no other freeze, is entered as
///    such and left alone. Whoever is under a debugger is refused.
/// 4. [`Hold::may_go_on`] is asked before each step, and the work is over at the deadline, with an error that
///    says who would not stop and in which state.
/// 5. After an error nothing more is stopped; the caller then undoes what the ledger holds.
/// 6. What it holds can be undone from the ledger alone (`undo`), by another process, when this one is dead; or the
///    kernel undoes it when whoever holds it dies.
/// 7. It notes in the ledger, per process, when the stop was sent and when it was confirmed.
pub(super) trait Freezer {
    /// By which means.
    fn means(&self) -> Means;

    /// Refuses what cannot succeed with these processes, so far as that is known beforehand. `dir` is the node's.
    fn check(&self, dir: &Path, processes: &[ProcessId]) -> Result<()>;

    /// Stop everyone who is meant.
    fn freeze(&self, members: &dyn Members, hold: &mut Hold, deadline: HostInstant) -> Result<()>;
}

/// One process, or one thread, of a freeze, with the host's instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrozenProcess {
    /// Which process it is.
    pub id: ProcessId,
    /// The thread of it that is held; `None` if all are.
    pub tid: Option<i32>,
    /// Just before its stop was sent: until here it ran.
    pub stop_sent: HostInstant,
    /// When it had been seen to stand still: from here on it did.
    pub confirmed: HostInstant,
    /// Just before it was resumed: until here it stood still. `None` while it does.
    pub resumed: Option<HostInstant>,
}

/// What a freeze did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeReport {
    /// By which means.
    pub means: Means,
    /// Why these, if they were chosen.
    pub why: Option<String>,
    /// Everyone who was stopped.
    pub processes: Vec<FrozenProcess>,
    /// Members who had been stopped by somebody else; they are not resumed at the end.
    pub found_stopped: Vec<ProcessId>,
    /// When the first stop was sent.
    pub first_stop: HostInstant,
    /// When the last process was confirmed.
    pub last_confirmed: HostInstant,
}
