//! An armed trap, from its controller's side: kept armed, asked who was held, ended.
//!
//! What must hold: a thread of its own keeps it armed, whatever its caller is at, and lives no longer than the trap;
//! dropping disarms and lets everybody go.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use falseticker_page::evidence::Evidence;
use falseticker_page::layout::{FLAG_MONO_TRAP, Page};
use falseticker_page::time::HostInstant;
use falseticker_page::trap::{self, FIRINGS, On, TrapCell, TrapLog};
use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::arm::{Lock, republish};
use super::{AHEAD, Firing, Hold, Plan, RENEWED_EVERY};
use crate::freeze::{self, Frozen, How};
use crate::node::NodeDir;
use crate::node::memory::Mapped;
use crate::{Error, Node, Result, Span, host_clock, raw};

/// How long a firing may be counted and not be written down: the few instructions between, on a machine that leaves no time
/// for them. One that still is not there was its process's last act, or is overwritten.
const WRITTEN_WITHIN: Span = Span::from_secs(1);

/// What trap and thread both have.
pub(super) struct Shared {
    dir: NodeDir,
    page: Mapped<Page>,
    evidence: Mapped<Evidence>,
    id: u32,
    on: On,
    /// Rung at each change.
    bell: EventFd,
    is_over: AtomicBool,
}

impl Shared {
    pub(super) fn new(
        dir: NodeDir,
        page: Mapped<Page>,
        evidence: Mapped<Evidence>,
        id: u32,
        on: On,
    ) -> Result<Shared> {
        let bell = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let bell = bell.map_err(|errno| {
            disarm(&page, id);
            Error::not_applied("watch a trap", errno.desc())
        })?;
        Ok(Shared { dir, page, evidence, id, on, bell, is_over: AtomicBool::new(false) })
    }

    fn log(&self) -> &TrapLog {
        &self.evidence.traps
    }

    /// What the thread does until the trap is over.
    fn keep(&self) {
        let changed = &self.log().changed;
        let mut seen = changed.load(Ordering::Acquire);
        let mut is_armed = true;
        while !self.is_over.load(Ordering::Acquire) {
            if is_armed && self.page.header.trap.id() != self.id {
                is_armed = false;
                self.ring();
            }
            if is_armed {
                self.renew();
            }
            raw::futex_wait(changed, seen, RENEWED_EVERY.as_nanos());
            let now = changed.load(Ordering::Acquire);
            if now != seen {
                seen = now;
                self.ring();
            }
        }
    }

    /// Says that it is armed for another while. If that comes so late that some reader may have found it over and taken to
    /// the fast way, all are sent by the trap anew.
    fn renew(&self) {
        let trap = &self.page.header.trap;
        let until = trap.armed_until();
        trap.renew(host_clock::monotonic().saturating_add(AHEAD));
        if self.on == On::Mono {
            // Somebody who ended the last one may have cleared it a moment after it was set.
            flag_mono(&self.page.header.flags, trap, self.id);
        }
        // Looked at afterwards: this thread may have been stopped before it said so.
        if host_clock::monotonic().saturating_add(RENEWED_EVERY) >= until
            && let Err(why) = republish(&self.dir, &self.page)
        {
            tracing::warn!("a trap may be passed by: {why}");
        }
    }

    fn ring(&self) {
        // It can fail only when it was rung 2^64 times without anybody listening.
        let _ = self.bell.write(1);
    }
}

/// Sends reads of the monotonic clock by the trap, if that is armed still. Who ends it takes its id away first and the flag
/// after that: so if the flag was taken away before it was set here, the id is seen to be gone.
pub(super) fn flag_mono(flags: &AtomicU32, trap: &TrapCell, id: u32) {
    flags.fetch_or(FLAG_MONO_TRAP, Ordering::AcqRel);
    if trap.id() != id {
        flags.fetch_and(!FLAG_MONO_TRAP, Ordering::AcqRel);
    }
}

fn disarm(page: &Page, id: u32) -> bool {
    let was_armed = page.header.trap.disarm(id);
    page.header.flags.fetch_and(!FLAG_MONO_TRAP, Ordering::AcqRel);
    was_armed
}

/// Lets every thread of a node go that is held.
pub(super) fn let_go(page: &Page) {
    page.header.trap.let_go();
    raw::futex_wake_all(page.header.trap.release.as_ptr());
}

/// How often something happened under a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Reads, or whatever it waits for.
    pub reads: u64,
    /// Threads that were held.
    pub fired: u32,
}

/// An armed trap. Dropping it disarms it and lets go whoever is held.
#[must_use = "dropping it disarms the trap"]
pub struct Armed {
    shared: Arc<Shared>,
    plan: Plan,
    keeper: Option<JoinHandle<()>>,
    /// Of all firings before this one it has been told.
    next: u32,
    /// And of these after it.
    ahead: BTreeSet<u32>,
    /// Since when one is counted and not written down.
    owed_since: Option<HostInstant>,
    /// Let go of last.
    _lock: Lock,
}

impl Armed {
    pub(super) fn new(shared: Shared, plan: Plan, lock: Lock) -> Result<Armed> {
        let shared = Arc::new(shared);
        let kept = Arc::clone(&shared);
        // Its creator's mask is the thread's: no handler of the program's is to run in it.
        let before = raw::block_signals(raw::SignalSet::MAX);
        let keeper =
            std::thread::Builder::new().name("falseticker-trap".to_owned()).spawn(move || kept.keep());
        raw::block_signals(before);
        match keeper {
            Ok(keeper) => {
                let keeper = Some(keeper);
                Ok(Armed {
                    shared,
                    plan,
                    keeper,
                    next: 1,
                    ahead: BTreeSet::new(),
                    owed_since: None,
                    _lock: lock,
                })
            }
            Err(why) => {
                disarm(&shared.page, shared.id);
                Err(Error::not_applied("keep a trap armed", why))
            }
        }
    }

    pub(super) fn page(&self) -> &Page {
        &self.shared.page
    }

    /// What it does.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How often something has happened under it.
    pub fn counts(&self) -> Counts {
        let (reads, fired) = self.shared.log().counts(self.shared.id);
        Counts { reads, fired }
    }

    /// Whether it is armed: nobody has ended it, and it has not fired as often as it was to.
    pub fn is_armed(&self) -> bool {
        self.shared.page.header.trap.id() == self.shared.id && self.counts().fired < self.plan.count
    }

    /// Those held since it was last asked, the first ones first. The thread may have gone on by now.
    pub fn fired(&mut self) -> Vec<Firing> {
        let mut fired = Vec::new();
        while let Some(firing) = self.next_written() {
            fired.push(firing);
        }
        fired
    }

    /// The next one that is written down and has not been told of.
    fn next_written(&mut self) -> Option<Firing> {
        let (log, id) = (self.shared.log(), self.shared.id);
        // The file is written by programs that may be wild: no more is believed than can be there.
        let count = self.counts().fired.min(self.plan.count);
        let kept = u32::try_from(FIRINGS).unwrap_or(u32::MAX);
        self.next = self.next.max(count.saturating_sub(kept).saturating_add(1));
        self.ahead = self.ahead.split_off(&self.next);
        let open = (self.next..=count).filter(|index| !self.ahead.contains(index));
        let written = open.into_iter().find_map(|index| Some((index, log.firing(id, index)?)));
        if let Some((index, _)) = written {
            self.ahead.insert(index);
        }
        while self.ahead.remove(&self.next) {
            self.next += 1;
            self.owed_since = None;
        }
        if written.is_none() && self.next <= count {
            let now = host_clock::monotonic();
            let since = *self.owed_since.get_or_insert(now);
            if now.saturating_since(since) >= WRITTEN_WITHIN {
                (self.next, self.owed_since) = (count.saturating_add(1), None);
                self.ahead.clear();
            }
        }
        written.map(|(_, firing)| Firing::of(&firing))
    }

    /// Whether nothing more will come of it: it is ended, or has fired as often as it was to, and [`Armed::fired`] has told
    /// of each firing that left a record.
    pub fn is_spent(&self) -> bool {
        !self.is_armed() && self.next > self.counts().fired.min(self.plan.count)
    }

    /// What has become of one that it has told of.
    pub fn now(&self, firing: &Firing) -> Firing {
        let is_it = |found: &trap::Firing| firing.is_of(found);
        match self.shared.log().firings().find(is_it) {
            Some(found) => firing.with_end_of(&found),
            None => firing.clone(),
        }
    }

    /// Waits until something changes, or `until`; whether it did. It comes back for nothing now and then.
    pub fn wait(&self, until: HostInstant) -> bool {
        let mut fds =
            [libc::pollfd { fd: self.shared.bell.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        let left = until.saturating_since(host_clock::monotonic()).as_nanos().max(0);
        let ready = raw::poll(&mut fds, (until != HostInstant::MAX).then_some(left));
        self.listen();
        ready.is_ok_and(|ready| ready > 0)
    }

    /// Takes note that the bell was rung, for callers that wait for several things.
    pub fn listen(&self) {
        let _: nix::Result<u64> = self.shared.bell.read();
    }

    /// Waits for the next one to be held, for `limit` at most; `None` then, and when nothing more will come.
    pub fn wait_for_next(&mut self, limit: Span) -> Option<Firing> {
        let until = host_clock::monotonic().saturating_add(limit);
        loop {
            if let Some(firing) = self.next_written() {
                return Some(firing);
            }
            let now = host_clock::monotonic();
            if now >= until || self.is_spent() {
                return None;
            }
            // What is counted and not written down yet rings when it is.
            self.wait(until.min(now.saturating_add(WRITTEN_WITHIN)));
        }
    }

    /// Freezes the whole node for as long as was asked for, now that one of its threads is held, which goes on with the rest.
    /// For a plan with [`Hold::Node`].
    pub fn freeze_node(&self, node: &Node, how: How) -> Result<Frozen> {
        let length = match self.plan.hold {
            Hold::Node(length) | Hold::Thread(length) => length,
            Hold::Briefly => Span::ZERO,
        };
        let plan = freeze::Plan { end: freeze::End::After(length), how, ..freeze::Plan::default() };
        let frozen = node.freeze(&plan);
        // The thread is stopped like the others by now: it does not go on before they do, whoever ends the pause.
        self.release();
        frozen
    }

    /// Ends it; who is held stays so until its time is up. Whether it was armed.
    pub fn disarm(&self) -> bool {
        disarm(&self.shared.page, self.shared.id)
    }

    /// Lets everybody go who is held.
    pub fn release(&self) {
        let_go(&self.shared.page);
    }
}

/// Readable once something has changed: somebody is held, goes on, or has ended the trap.
impl AsFd for Armed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.bell.as_fd()
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.disarm();
        self.release();
        self.shared.is_over.store(true, Ordering::Release);
        let changed = &self.shared.log().changed;
        changed.fetch_add(1, Ordering::AcqRel);
        raw::futex_wake_all(changed.as_ptr());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

impl std::fmt::Debug for Armed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Armed")
            .field("plan", &self.plan)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// The errno's name for the few that are told.
pub(super) fn refusal(errno: u32) -> String {
    i32::try_from(errno)
        .map_or_else(|_| format!("errno {errno}"), |errno| Errno::from_raw(errno).desc().to_owned())
}
