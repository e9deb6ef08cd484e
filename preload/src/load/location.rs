//! Where the node's files are: beside this library, whose path is in `/proc/self/maps`.
//!
//! Why not an environment variable: programs clear and rewrite their environment and keep LD_PRELOAD, and a container
//! may see the node's directory under another name.
//!
//! What must hold: no relocation is needed (this may run before it); paths are bounded.
#![allow(unsafe_code)]
// Sound because the only address taken is that of a function of this library, and it is not followed.

use core::ffi::CStr;

use super::refuse::Why;
use crate::sys;

/// The longest path, as PATH_MAX.
pub const PATH: usize = 4096;

/// A path that is put together on the stack.
pub struct Path {
    bytes: [u8; PATH],
    length: usize,
}

impl Path {
    /// The directory, with the trailing slash, of a file's path.
    fn directory_of(path: &[u8]) -> Option<Self> {
        let length = path.iter().rposition(|byte| *byte == b'/')? + 1;
        let mut bytes = [0; PATH];
        bytes.get_mut(..length)?.copy_from_slice(path.get(..length)?);
        Some(Path { bytes, length })
    }

    /// The path of a file in this directory.
    pub fn file<R>(&mut self, name: &CStr, open: impl FnOnce(&CStr) -> R) -> Option<R> {
        let name = name.to_bytes_with_nul();
        self.bytes.get_mut(self.length..self.length + name.len())?.copy_from_slice(name);
        CStr::from_bytes_until_nul(&self.bytes).ok().map(open)
    }
}

/// Calls `with` with the directory that holds this library.
pub fn with_directory<T>(with: impl FnOnce(Path) -> Result<T, Why>) -> Result<T, Why> {
    let maps = sys::open_read(c"/proc/self/maps").map_err(Why::NoProc)?;
    let here = hexadecimal as *const () as usize;
    let mut buffer = [0_u8; PATH + 256];
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or(&mut []);
        let read = sys::read(&maps, room).map_err(Why::NoProc)?;
        filled += read;
        let mut rest = buffer.get(..filled).unwrap_or(&[]);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            if let Some(path) = path_if_covering(line, here) {
                return with(Path::directory_of(path).ok_or(Why::NoLocation)?);
            }
            rest = after.get(1..).unwrap_or(&[]);
        }
        let kept = rest.len();
        if read == 0 || kept == buffer.len() {
            return Err(Why::NoLocation);
        }
        buffer.copy_within(filled - kept..filled, 0);
        filled = kept;
    }
}

/// The path at the end of a line of maps, if the line's range covers `address`.
fn path_if_covering(line: &[u8], address: usize) -> Option<&[u8]> {
    let (low, rest) = hexadecimal(line)?;
    let (high, rest) = hexadecimal(rest.get(1..)?)?;
    if address < low || address >= high {
        return None;
    }
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    rest.get(slash..)
}

fn hexadecimal(text: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    let mut length = 0;
    for byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => break,
        };
        value = value << 4 | usize::from(digit);
        length += 1;
    }
    (length > 0).then(|| (value, text.get(length..).unwrap_or(&[])))
}
