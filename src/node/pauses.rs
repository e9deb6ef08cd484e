//! Pauses of a node: freezes, suspends, and traps at its reads.

use std::cell::Cell;

use falseticker_page::time::Span;

use super::Node;
use crate::error::Result;
use crate::fault::Suspend;
use crate::freeze::{self, FreezeReport, Frozen};
use crate::process::ProcessId;
use crate::suspend::{self, Suspended};
use crate::trap;

impl Node {
    /// Freezes all of the node's processes: `Ok` once every one is confirmed stopped. Dropping what comes back
    /// thaws them, and so does the death of this process; [`Frozen::detach`] leaves them so.
    pub fn freeze(&self, plan: &freeze::Plan) -> Result<Frozen> {
        freeze::begin(self.dir.path(), &|| self.members(), plan)
    }

    /// Refuses a freeze that cannot succeed, so far as that is known beforehand.
    pub fn check_freeze(&self, how: &freeze::How) -> Result<()> {
        freeze::check(self.dir.path(), &|| self.members(), how)
    }

    /// As [`Node::freeze`], once `ready` has returned, which waits for something: the guards are there by then, and nothing
    /// but the stop itself lies between. If it fails nobody is stopped.
    pub fn freeze_once(&self, plan: &freeze::Plan, ready: &mut dyn FnMut() -> Result<()>) -> Result<Frozen> {
        self.check_freeze(&plan.how)?;
        freeze::begin_when(self.dir.path(), &|| self.members(), plan, &mut || ready().map(|()| plan.end))
    }

    /// As [`Node::freeze`], once `ready` has done what is to be done just before, and has said when the pause ends and whom it has seen:
    /// they are stopped first, without another look for members, which takes its time.
    pub(crate) fn freeze_when(
        &self,
        plan: &freeze::Plan,
        ready: &mut dyn FnMut() -> Result<(freeze::End, Vec<ProcessId>)>,
    ) -> Result<Frozen> {
        let seen = Cell::new(None);
        let members = || seen.take().map_or_else(|| self.members(), Ok);
        let mut ready = || {
            let (end, members) = ready()?;
            seen.set(Some(members));
            Ok(end)
        };
        freeze::begin_when(self.dir.path(), &members, plan, &mut ready)
    }

    /// Freezes all of the node's processes for a time.
    pub fn freeze_for(&self, length: Span) -> Result<FreezeReport> {
        let plan = freeze::Plan { end: freeze::End::After(length), ..freeze::Plan::default() };
        let frozen = self.freeze(&plan)?;
        let report = frozen.report().clone();
        frozen.wait_and_thaw()?;
        Ok(report)
    }

    /// Refuses a suspend that cannot succeed, so far as that is known beforehand.
    pub fn check_suspend(&self, asked: &Suspend) -> Result<()> {
        suspend::refuse(self, asked)
    }

    /// Suspends the node as a virtual machine is: its processes are frozen, and its monotonic clock does not count it. `Ok`
    /// once all stand still. Dropping what comes back wakes them; should this process die, the suspend takes its course.
    pub fn suspend(&self, asked: &Suspend) -> Result<Suspended<'_>> {
        suspend::begin(self, asked)
    }

    /// Resumes what a freeze or a suspend has stopped, disarms a trap and lets go whom it holds; whether there was anything of it.
    pub fn thaw(&self) -> Result<bool> {
        suspend::wake_early(&self.dir);
        let thawed = !freeze::thaw(self.dir.path())?.is_empty();
        Ok(thawed | !trap::release(&self.dir)?.is_nothing())
    }

    /// Holds a thread right after it has read its clock; armed when this returns, for as long as what comes back lives.
    ///
    /// ```no_run
    /// use falseticker::trap::Plan;
    /// use falseticker::{Node, Span};
    ///
    /// # fn main() -> falseticker::Result<()> {
    /// let node = Node::open("leaseholder")?;
    /// let mut trap = node.trap(&Plan::next_wall_read(Span::from_secs(10)))?;
    /// if let Some(held) = trap.wait_for_next(Span::from_secs(30)) {
    ///     println!("thread {} of process {} is held until {:?}", held.tid, held.pid, held.until);
    ///     // ... and now let somebody else take the lease.
    /// }
    /// drop(trap); // lets it go
    /// # Ok(())
    /// # }
    /// ```
    pub fn trap(&self, plan: &trap::Plan) -> Result<trap::Armed> {
        trap::arm(self, plan)
    }
}
