//! The process's row of evidence: taken at load, and in a forked child by the fork hook.
//!
//! What must hold: a read makes no system call here; a process whose pid is not known (it came from a raw clone that no
//! hook saw) takes no row, and its evidence is unknown rather than somebody else's.
#![allow(unsafe_code)]
// Sound because the only unsafe operations are system calls without memory, and one on the file's own word.

use core::sync::atomic::{AtomicU64, Ordering};

use falseticker_page::evidence::{Evidence, Followed, RowHead, State, Waits};
use falseticker_page::time::HostInstant;

use crate::abi::clock;
use crate::read::host_instant;
use crate::state::{NO_ROW, PRIVATE, STATE};
use crate::sys::{self, futex};
use crate::timer;

/// Takes a row at load, where system calls are still allowed: also one whose owner is dead.
pub fn take_at_load() {
    let Some(evidence) = STATE.evidence() else { return };
    let pid = PRIVATE.pid.load(Ordering::Relaxed);
    let namespace = pid_namespace();
    NAMESPACE.store(namespace, Ordering::Relaxed);
    for head in &evidence.heads {
        // What this process was before it executed this program.
        if head.state() == State::Live(pid) && is_of(head, namespace) {
            head.turn(State::Live(pid), State::Gone(pid));
        }
    }
    let now = host_instant(clock::MONOTONIC).unwrap_or(HostInstant::MIN);
    seat(evidence.take(pid, namespace, now, |head| is_of(head, namespace) && is_dead(head.state())));
    evidence.header.arrivals.fetch_add(1, Ordering::AcqRel);
    futex::wake(evidence.header.arrivals.as_ptr() as usize, 0);
}

/// The namespace of this process's pid, by its inode; 0 when it is not known.
fn pid_namespace() -> u64 {
    let Ok(namespace) = sys::open_read(c"/proc/self/ns/pid") else { return 0 };
    // `struct stat` has 144 bytes, the inode at 8.
    let mut status = [0_u64; 18];
    // SAFETY: the kernel writes a structure of this size to a live array.
    let asked = unsafe { sys::syscall2(sys::nr::FSTAT, namespace.raw(), status.as_mut_ptr() as usize) };
    if asked == 0 { status[1] } else { 0 }
}

/// Whether a row's pid means something here.
fn is_of(head: &RowHead, namespace: u64) -> bool {
    namespace != 0 && head.namespace.load(Ordering::Acquire) == namespace
}

/// Whether a row's owner is no more.
fn is_dead(state: State) -> bool {
    let (State::Busy(pid) | State::Live(pid)) = state else { return false };
    // SAFETY: signal 0 does nothing but ask.
    (unsafe { sys::syscall2(sys::nr::KILL, pid as usize, 0) }) == -3
}

fn seat(row: Option<usize>) {
    PRIVATE.row.store(row.map_or(NO_ROW, |row| row + 1), Ordering::Release);
}

/// Notes in the row whether the vDSO is detoured.
pub fn note_detour(word: u64) {
    if let Some(evidence) = STATE.evidence()
        && let Some(row) = PRIVATE.row.load(Ordering::Relaxed).checked_sub(1)
        && let Some(head) = evidence.heads.get(row)
    {
        head.detour.store(word, Ordering::Relaxed);
    }
    DETOUR.store(word, Ordering::Relaxed);
}

/// What a forked child notes in its own row.
static DETOUR: AtomicU64 = AtomicU64::new(0);
/// The namespace of its pid.
static NAMESPACE: AtomicU64 = AtomicU64::new(0);

/// The pid namespace of the process, by its inode; 0 when it is not known.
pub fn namespace() -> u64 {
    NAMESPACE.load(Ordering::Relaxed)
}

/// The process's row.
pub fn row(evidence: &Evidence, now: HostInstant) -> Option<usize> {
    match PRIVATE.row.load(Ordering::Acquire) {
        // The hook found no room; by now there may be some.
        0 => take(evidence, now, |_| false),
        NO_ROW => None,
        row => Some(row - 1),
    }
}

/// Takes a row for a forked child. Should two of its threads come at once, the slower one gives its row back.
fn take(evidence: &Evidence, now: HostInstant, gone: impl Fn(&RowHead) -> bool) -> Option<usize> {
    let pid = match PRIVATE.pid.load(Ordering::Relaxed) {
        0 => return None,
        pid => pid,
    };
    let row = evidence.take(pid, namespace(), now, gone)?;
    match PRIVATE.row.compare_exchange(0, row + 1, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            let head = evidence.heads.get(row)?;
            head.detour.store(DETOUR.load(Ordering::Relaxed), Ordering::Relaxed);
            Some(row)
        }
        Err(other) => {
            evidence.heads.get(row)?.turn(State::Live(pid), State::Free);
            (other != NO_ROW).then(|| other - 1)
        }
    }
}

/// In a forked child: forgets the parent's row, and takes one of its own while system calls are surely allowed.
pub fn leave() {
    PRIVATE.row.store(0, Ordering::Relaxed);
    for hint in &PRIVATE.hints {
        hint.store(0, Ordering::Relaxed);
    }
    PRIVATE.pid.store(sys::getpid().unsigned_abs(), Ordering::Relaxed);
    // After `unshare` or `setns` a child's pid is of another namespace than its parent's; it has no parent there.
    if sys::getppid() == 0 {
        NAMESPACE.store(pid_namespace(), Ordering::Relaxed);
    }
    timer::settle_in_child();
    if let (Some(evidence), Some(now)) = (STATE.evidence(), host_instant(clock::MONOTONIC)) {
        let namespace = namespace();
        take(evidence, now, |head| is_of(head, namespace) && is_dead(head.state()));
    }
}

/// Notes in the row how this process's waits follow the clock.
pub fn note_waits(waits: Waits) {
    if let Some((_, head)) = own_head() {
        head.note_waits(waits);
    }
}

/// Notes in the row how far the helper has followed the schedule, and wakes whoever waits for that.
pub fn note_followed(followed: Followed) {
    if let Some((evidence, head)) = own_head()
        && head.note_followed(followed)
    {
        evidence.header.acknowledged.fetch_add(1, Ordering::AcqRel);
        futex::wake(evidence.header.acknowledged.as_ptr() as usize, 0);
    }
}

fn own_head() -> Option<(&'static Evidence, &'static RowHead)> {
    let evidence = STATE.evidence()?;
    let row = row(evidence, host_instant(clock::MONOTONIC)?)?;
    Some((evidence, evidence.heads.get(row)?))
}
