//! Where things are: /proc, and the directory of the nodes.
//!
//! Source: proc(5) (`hidepid`), statvfs(3).

use std::path::Path;

use falseticker_page::evidence::EVIDENCE_SIZE;
use falseticker_page::layout::PAGE_SIZE;
use nix::sys::statvfs::statvfs;
use procfs::process::Process;

use crate::doctor::{ALL, Finding};
use crate::node::BaseDir;

/// What a node takes: the page, the evidence, and some more for the shim and the records.
const A_NODE: u64 = PAGE_SIZE as u64 + EVIDENCE_SIZE as u64 + (1 << 20);

/// Whether all processes are seen.
pub(super) fn proc() -> Finding {
    const CHECK: &str = "proc";
    let mounts = match Process::myself().and_then(|own| own.mountinfo()) {
        Ok(mounts) => mounts,
        Err(why) => {
            return Finding::missing(
                CHECK,
                format!("/proc: {why}"),
                "processes cannot be told from one another, nor found",
                "mount -t proc proc /proc",
                &ALL,
            );
        }
    };
    let last = mounts.0.iter().rfind(|mount| mount.mount_point == Path::new("/proc"));
    let hidden = last.and_then(|mount| mount.super_options.get("hidepid").cloned().flatten());
    match hidden.filter(|how| !matches!(how.as_str(), "0" | "off")) {
        Some(how) if !nix::unistd::geteuid().is_root() => Finding::limited(
            CHECK,
            format!("mounted with hidepid={how}"),
            "a node's processes that run as other users are neither seen nor frozen",
            "run falseticker as root, or mount -o remount,hidepid=0 /proc",
        ),
        _ => Finding::good(CHECK, "mounted, all processes are seen"),
    }
}

/// Where nodes live, and whether there is room for one.
pub(super) fn nodes() -> Finding {
    const CHECK: &str = "nodes";
    let base = match BaseDir::find() {
        Ok(base) => base,
        Err(why) => {
            let found = format!("{}: {}", why.attempted(), why.why());
            let remedy = why.help().unwrap_or("set FALSETICKER_DIR");
            return Finding::missing(CHECK, found, "no node can be made", remedy, &ALL);
        }
    };
    // The directory comes and goes with the nodes.
    let there = base.path().ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    let free = statvfs(there).map_or(0, |fs| fs.blocks_available().saturating_mul(fs.fragment_size()));
    let found = format!("{}: tmpfs, {} MiB free", base.path().display(), free >> 20);
    if free < A_NODE {
        return Finding::missing(
            CHECK,
            found,
            &format!("a node takes {} MiB, and is refused without them", A_NODE >> 20),
            "make room there, or set FALSETICKER_DIR to a larger tmpfs (docker: --shm-size)",
            &ALL,
        );
    }
    Finding::good(CHECK, found)
}
