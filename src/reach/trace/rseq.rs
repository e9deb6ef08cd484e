//! Restartable sequences: a few instructions that the kernel has begin anew when their thread loses the processor in their midst.
//!
//! Why here: the kernel looks whether a thread is in such a sequence when it returns to user mode. If that is at another instruction
//! by then, to make a system call for a tracer, it takes the sequence for left, and would not begin it anew when the thread is put
//! back into its midst. So it is put to where the kernel would have put it.
//!
//! Source: rseq(2) and `struct rseq_cs` in the kernel's `include/uapi/linux/rseq.h`.

use nix::errno::Errno;

use super::request::{self, Registers};

/// Where in `struct rseq` the current sequence is named.
const SEQUENCE_AT: u64 = 8;

/// The registers with which a thread goes on: those that it has, or if it is in a sequence, at that one's abort.
pub(super) fn led_out(tid: i32, registers: Registers) -> Registers {
    match abort_of(tid, registers.rip) {
        Ok(Some(abort)) => Registers { rip: abort, ..registers },
        // Nothing is known of it: an old kernel, or a pointer that leads nowhere, for which the kernel would kill the thread.
        Ok(None) | Err(_) => registers,
    }
}

fn abort_of(tid: i32, rip: u64) -> Result<Option<u64>, Errno> {
    let Some(area) = request::rseq_area(tid)? else { return Ok(None) };
    let sequence = word(tid, area.wrapping_add(SEQUENCE_AT))?;
    if sequence == 0 {
        return Ok(None);
    }
    // Version and flags, then the start, its length, and where to go on.
    let (start, length) = (word(tid, sequence.wrapping_add(8))?, word(tid, sequence.wrapping_add(16))?);
    let is_inside = rip.wrapping_sub(start) < length;
    if is_inside { word(tid, sequence.wrapping_add(24)).map(Some) } else { Ok(None) }
}

fn word(tid: i32, at: u64) -> Result<u64, Errno> {
    request::peek(tid, at).map(u64::from_ne_bytes)
}
