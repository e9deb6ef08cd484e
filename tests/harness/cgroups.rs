//! The machine's control groups: where they are mounted, whether freezes can use them, what freezes have left of them.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// Where control groups of this version that can freeze are mounted.
pub fn mount_of(version: u32) -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let is_it = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        match version {
            2 => words.get(2) == Some(&"cgroup2"),
            _ => {
                words.get(2) == Some(&"cgroup")
                    && words.get(3).is_some_and(|options| options.contains("freezer"))
            }
        }
    };
    mounts.lines().find(is_it).and_then(|line| line.split(' ').nth(1)).map(PathBuf::from)
}

fn is_writable(version: u32) -> Result<(), String> {
    let mount = mount_of(version).ok_or(format!("no control groups of version {version} are mounted"))?;
    access(&mount, AccessFlags::W_OK).map_err(|errno| format!("{}: {}", mount.display(), errno.desc()))
}

/// Why control groups of version 2 cannot be shown on this machine.
pub fn of_version_2() -> Result<(), String> {
    is_writable(2)
}

/// The same of version 1, for which version 2 is unmounted in a namespace.
pub fn of_version_1() -> Result<(), String> {
    is_writable(1).and_then(|()| mount_namespaces())
}

/// Why mounts cannot be changed for one command.
pub fn mount_namespaces() -> Result<(), String> {
    let made = std::process::Command::new("unshare").args(["-m", "true"]).output();
    if made.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err("no mount namespace can be made here (unshare -m): root can".to_owned())
}

/// The groups that freezes of a node have made and not removed.
pub fn left_of(node: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from("/sys/fs/cgroup")]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if entry.file_name().to_string_lossy().starts_with(&format!("falseticker-{node}-")) {
                found.push(entry.path());
            }
            folders.push(entry.path());
        }
    }
    found
}

/// The groups of a process, of all hierarchies.
pub fn of_process(pid: i32) -> String {
    std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("cgroup")).unwrap_or_default()
}
