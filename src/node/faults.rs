//! Faults of a node's clocks: put in force, planned, ended.

use falseticker_page::change::{Change, Kind as ChangeKind};
use falseticker_page::time::{HostInstant, Span};

use super::{Node, capture, slots, status};
use crate::error::{Error, Result};
use crate::fault::{Clocks, Fault};
use crate::schedule::{Heal, Planned, What, add_fault, heal, plan_changes};

/// A change that was applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its id.
    pub id: u32,
    /// What it is, as it is written on the command line.
    pub what: String,
    /// The clocks that it touches.
    pub clocks: Vec<&'static str>,
    /// When it takes effect.
    pub at: HostInstant,
    /// When it ends by itself.
    pub until: Option<HostInstant>,
    /// By how much it was published after it was to take effect; zero when in time.
    pub late_by: Span,
}

impl Node {
    /// Puts a clock fault in force, for `lasts` or until it is ended.
    pub fn fault(&self, fault: impl Into<Fault>, clocks: Clocks, lasts: Option<Span>) -> Result<Applied> {
        let fault = fault.into();
        self.check(&fault, clocks, lasts)?;
        let published = slots::publish(&self.dir, &self.page, &mut |old, captured, from| {
            add_fault(old, captured, from, &fault, clocks, lasts).map(Some)
        })?;
        let published =
            published.ok_or_else(|| Error::not_applied(fault.describe(), "nothing was published"))?;
        Ok(Applied::of(&published, fault.describe()))
    }

    /// Publishes changes that take effect at instants of their own, all at once: they take place whatever becomes of this
    /// process. What was applied comes back in the same order.
    pub fn plan(&self, planned: &[Planned]) -> Result<Vec<Applied>> {
        for planned in planned {
            if let What::Fault(fault, clocks, lasts) = &planned.what {
                self.check(fault, *clocks, *lasts)?;
            }
        }
        let mut ids = Vec::new();
        let published = slots::publish(&self.dir, &self.page, &mut |old, captured, from| {
            let (tables, new) = plan_changes(old, captured, from, planned)?;
            ids = new;
            Ok(Some(tables))
        })?;
        let applied = published.iter().flat_map(|published| {
            ids.iter().filter_map(|id| published.tables.change(*id)).map(Applied::of_change)
        });
        Ok(applied.collect())
    }

    /// Refuses a clock fault that could not be put in force now, and changes nothing: for whoever means to do so later.
    pub fn check_fault(&self, fault: &Fault, clocks: Clocks, lasts: Option<Span>) -> Result<()> {
        self.check(fault, clocks, lasts)?;
        let (_, tables) = slots::read(&self.page)?;
        let from = crate::host_clock::monotonic().max(tables.from);
        add_fault(&tables, &capture::capture(), from, fault, clocks, lasts).map(drop)
    }

    fn check(&self, fault: &Fault, clocks: Clocks, lasts: Option<Span>) -> Result<()> {
        let attempted = || format!("apply {} to node {}", fault.describe(), self.name());
        if lasts.is_some_and(|lasts| lasts.as_nanos() <= 0) {
            return Err(Error::bad_input(attempted(), "--for must be longer than nothing"));
        }
        if clocks == Clocks::All && !self.kind.monotonic {
            return Err(Error::bad_input(
                attempted(),
                "its monotonic clocks may not be faulted: waits that began before could not follow",
            )
            .remedy("make the node with --monotonic, or leave --clock at wall"));
        }
        fault.check(clocks, lasts.is_some())
    }

    /// Ends all clock faults and cancels what is planned. `None` if there was nothing to end.
    pub fn heal_clocks(&self, how: Heal) -> Result<Option<Applied>> {
        let published =
            slots::publish(&self.dir, &self.page, &mut |old, captured, from| heal(old, captured, from, how))?;
        Ok(published.map(|published| Applied::of(&published, "heal".to_owned())))
    }

    /// Ends all faults, thaws included.
    pub fn heal(&self, how: Heal) -> Result<Option<Applied>> {
        self.thaw()?;
        self.heal_clocks(how)
    }
}

impl Applied {
    /// What a planned change's record says.
    fn of_change(change: &Change) -> Self {
        let what = Fault::of_change(change).map_or_else(|| "heal".to_owned(), |fault| fault.describe());
        Applied {
            id: change.id,
            what,
            clocks: status::clock_names(change.clocks),
            at: change.at,
            until: (change.until != HostInstant::MAX).then_some(change.until),
            late_by: Span::ZERO,
        }
    }

    fn of(published: &slots::Published, what: String) -> Self {
        let of_now = |change: &&Change| change.at == published.at && change.kind != ChangeKind::End;
        let change = published.tables.changes.iter().rev().find(of_now);
        let until = change.map(|change| change.until).filter(|until| *until != HostInstant::MAX);
        Applied {
            id: change.map_or(0, |change| change.id),
            what,
            clocks: change.map(|change| status::clock_names(change.clocks)).unwrap_or_default(),
            at: published.at,
            until,
            late_by: published.late_by,
        }
    }
}
