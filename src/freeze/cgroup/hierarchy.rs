//! Where control groups are mounted, and in which ones processes are.
//!
//! What must hold: version 2 is taken wherever it is mounted, also beside version 1; of version 1 only the freezer's own
//! hierarchy. Paths are those that this process sees: a mount may show a part of a hierarchy only.
//!
//! Source: cgroups(7), proc_pid_mountinfo(5).

use std::path::{Path, PathBuf};

use procfs::process::{MountInfo, Process};

use crate::process::ProcessId;

/// Which interface a hierarchy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Version {
    One = 1,
    Two = 2,
}

/// A mounted hierarchy that can freeze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    /// Where it is mounted.
    mount: PathBuf,
    /// What of it is mounted there.
    root: PathBuf,
}

impl Hierarchy {
    /// The mounted ones: version 2 first.
    pub(super) fn mounted() -> Vec<Hierarchy> {
        let mounts = Process::myself().and_then(|own| own.mountinfo());
        let mut all: Vec<Hierarchy> =
            mounts.map(|mounts| mounts.0.iter().filter_map(of_mount).collect()).unwrap_or_default();
        all.sort_by_key(|one| std::cmp::Reverse(one.version as u32));
        all
    }

    /// The control group that a process is in, as a directory; `None` if it has ended, or its group is not shown here.
    pub(super) fn group_of(&self, id: ProcessId) -> Option<PathBuf> {
        let groups = Process::new(id.pid).ok()?.cgroups().ok()?;
        let is_ours = |controllers: &[String], hierarchy: u32| match self.version {
            Version::Two => hierarchy == 0,
            Version::One => controllers.iter().any(|controller| controller == "freezer"),
        };
        let group = groups.0.iter().find(|group| is_ours(&group.controllers, group.hierarchy))?;
        // The kernel appends this to the path of a group that was removed.
        let path = group.pathname.strip_suffix(" (deleted)").unwrap_or(&group.pathname);
        self.shown(Path::new(path))
    }

    fn shown(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.root).ok()?;
        Some(if below.as_os_str().is_empty() { self.mount.clone() } else { self.mount.join(below) })
    }

    /// Whether a directory is where it is mounted.
    pub(super) fn is_top(&self, group: &Path) -> bool {
        group == self.mount
    }
}

fn of_mount(mount: &MountInfo) -> Option<Hierarchy> {
    let version = match mount.fs_type.as_str() {
        "cgroup2" => Version::Two,
        "cgroup" if mount.super_options.contains_key("freezer") => Version::One,
        _ => return None,
    };
    Some(Hierarchy { version, mount: mount.mount_point.clone(), root: PathBuf::from(&mount.root) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_below_the_mount() {
        let of = |root: &str| Hierarchy {
            version: Version::Two,
            mount: "/sys/fs/cgroup".into(),
            root: root.into(),
        };
        let shown = |root: &str, path: &str| of(root).shown(Path::new(path));
        assert_eq!(shown("/", "/"), Some("/sys/fs/cgroup".into()));
        assert_eq!(shown("/", "/a/b"), Some("/sys/fs/cgroup/a/b".into()));
        assert_eq!(shown("/pod", "/pod/b"), Some("/sys/fs/cgroup/b".into()));
        assert_eq!(shown("/pod", "/other"), None);
    }

    #[test]
    fn this_process_is_in_a_group_of_each_mounted_hierarchy() {
        for hierarchy in Hierarchy::mounted() {
            let group = hierarchy.group_of(ProcessId::own().unwrap());
            if let Some(group) = group {
                assert!(group.join("cgroup.procs").exists(), "{group:?}");
            }
        }
    }
}
