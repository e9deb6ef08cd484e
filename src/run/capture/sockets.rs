//! Where listeners find a captured stream: a socket in the node's directory.
//!
//! What must hold: only the node's owner may connect, also to a node that is shared; a path that is too long for a
//! socket's address (108 bytes, unix(7)) is none of the user's business; what dead pumps left is removed when it is met.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind as IoErrorKind;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};

use crate::error::{Error, Result};
use crate::node::NodeDir;
use crate::process::ProcessId;

/// What the names of these sockets begin with.
const PREFIX: &str = "output-";

/// Makes the socket of the stream that has these numbers in this process's program. For a process that has one thread.
pub fn bind(dir: &NodeDir, numbers: &[RawFd]) -> Result<(UnixListener, CString)> {
    let attempted = "capture the program's output";
    let failed = |why: std::io::Error| Error::not_applied(attempted, why);
    let own =
        ProcessId::own().ok_or_else(|| Error::not_applied(attempted, "/proc/self/stat cannot be read"))?;
    let numbers: String = numbers.iter().map(ToString::to_string).collect();
    let name = format!("{PREFIX}{}-{}-{numbers}", own.pid, own.start_ticks);
    let (folder, address) = address(dir, &name).map_err(failed)?;
    let old = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(address);
    umask(old);
    let door = bound.map_err(failed)?;
    door.set_nonblocking(true).map_err(failed)?;
    drop(folder);
    let path = CString::new(dir.path().join(name).as_os_str().as_bytes())
        .map_err(|_| Error::not_applied(attempted, "the node's directory has a NUL byte in its name"))?;
    Ok((door, path))
}

/// Connects to every captured stream of a node's.
pub fn connect_all(dir: &NodeDir) -> Result<Vec<(UnixStream, String)>> {
    let failed = |why: std::io::Error| {
        Error::not_applied(format!("listen to the programs of node {}", dir.name()), why)
    };
    let mut streams = Vec::new();
    for entry in fs::read_dir(dir.path()).map_err(failed)? {
        let Ok(name) = entry.map_err(failed)?.file_name().into_string() else { continue };
        if name.starts_with(PREFIX)
            && let Some(stream) = connect(dir, &name).map_err(failed)?
        {
            streams.push((stream, name));
        }
    }
    Ok(streams)
}

/// Connects to one of them; `None` if nobody serves it any more.
pub fn connect(dir: &NodeDir, name: &str) -> std::io::Result<Option<UnixStream>> {
    let connected = address(dir, name).and_then(|(_folder, address)| UnixStream::connect(address));
    match connected {
        Ok(stream) => {
            stream.set_nonblocking(true)?;
            Ok(Some(stream))
        }
        Err(why) if why.kind() == IoErrorKind::ConnectionRefused => {
            let _ = fs::remove_file(dir.path().join(name));
            Ok(None)
        }
        // The program has ended meanwhile, and perhaps its node with it.
        Err(why) if why.kind() == IoErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// The name by way of an open directory, which makes any path short.
fn address(dir: &NodeDir, name: &str) -> std::io::Result<(File, PathBuf)> {
    let folder =
        OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(dir.path())?;
    let address = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok((folder, address))
}
