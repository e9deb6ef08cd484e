//! Freezing by a control group: the node's processes are put into one of their own, which the kernel freezes as a whole.
//!
//! What it is good for: all of them stop at one instant, whoever is born meanwhile included; no parent's `waitpid` and
//! no SIGCONT handler sees it. The group is made below the deepest one that all processes are in, so that whatever is
//! limited there stays so, and is removed at the end, when everyone is back where he was.
//!
//! What must hold: the group's path is in the ledger before the group is made, and a process's origin before he is
//! moved. "Frozen" is what the kernel says of the group (`cgroup.events`, or `freezer.state` in version 1).
//!
//! Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, and cgroup-v1/freezer-subsystem.rst.

mod hierarchy;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::debugged;
use super::freezer::{Freezer, Members};
use super::hold::Hold;
use super::ledger::Held;
use super::means::Means;
use crate::process::{ProcessId, Stillness, stillness};
use crate::{Error, HostInstant, Result, Span, host_clock, raw};
use hierarchy::{Hierarchy, Version};

/// How long between two looks at `freezer.state`, which tells nobody when it changes.
const LOOK_EVERY: Span = Span::from_nanos(200_000);
/// How long between two looks at `cgroup.events`, should the kernel not tell.
const LOOK_AT_LEAST: Span = Span::from_millis(10);

const REMEDY: &str =
    "freeze with --how signal, or run falseticker as root, or in a group that is delegated to you";

/// Where a group would be made for this process, and of which version: as for whatever it starts.
pub(crate) fn group_for_this() -> Result<(u32, PathBuf)> {
    let freezer = CgroupFreezer::of_any_version();
    let own: Vec<ProcessId> = ProcessId::own().into_iter().collect();
    let place = freezer.writable_place(&own)?;
    Ok((freezer.hierarchies.first().map_or(0, |hierarchy| hierarchy.version as u32), place))
}

/// Freezes by a control group; undone by `undo`.
#[derive(Clone, Debug)]
pub(super) struct CgroupFreezer {
    hierarchies: Vec<Hierarchy>,
}

impl CgroupFreezer {
    /// By version 2 where it is mounted, else by version 1.
    pub(super) fn of_any_version() -> Self {
        CgroupFreezer { hierarchies: Hierarchy::mounted() }
    }

    /// By one version alone.
    #[cfg(test)]
    pub(super) fn of_version(version: u32) -> Self {
        let mut freezer = CgroupFreezer::of_any_version();
        freezer.hierarchies.retain(|hierarchy| hierarchy.version as u32 == version);
        freezer
    }

    /// By version 2, if a group can be made there for these processes; and why it is to be preferred. Version 1 is not:
    /// whoever is frozen there cannot even be killed.
    pub(super) fn usable(processes: &[ProcessId]) -> Result<(Self, String)> {
        let mut freezer = CgroupFreezer::of_any_version();
        freezer.hierarchies.retain(|hierarchy| hierarchy.version == Version::Two);
        let parent = freezer.writable_place(processes)?;
        let why =
            format!("all stop at one instant, unseen by their parents; {} can be written", parent.display());
        Ok((freezer, why))
    }

    /// The same, if a group may be made there.
    fn writable_place(&self, processes: &[ProcessId]) -> Result<PathBuf> {
        let (_, parent) = self.place(processes)?;
        for path in [parent.clone(), parent.join("cgroup.procs")] {
            access(&path, AccessFlags::W_OK).map_err(|errno| refused(&parent, errno.desc()))?;
        }
        Ok(parent)
    }

    /// Below which group one is made for these processes.
    fn place(&self, processes: &[ProcessId]) -> Result<(&Hierarchy, PathBuf)> {
        let Some(hierarchy) = self.hierarchies.first() else {
            let why = "no hierarchy of control groups that can freeze is mounted";
            return Err(
                Error::not_applied("freeze by a control group", why).remedy("freeze with --how signal")
            );
        };
        let groups = processes.iter().filter(|id| stillness(**id) != Stillness::Gone);
        let groups: Vec<PathBuf> = groups.filter_map(|id| hierarchy.group_of(*id)).collect();
        let common = groups.iter().cloned().reduce(|common, group| deepest(&common, &group));
        let mut parent = common.ok_or_else(|| {
            let why = "the groups of its processes are not shown where control groups are mounted";
            Error::not_applied("freeze by a control group", why).remedy("freeze with --how signal")
        })?;
        // A frozen group of ours is no place to stay.
        while is_ours(&parent) && !hierarchy.is_top(&parent) {
            parent.pop();
        }
        Ok((hierarchy, parent))
    }
}

impl Freezer for CgroupFreezer {
    fn means(&self) -> Means {
        Means::Cgroup
    }

    fn check(&self, _dir: &Path, processes: &[ProcessId]) -> Result<()> {
        self.writable_place(processes).map(drop)
    }

    fn freeze(&self, members: &dyn Members, hold: &mut Hold, deadline: HostInstant) -> Result<()> {
        let all: Vec<ProcessId> = members.members()?.into_iter().filter(|id| !hold.spares(*id)).collect();
        if all.is_empty() {
            return Ok(());
        }
        debugged::refuse(hold.dir(), &all)?;
        let (hierarchy, parent) = self.place(&all)?;
        let group = Group::make(hold, hierarchy.version, &parent)?;
        if hold.others().have_groups_but_of(hierarchy.version as u32) {
            return Err(refused(&parent, "another freeze of the node has one of the other version"));
        }
        // Whoever is taken from the frozen group of another freeze is to stay frozen; else all are to stop at once.
        let is_frozen_first = all.iter().any(|id| hold.others().hold(*id, Means::Cgroup));
        if is_frozen_first {
            group.freeze()?;
        }
        let mut gathering = Gathering { hierarchy, group: &group, known: BTreeSet::new() };
        gathering.gather(members, hold, deadline)?;
        let sent = host_clock::monotonic();
        if !is_frozen_first {
            group.freeze()?;
        }
        let mut from = 0;
        loop {
            group.wait_until_frozen(hold, deadline)?;
            stamp(hold, from, sent);
            from = hold.ledger.shared().count();
            // Whoever came in from elsewhere meanwhile is frozen as he is moved.
            if !gathering.gather(members, hold, deadline)? {
                return Ok(());
            }
        }
    }
}

/// Processes on their way into a group.
struct Gathering<'a> {
    hierarchy: &'a Hierarchy,
    group: &'a Group,
    known: BTreeSet<ProcessId>,
}

impl Gathering<'_> {
    /// Moves all members into the group, until a look shows nobody new; whether there was anybody.
    fn gather(&mut self, members: &dyn Members, hold: &mut Hold, deadline: HostInstant) -> Result<bool> {
        let mut any = false;
        loop {
            hold.may_go_on()?;
            let new = members.members()?.into_iter().filter(|id| self.known.insert(*id));
            let new: Vec<ProcessId> = new.filter(|id| !hold.spares(*id)).collect();
            if new.is_empty() {
                return Ok(any);
            }
            any = true;
            debugged::refuse(hold.dir(), &new)?;
            let held = new.into_iter().filter_map(|id| self.examine(hold, id, deadline).transpose());
            let held: Vec<Held> = held.collect::<Result<_>>()?;
            hold.enter(&held, deadline)?;
            for held in held.iter().filter(|held| !held.is_found) {
                hold.may_go_on()?;
                self.group.take(held.id)?;
            }
            if host_clock::monotonic() >= deadline {
                return Err(too_late("new processes appear faster than they can be moved into it"));
            }
        }
    }

    /// What is to be done with a process; `None` if it has ended.
    fn examine(&self, hold: &Hold, id: ProcessId, deadline: HostInstant) -> Result<Option<Held>> {
        let Some(is_found) = hold.found_stopped(id, deadline)? else { return Ok(None) };
        let origin = match hold.others().origin_of(id) {
            Some(origin) => origin,
            None => match self.hierarchy.group_of(id) {
                // Born of one who is in the group already: he goes where the first of all came from.
                Some(group) if group == self.group.path => Vec::new(),
                Some(group) => group.into_os_string().into_encoded_bytes(),
                None if stillness(id) == Stillness::Gone => return Ok(None),
                None => {
                    return Err(refused(
                        &self.group.path,
                        format_args!("the group of process {id} is not shown"),
                    ));
                }
            },
        };
        Ok(Some(Held { is_found, origin: number_of(hold, &origin)?, ..Held::process(id) }))
    }
}

/// The number of an origin in the ledger; of none, that of the first.
fn number_of(hold: &Hold, origin: &[u8]) -> Result<u32> {
    let attempted = "write down where a process is taken from";
    let full =
        || Error::not_applied(attempted, "its processes are in too many control groups").remedy(REMEDY);
    if origin.is_empty() {
        return Ok(0);
    }
    for (number, known) in (0..).zip(&hold.ledger.shared().origins) {
        if known.is_empty() && !known.store(origin) {
            return Err(
                Error::not_applied(attempted, "the path of its control group is too long").remedy(REMEDY)
            );
        }
        if known.to_bytes() == origin {
            return Ok(number);
        }
    }
    Err(full())
}

/// Notes the instants of all entries from `from` on.
fn stamp(hold: &Hold, from: usize, sent: HostInstant) {
    let now = host_clock::monotonic();
    for entry in hold.ledger.shared().entries().iter().skip(from).filter(|entry| !entry.is_found()) {
        entry.set_stop_sent(sent);
        entry.set_confirmed(now);
    }
}

/// A control group that was made for a freeze. Removed by `undo`.
struct Group {
    path: PathBuf,
    version: Version,
}

impl Group {
    fn make(hold: &Hold, version: Version, parent: &Path) -> Result<Group> {
        let node = hold.node();
        let name =
            format!("{PREFIX}{}-{}-{}", node.trim_start_matches("node "), std::process::id(), hold.number());
        let path = parent.join(name);
        let shared = hold.ledger.shared();
        if !shared.cgroup.store(path.as_os_str().as_encoded_bytes()) {
            return Err(refused(parent, "its path is too long"));
        }
        shared.cgroup_version.store(version as u32, Ordering::SeqCst);
        std::fs::create_dir(&path).map_err(|why| {
            // Whoever it belongs to, it is not ours to dissolve.
            shared.cgroup.store(b"");
            refused(parent, why)
        })?;
        Ok(Group { path, version })
    }

    /// Moves a process into it; one that has ended is none.
    fn take(&self, id: ProcessId) -> Result<()> {
        if !id.is_alive() {
            return Ok(());
        }
        match std::fs::write(self.path.join("cgroup.procs"), id.pid.to_string()) {
            Err(why) if why.raw_os_error() != Some(libc::ESRCH) => {
                Err(refused(&self.path, format_args!("process {id} cannot be moved into it: {why}")))
            }
            _ => Ok(()),
        }
    }

    fn freeze(&self) -> Result<()> {
        let (file, word) = match self.version {
            Version::Two => ("cgroup.freeze", "1"),
            Version::One => ("freezer.state", "FROZEN"),
        };
        std::fs::write(self.path.join(file), word).map_err(|why| refused(&self.path, why))
    }

    /// Whether the kernel says that everyone in it stands still.
    fn is_frozen(&self, file: &mut File) -> Result<bool> {
        use std::io::Seek;
        let mut text = String::new();
        file.rewind()
            .and_then(|()| file.read_to_string(&mut text))
            .map_err(|why| refused(&self.path, why))?;
        Ok(match self.version {
            // An empty group is frozen at no time: they have all ended.
            Version::Two => text.lines().any(|line| line == "frozen 1" || line == "populated 0"),
            Version::One => text.trim() == "FROZEN",
        })
    }

    fn wait_until_frozen(&self, hold: &Hold, deadline: HostInstant) -> Result<()> {
        let name = if self.version == Version::Two { "cgroup.events" } else { "freezer.state" };
        let mut file = File::open(self.path.join(name)).map_err(|why| refused(&self.path, why))?;
        while !self.is_frozen(&mut file)? {
            hold.may_go_on()?;
            let left = deadline.saturating_since(host_clock::monotonic());
            if left <= Span::ZERO {
                return Err(too_late("the kernel does not say that everyone in it stands still"));
            }
            match self.version {
                Version::Two => {
                    let mut fds = [libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLPRI, revents: 0 }];
                    match raw::poll(&mut fds, Some(left.min(LOOK_AT_LEAST).as_nanos())) {
                        Ok(_) | Err(Errno::EINTR) => {}
                        Err(errno) => return Err(refused(&self.path, errno.desc())),
                    }
                }
                Version::One => {
                    host_clock::sleep(LOOK_EVERY);
                    // Whoever ran when all were told to stop, and has gone to sleep since, is told once more.
                    self.freeze()?;
                }
            }
        }
        Ok(())
    }
}

/// How the names of groups begin that freezes make.
const PREFIX: &str = "falseticker-";

/// Whether a group is one that a freeze has made.
fn is_ours(group: &Path) -> bool {
    group.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
}

/// The deepest directory that both are in.
fn deepest(one: &Path, other: &Path) -> PathBuf {
    one.components()
        .zip(other.components())
        .take_while(|(one, other)| one == other)
        .map(|(one, _)| one)
        .collect()
}

fn refused(group: &Path, why: impl std::fmt::Display) -> Error {
    Error::not_applied(format_args!("freeze by a control group in {}", group.display()), why).remedy(REMEDY)
}

fn too_late(why: &str) -> Error {
    Error::not_applied("freeze by a control group", why)
        .remedy("all of them run again; wait until the machine is less busy, and try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_common_group() {
        let of = |one: &str, other: &str| deepest(Path::new(one), Path::new(other));
        assert_eq!(of("/c/a/b", "/c/a/d"), Path::new("/c/a"));
        assert_eq!(of("/c/a", "/c/a"), Path::new("/c/a"));
        assert_eq!(of("/c/ab", "/c/a"), Path::new("/c"));
    }

    #[test]
    fn a_group_of_a_freeze_is_known_by_its_name() {
        assert!(is_ours(Path::new("/c/falseticker-a-12-0")) && !is_ours(Path::new("/c/a")));
    }
}
