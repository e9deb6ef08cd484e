//! Why a process of a node is not reached, from what it runs and how it was started.
//!
//! What must hold: each reason is one that was seen and that alone suffices; where what would tell is closed to this user,
//! that is what is said. A process that vanishes meanwhile has any reason.
//!
//! Source: proc_pid_environ(5), proc_pid_auxv(5), getauxval(3) (AT_SECURE), ld.so(8).

use std::path::Path;

use super::preload_env::SHIM_FILE;
use crate::process::{Process, ProcessId};
use crate::reach::elf::Kind;
use crate::reach::means::{Preload, Reach};
use crate::reach::privilege::{Caller, FileRights, raised};
use crate::reach::{self};

/// Why a process is not reached.
pub fn why(process: &Process) -> String {
    match cause(process.id) {
        Cause::Kind(kind @ Kind::Foreign { .. }) => {
            format!("it is a {kind} program, which nothing of falseticker gets into")
        }
        Cause::Kind(kind) => format!("it is linked statically ({kind}), and its exec was not followed"),
        Cause::Other(why) => why,
    }
}

/// Why a process that is reached by other means has not loaded the shim.
pub fn without_shim(process: &Process) -> String {
    let refused = || {
        let program = reach::classify(Path::new(&of(process.id, "exe"))).ok()?;
        Preload.can_reach(&program).err()
    };
    match cause(process.id) {
        Cause::Kind(Kind::GoStatic) => "it is a static Go program".to_owned(),
        Cause::Kind(kind) => format!("it is linked statically ({kind})"),
        Cause::Other(why) => refused().map_or(why, |error| error.why().to_owned()),
    }
}

/// Why the shim is not in a process.
enum Cause {
    /// It gets into no program of this kind.
    Kind(Kind),
    /// It gets into such a program, but for this.
    Other(String),
}

fn cause(id: ProcessId) -> Cause {
    let exe = of(id, "exe");
    let Some(kind) = reach::kind(Path::new(&exe)) else {
        return Cause::Other(closed(&exe));
    };
    match kind {
        Kind::Foreign { .. } | Kind::Static | Kind::StaticPie | Kind::GoStatic => Cause::Kind(kind),
        Kind::Dynamic(_) | Kind::GoDynamic(_) | Kind::Loader(_) => Cause::Other(if is_secure(id) {
            secure(&exe)
        } else {
            from_environment(id).unwrap_or_else(|| from_mappings(id))
        }),
    }
}

/// A file of a process's in /proc.
fn of(id: ProcessId, file: &str) -> String {
    format!("/proc/{id}/{file}")
}

/// Why its program cannot be looked at.
fn closed(exe: &str) -> String {
    match std::fs::metadata(exe) {
        Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => {
            "it is another user's, or has raised its rights, so that why is not known".to_owned()
        }
        Err(why) => format!("its program cannot be looked at: {why}"),
        Ok(_) => "its program cannot be read".to_owned(),
    }
}

/// Whether its exec was a secure one, by the kernel's own word to it.
fn is_secure(id: ProcessId) -> bool {
    const AT_SECURE: u64 = 23;
    let auxv = std::fs::read(of(id, "auxv")).unwrap_or_default();
    let word = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).unwrap_or(0);
    auxv.chunks_exact(16).any(|entry| {
        let (key, value) = entry.split_at(8);
        word(key) == AT_SECURE && word(value) != 0
    })
}

/// What raised it, as far as its file tells.
fn secure(exe: &str) -> String {
    // Somebody whom every set-id bit and capability would raise.
    let nobody = u32::MAX - 1;
    let anybody = Caller {
        ruid: nobody,
        euid: nobody,
        rgid: nobody,
        egid: nobody,
        no_new_privs: false,
        may_trace: false,
    };
    let rights = std::fs::File::open(exe).and_then(|file| FileRights::of(&file)).ok();
    match rights.and_then(|rights| raised(&rights, &anybody)) {
        Some(raised) => format!("it is {raised}, and ld.so ignored LD_PRELOAD"),
        None => "it was started with raised rights, and ld.so ignored LD_PRELOAD".to_owned(),
    }
}

/// What of the environment that it was started with kept the shim away.
fn from_environment(id: ProcessId) -> Option<String> {
    let environment = match std::fs::read(of(id, "environ")) {
        Ok(environment) => environment,
        Err(why) => return Some(format!("its environment cannot be looked at: {why}")),
    };
    let mut entries = environment.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).peekable();
    if entries.peek().is_none() {
        return Some("it was started with a cleared environment, and so without LD_PRELOAD".to_owned());
    }
    match entries.find_map(|entry| entry.strip_prefix(b"LD_PRELOAD=")) {
        None => Some("it was started without LD_PRELOAD".to_owned()),
        Some(value) if !String::from_utf8_lossy(value).contains(SHIM_FILE) => {
            Some("it was started with another LD_PRELOAD".to_owned())
        }
        Some(_) => None,
    }
}

/// It was to load the shim: how far it came.
fn from_mappings(id: ProcessId) -> String {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let maps = std::fs::read_to_string(of(id, "maps")).unwrap_or_default();
    if maps.contains(SHIM_FILE) {
        "the shim is loaded, and could not open the node's files".to_owned()
    } else if namespace(&id.to_string()) != namespace("self") {
        "it is in another mount namespace, where the node's directory is not seen".to_owned()
    } else {
        "the shim is not loaded (yet), or ld.so could not load it".to_owned()
    }
}

#[cfg(test)]
mod tests;
