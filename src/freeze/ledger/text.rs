//! A text of limited length in shared memory.
//!
//! What must hold: reading allocates nothing and always ends, whatever is in the memory.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// A text of less than `N` bytes. Zeroes are the empty one.
#[repr(transparent)]
pub(in crate::freeze) struct Text<const N: usize>([AtomicU8; N]);

/// A copy of one, on the stack, as C has strings; with room for a file's name behind it.
pub(in crate::freeze) struct Copied<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    /// Stores a text; false, and nothing stored, if it is too long or has a NUL in it.
    pub(in crate::freeze) fn store(&self, text: &[u8]) -> bool {
        if text.len() >= N || text.contains(&0) {
            return false;
        }
        let all = text.iter().copied().chain(std::iter::once(0));
        for (cell, byte) in self.0.iter().zip(all) {
            cell.store(byte, Ordering::Relaxed);
        }
        true
    }

    /// The text, with room for more: `M` should exceed `N`.
    pub(in crate::freeze) fn copy<const M: usize>(&self) -> Copied<M> {
        let mut copied = Copied { bytes: [0; M], length: 0 };
        let text = self.0.iter().map(|cell| cell.load(Ordering::Relaxed)).take_while(|byte| *byte != 0);
        for (to, byte) in copied.bytes.iter_mut().take(M.saturating_sub(1)).zip(text) {
            *to = byte;
            copied.length += 1;
        }
        copied
    }

    pub(in crate::freeze) fn is_empty(&self) -> bool {
        self.0.first().is_none_or(|first| first.load(Ordering::Relaxed) == 0)
    }

    /// As a value of its own; for those who may allocate.
    pub(in crate::freeze) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().map(|cell| cell.load(Ordering::Relaxed)).take_while(|byte| *byte != 0).collect()
    }
}

impl<const N: usize> Copied<N> {
    /// With this behind it, unless there is no room.
    pub(in crate::freeze) fn with(mut self, more: &[u8]) -> Option<Self> {
        self.bytes.get_mut(self.length..)?.get_mut(..more.len() + 1)?[..more.len()].copy_from_slice(more);
        self.length += more.len();
        Some(self)
    }

    /// The directory that it names a member of.
    pub(in crate::freeze) fn parent(mut self) -> Self {
        while self.length > 1 && self.bytes.get(self.length) != Some(&b'/') {
            if let Some(byte) = self.bytes.get_mut(self.length) {
                *byte = 0;
            }
            self.length -= 1;
        }
        if let Some(byte) = self.bytes.get_mut(self.length) {
            *byte = 0;
        }
        self
    }

    /// Another copy.
    pub(in crate::freeze) fn again(&self) -> Self {
        Copied { bytes: self.bytes, length: self.length }
    }

    pub(in crate::freeze) fn as_cstr(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: &str) -> Text<16> {
        let text = Text(std::array::from_fn(|_| AtomicU8::new(0)));
        assert!(text.store(of.as_bytes()));
        text
    }

    #[test]
    fn is_read_as_it_was_stored_and_grows_by_a_name() {
        assert_eq!(text("/a/b").to_bytes(), b"/a/b");
        assert_eq!(text("/a/b").copy::<32>().with(b"/procs").unwrap().as_cstr(), c"/a/b/procs");
        assert!(text("/a/b").copy::<8>().with(b"/procs").is_none());
        assert_eq!(text("/a/b").copy::<32>().parent().as_cstr(), c"/a");
        assert_eq!(text("/a").copy::<32>().parent().as_cstr(), c"/");
        assert_eq!(text("/a/b").copy::<32>().parent().with(b"/c").unwrap().as_cstr(), c"/a/c");
        assert_eq!(text("/abc").copy::<3>().as_cstr(), c"/a");
    }

    #[test]
    fn what_does_not_fit_is_not_stored() {
        let text = text("kept");
        assert!(!text.store(b"0123456789abcdef") && !text.store(b"a\0b"));
        assert_eq!(text.to_bytes(), b"kept");
        assert!(!text.is_empty());
        assert!(text.store(b"") && text.is_empty());
    }
}
