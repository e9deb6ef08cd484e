//! Arming: alone, with an empty log, before the publication that sends every reader by the trap.

use std::fs::{File, OpenOptions};
use std::sync::atomic::Ordering;

use falseticker_page::layout::{FLAG_MONO_TRAP, Page, SLOTS};
use falseticker_page::trap::{On, Trap, TrapCell};

use super::armed::{Armed, Shared};
use super::{AHEAD, Plan};
use crate::node::{Node, NodeDir, memory, slots};
use crate::process::{ProcessId, stillness};
use crate::{Error, HostInstant, Result, Span, host_clock};

/// The byte of the page's file that is locked by who arms: the first after those that stand for slots.
const LOCKED_BYTE: usize = SLOTS;

/// How long a lock is waited for whose holder has nothing armed.
const LOCK_LIMIT: Span = Span::from_millis(500);

/// Arms a trap in a node. It is in force when this returns, for as long as what comes back lives.
pub fn arm(node: &Node, plan: &Plan) -> Result<Armed> {
    plan.check()?;
    let attempted = format!("arm a trap on a {} of node {}", plan.what(), node.name());
    if !node.is_anybody_reached()? {
        return Err(Error::not_applied(
            attempted,
            "none of its processes is reached, so that nobody could be held",
        )
        .remedy(format_args!("start one in it: falseticker run --node {} -- COMMAND", node.name())));
    }
    let page = memory::open_page(node.dir())?;
    let evidence = memory::open_evidence(node.dir())?;
    let lock = take_lock(node.dir(), &page, &attempted)?;
    disarm_what_is_left(&page);
    let trap = Trap {
        id: 0,
        on: plan.on,
        pick: plan.pick_in_page(),
        count: plan.count,
        hold: plan.hold_in_page(),
        whole_node: matches!(plan.hold, super::Hold::Node(_)),
        asked: plan.length().unwrap_or(Span::ZERO),
        release: 0,
    };
    let until = host_clock::monotonic().saturating_add(AHEAD);
    let id = page.header.trap.arm(&trap, &evidence.traps, until);
    if plan.on == On::Mono {
        page.header.flags.fetch_or(FLAG_MONO_TRAP, Ordering::AcqRel);
    }
    // From here on dropping it disarms.
    let armed = Armed::new(Shared::new(node.dir().clone(), page, evidence, id, plan.on)?, *plan, lock)?;
    republish(node.dir(), armed.page())?;
    name_controller(&armed.page().header.trap);
    Ok(armed)
}

/// Publishes the schedules as they are once more, so that whoever remembers where he was in them looks again.
pub(super) fn republish(dir: &NodeDir, page: &Page) -> Result<()> {
    slots::publish(dir, page, &mut |old, _, _| Ok(Some(old.clone()))).map(drop)
}

/// The right to arm: a lock, which the kernel releases when the process dies that has it.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes it, if nobody has it.
    pub(super) fn try_take(dir: &NodeDir) -> Result<Option<Lock>> {
        let path = dir.page();
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file =
            file.map_err(|why| Error::not_applied(format_args!("write to {}", path.display()), why))?;
        Ok(slots::lock(&file, LOCKED_BYTE).then_some(Lock(file)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        slots::unlock(&self.0, LOCKED_BYTE);
    }
}

/// The lock; an error that names who has it, if his trap is armed.
fn take_lock(dir: &NodeDir, page: &Page, attempted: &str) -> Result<Lock> {
    let until = host_clock::monotonic().saturating_add(LOCK_LIMIT);
    loop {
        if let Some(lock) = Lock::try_take(dir)? {
            return Ok(lock);
        }
        let now = host_clock::monotonic();
        // One that was killed may have left it to a child that is about to execute another program.
        if page.header.trap.armed(now).is_none() && now < until {
            host_clock::sleep(Span::from_millis(1));
            continue;
        }
        let controller = controller(page);
        // What a stopped command has armed is over soon, but its right to arm is not.
        if let Some(pid) = controller
            && ProcessId::of(pid).is_some_and(|id| stillness(id).is_still())
        {
            let why = format_args!("another trap is the business of process {pid}, which is stopped");
            return Err(Error::not_applied(attempted, why).remedy(format_args!(
                "continue that command, or end it: kill -CONT {pid}, kill -KILL {pid}"
            )));
        }
        let who = controller.map_or(String::new(), |pid| format!(" by process {pid}"));
        return Err(Error::not_applied(attempted, format_args!("another trap is armed in it already{who}"))
            .remedy(format_args!("end that first: falseticker thaw {}", dir.name())));
    }
}

/// Clears what a controller left that is dead. Only for who has the lock.
pub(super) fn disarm_what_is_left(page: &Page) {
    let trap = &page.header.trap;
    trap.disarm(trap.id());
    trap.by_pid.store(0, Ordering::Relaxed);
    page.header.flags.fetch_and(!FLAG_MONO_TRAP, Ordering::AcqRel);
}

/// Says whose the trap is, and so that readers are sent by it.
pub(super) fn name_controller(trap: &TrapCell) {
    let own = ProcessId::own().unwrap_or(ProcessId { pid: 0, start_ticks: 0 });
    trap.by_start.store(own.start_ticks, Ordering::Relaxed);
    trap.by_pid.store(u64::from(own.pid.unsigned_abs()), Ordering::Release);
}

/// What is armed, once readers are sent by it: it is armed a moment before.
pub(super) fn in_force(trap: &TrapCell, now: HostInstant) -> Option<Trap> {
    trap.armed(now).filter(|_| trap.by_pid.load(Ordering::Acquire) != 0)
}

/// Who armed what is armed, if he lives.
pub(super) fn controller(page: &Page) -> Option<i32> {
    let trap = &page.header.trap;
    let pid = i32::try_from(trap.by_pid.load(Ordering::Relaxed)).ok()?;
    let start_ticks = trap.by_start.load(Ordering::Relaxed);
    ProcessId { pid, start_ticks }.is_alive().then_some(pid)
}
