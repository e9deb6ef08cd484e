//! The capabilities that a file carries.
//!
//! Source: capabilities(7), the kernel's `include/uapi/linux/capability.h` (`struct vfs_cap_data`).
//!
//! What makes it sound: the only unsafe call hands the kernel a buffer of this function's own and its true size.
#![expect(unsafe_code, reason = "neither std nor nix reads extended attributes")]

use std::fs::File;
use std::os::fd::AsRawFd;

/// What of a file's capabilities matters for secure execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileCaps {
    /// Whether the program starts with them in effect.
    pub effective: bool,
    /// The set that it is permitted.
    pub permitted: u64,
}

const EFFECTIVE: u32 = 1;
const REVISION_1: u32 = 0x0100_0000;
const REVISION_2: u32 = 0x0200_0000;
const REVISION_3: u32 = 0x0300_0000;

/// The capabilities of an open file; none where the filesystem knows none.
#[must_use]
pub fn of(file: &File) -> Option<FileCaps> {
    let mut value = [0_u8; 24];
    // SAFETY: the name ends in NUL, the buffer is writable for the length given, and the descriptor is open.
    let size = unsafe {
        libc::fgetxattr(
            file.as_raw_fd(),
            c"security.capability".as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    parse(value.get(..usize::try_from(size).ok()?)?)
}

/// Reads `struct vfs_cap_data`; `None` where the kernel would ignore it.
fn parse(value: &[u8]) -> Option<FileCaps> {
    let word = |index: usize| -> Option<u32> {
        Some(u32::from_le_bytes(value.get(index * 4..index * 4 + 4)?.try_into().ok()?))
    };
    let magic = word(0)?;
    let low = u64::from(word(1)?);
    let permitted = match magic & 0xff00_0000 {
        REVISION_1 => low,
        // A revision 3 value counts in the user namespace it was made for. It is taken as counting here: a
        // refusal that was not needed is better than a program that runs unskewed.
        REVISION_2 | REVISION_3 => low | u64::from(word(3)?) << 32,
        _ => return None,
    };
    Some(FileCaps { effective: magic & EFFECTIVE != 0, permitted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_the_kernels() {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        let caps = |effective, permitted| Some(FileCaps { effective, permitted });
        assert_eq!(parse(&words(&[0x0200_0001, 0x2000, 0, 0, 0])), caps(true, 0x2000));
        assert_eq!(parse(&words(&[0x0200_0000, 0, 0, 1, 0])), caps(false, 1 << 32));
        assert_eq!(parse(&words(&[0x0300_0001, 1, 0, 0, 0, 1000])), caps(true, 1));
        assert_eq!(parse(&words(&[0x0900_0001, 1, 0, 0, 0])), None);
        assert_eq!(parse(&[]), None);
    }

    proptest! {
        #[test]
        fn any_value_is_read(value in proptest::collection::vec(any::<u8>(), 0..32)) {
            let _ = parse(&value);
        }
    }
}
