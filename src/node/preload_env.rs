//! The value of LD_PRELOAD that puts a program into a node.
//!
//! What must hold: the shim comes first, so that its symbols win; what the user preloads stays, in its order;
//! there is never more than one shim, since two would skew twice.
//!
//! Source: ld.so(8); glibc's `elf/rtld.c` splits at spaces and colons, musl's `ldso/dynlink.c` at any white space
//! and colons.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The file name by which a shim is known, in whatever node's directory it lies.
pub const SHIM_FILE: &str = "falseticker.so";

/// `LD_PRELOAD` with this shim first, then whatever else was in it but for the shims of other nodes: a program
/// that is started inside a node and put into another one moves to that one.
#[must_use]
pub fn with_shim(existing: Option<&OsStr>, shim: &Path) -> OsString {
    let mut value = shim.as_os_str().as_bytes().to_vec();
    for entry in others(existing) {
        value.push(b':');
        value.extend_from_slice(entry);
    }
    OsString::from_vec(value)
}

/// `LD_PRELOAD` without any shim, for what must read true time; `None` where nothing is left of it.
#[must_use]
pub fn without_shim(existing: Option<&OsStr>) -> Option<OsString> {
    let entries: Vec<&[u8]> = others(existing).collect();
    (!entries.is_empty()).then(|| OsString::from_vec(entries.join(&b':')))
}

fn others(existing: Option<&OsStr>) -> impl Iterator<Item = &[u8]> {
    existing
        .unwrap_or_default()
        .as_bytes()
        .split(|byte| separates(*byte))
        .filter(|entry| !entry.is_empty() && !is_shim(entry))
}

/// Whether ld.so ends an entry of LD_PRELOAD at this byte: glibc's separators and musl's.
pub(super) fn separates(byte: u8) -> bool {
    matches!(byte, b':' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_shim(entry: &[u8]) -> bool {
    entry.rsplit(|byte| *byte == b'/').next() == Some(SHIM_FILE.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(existing: &str) -> String {
        with_shim(Some(existing.as_ref()), Path::new("/n/b/falseticker.so")).into_string().unwrap()
    }

    #[test]
    fn the_shim_comes_first_and_alone() {
        assert_eq!(with_shim(None, Path::new("/n/b/falseticker.so")), "/n/b/falseticker.so");
        assert_eq!(with(""), "/n/b/falseticker.so");
        assert_eq!(with("libjemalloc.so.2"), "/n/b/falseticker.so:libjemalloc.so.2");
        assert_eq!(with(" /a.so:/b.so  /c.so\t/d.so:"), "/n/b/falseticker.so:/a.so:/b.so:/c.so:/d.so");
    }

    #[test]
    fn the_shims_of_other_nodes_go() {
        assert_eq!(with("/n/a/falseticker.so:/x.so"), "/n/b/falseticker.so:/x.so");
        assert_eq!(with("/x.so falseticker.so /n/b/falseticker.so"), "/n/b/falseticker.so:/x.so");
        assert_eq!(with("/n/not-falseticker.so"), "/n/b/falseticker.so:/n/not-falseticker.so");
        assert_eq!(with(&with("/x.so")), with("/x.so"));
    }

    #[test]
    fn the_shim_can_be_taken_out() {
        let without = |value: &str| without_shim(Some(value.as_ref())).map(|os| os.into_string().unwrap());
        assert_eq!(without(&with("/x.so:/y.so")).as_deref(), Some("/x.so:/y.so"));
        assert_eq!(without(&with("")), None);
        assert_eq!(without_shim(None), None);
    }
}
