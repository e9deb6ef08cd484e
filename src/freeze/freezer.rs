//! What every way of freezing owes its caller.

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

/// Where a freezer writes down what it is about to do, for whoever has to undo it if the freezer dies.
pub trait Journal {
    /// These are about to be stopped, and those were found stopped by somebody else. On return it is known to
    /// the guards and on disk.
    fn enter(&mut self, stopping: &[ProcessId], found_stopped: &[ProcessId]) -> Result<()>;

    /// Whether this process is never to be frozen.
    fn spares(&self, process: ProcessId) -> bool;

    /// An error once the freeze must not go on: it was called off, or nobody guards it any more.
    fn may_go_on(&self) -> Result<()>;
}

/// A way of holding processes still. Its duties:
///
/// 1. On success every member stands still, confirmed by the kernel's own account and not inferred from having
///    asked for it; and a scan made after the last confirmation has shown no member that is not held.
/// 2. Nobody is stopped before the journal has returned from [`Journal::enter`] with them.
/// 3. Nobody whom the journal spares is stopped; whoever was found stopped is entered as such and left alone.
/// 4. [`Journal::may_go_on`] is asked before each step, and the work is over at the deadline, with an error that
///    says who would not stop and in which state.
/// 5. After an error nothing more is stopped; the caller then resumes what the journal holds.
/// 6. What it holds can be undone from the journal alone, by another process, when this one is dead (a mechanism
///    that the kernel undoes by itself, such as ptrace, needs no entry).
pub trait Freezer {
    /// Stop all members.
    fn freeze(
        &self,
        members: &dyn Members,
        journal: &mut dyn Journal,
        deadline: HostInstant,
    ) -> Result<FreezeReport>;
}

/// One process of a freeze, with the host's instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrozenProcess {
    /// Which it is.
    pub id: ProcessId,
    /// Just before its stop was sent: until here it ran.
    pub stop_sent: HostInstant,
    /// When it had been seen to stand still: from here on it did.
    pub confirmed: HostInstant,
}

/// What a freeze did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeReport {
    /// Everyone who was stopped.
    pub processes: Vec<FrozenProcess>,
    /// Members who had been stopped by somebody else; they are not resumed at the end.
    pub found_stopped: Vec<ProcessId>,
    /// When the first stop was sent.
    pub first_stop: HostInstant,
    /// When the last process was confirmed.
    pub last_confirmed: HostInstant,
}
