//! Writing over code that is mapped read-only.
//!
//! Through /proc/self/mem, which no rule against writable code forbids (MDWE, systemd's MemoryDenyWriteExecute) and which
//! leaves the protection as it is. Where that is refused (no /proc; kernels with `proc_mem.force_override=never`): one
//! mprotect to readable, writable and executable at once, and back. Never first writable and then executable: under those
//! rules the second step is refused, and the next clock read crashes.
#![allow(unsafe_code)]
// Sound under the caller's promise about the bytes; the protection is widened only around the store.

use core::ops::Range;

use crate::sys::{self, Fd, PAGE, errno, mm};

/// A way to write code.
pub struct Writer {
    memory: Result<Fd, i32>,
}

impl Writer {
    /// Finds the way.
    pub fn open() -> Self {
        Self { memory: sys::open_read_write(c"/proc/self/mem") }
    }

    /// Writes `bytes` at `at`, which lies in the mapping `within`.
    ///
    /// # Safety
    /// `within` must be whole pages of one mapping, readable and executable, and whoever runs code there must be content with
    /// the bytes; no other thread may run.
    pub unsafe fn write(&self, at: usize, bytes: &[u8], within: &Range<usize>) -> Result<(), i32> {
        let through_proc = match &self.memory {
            // SAFETY: the caller's promise.
            Ok(memory) => match unsafe { sys::pwrite(memory, bytes, at) } {
                Ok(written) if written == bytes.len() => Ok(()),
                Ok(_) => Err(errno::EIO),
                Err(why) => Err(why),
            },
            Err(why) => Err(*why),
        };
        if through_proc.is_err() {
            // SAFETY: the caller's promise.
            unsafe { through_mprotect(at, bytes, within) }?;
        }
        sys::serialize();
        Ok(())
    }
}

/// # Safety
/// As [`Writer::write`].
unsafe fn through_mprotect(at: usize, bytes: &[u8], within: &Range<usize>) -> Result<(), i32> {
    let length = within.end.saturating_sub(within.start);
    let inside = at >= within.start && at.checked_add(bytes.len()).is_some_and(|end| end <= within.end);
    if !inside || !within.start.is_multiple_of(PAGE) {
        return Err(errno::EINVAL);
    }
    // SAFETY: what was allowed stays allowed.
    unsafe { sys::mprotect(within.start, length, mm::PROT_READ | mm::PROT_WRITE | mm::PROT_EXEC) }?;
    // SAFETY: the range is mapped and, now, writable; the caller answers for the bytes.
    unsafe { store(at, bytes, within.end) };
    // SAFETY: nobody writes there. Refused, the pages stay writable, which breaks nothing.
    let _ = unsafe { sys::mprotect(within.start, length, mm::PROT_READ | mm::PROT_EXEC) };
    Ok(())
}

/// Stores the bytes, those of a patch by one instruction: a signal handler that reads the clock meanwhile finds the old
/// bytes or the new.
///
/// # Safety
/// All of `at..end` that the bytes cover must be writable.
unsafe fn store(at: usize, bytes: &[u8], end: usize) {
    let one_word = bytes.len() <= 8 && at.checked_add(8).is_some_and(|after| after <= end);
    if one_word {
        let place = at as *mut [u8; 8];
        // SAFETY: the eight bytes are in the mapping.
        let mut word = unsafe { place.read() };
        for (byte, value) in word.iter_mut().zip(bytes) {
            *byte = *value;
        }
        // SAFETY: they are writable. The type has no alignment, the instruction needs none.
        unsafe {
            core::arch::asm!(
                "mov qword ptr [{place}], {word}",
                place = in(reg) place,
                word = in(reg) u64::from_ne_bytes(word),
                options(nostack, preserves_flags)
            );
        }
        return;
    }
    for (offset, byte) in bytes.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { (at as *mut u8).wrapping_add(offset).write_volatile(*byte) };
    }
}
