//! The helper: one thread a process, made at its first wait with a deadline, that sleeps until the schedule changes.
//!
//! It makes two system calls, futex wait and futex wake: no file is opened, so that no sandbox set up later is in its way, no
//! descriptor of the program's is taken, and /proc is not needed.
//!
//! What must hold:
//! 1. It is no thread of libc's: it uses nothing of libc, its local storage is a page of zeros, all signals are blocked in it.
//! 2. It sleeps on the page's word and looks at it again before it sleeps: no publication is missed. Should a controller die
//!    between publishing and waking, the change is seen within a second.
//! 3. Where it is refused, waits go in slices, and the process's row says so.
//!
//! What breaks it: a program that ends by letting each of its threads end, without exit; `unshare(CLONE_NEWUSER)` in a process
//! that has made such a wait (EINVAL, as with any second thread); a seccomp filter that kills on clone.
#![allow(unsafe_code)]
// Sound because its memory is mapped for it alone and never unmapped.

use core::sync::atomic::{AtomicU32, Ordering};

use falseticker_page::evidence::Waits;
use falseticker_page::layout::Page;

use super::kick::{self, Met};
use super::registry::Refreshed;
use crate::arch::thread;
use crate::load;
use crate::state::{PRIVATE, STATE};
use crate::sys::{self, errno};

/// Not there yet.
const NONE: u32 = 0;
/// Some thread is making it.
const STARTING: u32 = 1;
/// There.
const RUNNING: u32 = 2;
/// Refused for good.
const REFUSED: u32 = 3;

/// Whether the helper watches over waits; made if nobody has.
pub fn is_there() -> bool {
    match PRIVATE.helper.load(Ordering::Acquire) {
        RUNNING => true,
        NONE => make(),
        _ => false,
    }
}

#[cold]
fn make() -> bool {
    if PRIVATE.helper.compare_exchange(NONE, STARTING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        // Whoever comes while another makes it waits in a slice, and asks again.
        return false;
    }
    let made = spawn();
    let state = match made {
        Ok(()) => RUNNING,
        // Too many threads, or too little memory, for now.
        Err(errno::EAGAIN | errno::ENOMEM) => NONE,
        Err(_) => REFUSED,
    };
    load::note_waits(match made {
        Ok(()) => Waits::Kicked,
        Err(errno) => Waits::Sliced(errno.unsigned_abs()),
    });
    PRIVATE.helper.store(state, Ordering::Release);
    made.is_ok()
}

/// What the helper's mapping holds: local storage, the places of its id, its stack.
#[repr(C, align(4096))]
struct Memory {
    local: [u64; 512],
    ids: [AtomicU32; 2],
    stack: [u8; 128 * 1024],
}

fn spawn() -> Result<(), i32> {
    // CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID: the very flags of libc's own threads,
    // which sandboxes allow.
    const FLAGS: usize = 0x3d_0f00;
    let at = sys::mmap_anonymous(size_of::<Memory>())?;
    sys::name_mapping(at, size_of::<Memory>(), c"falseticker waits");
    sys::drop_on_fork(at, size_of::<Memory>());
    let memory = at as *mut Memory;
    // SAFETY: a new mapping, of which the thread is the only user; its addresses are taken, nothing else.
    let made = sys::thread::with_signals_blocked(|| unsafe {
        let local = (&raw mut (*memory).local) as usize;
        let [parent_id, child_id] = [0, 1].map(|index| (&raw mut (*memory).ids[index]).cast::<u32>());
        let stack = (&raw mut (*memory).stack) as usize + size_of_val(&(*memory).stack);
        thread::spawn(FLAGS, stack & !15, parent_id, child_id, local, run)
    });
    if made < 0 {
        // SAFETY: no thread has begun there.
        let _ = unsafe { sys::munmap(at, size_of::<Memory>()) };
        return Err((-made) as i32);
    }
    Ok(())
}

/// How long after a change waiters are woken once more: for one that was between its look at the deadline and the kernel.
const AGAIN_AFTER: [i64; 4] = [2_000_000, 8_000_000, 40_000_000, 150_000_000];
/// How long it sleeps at most.
const SECOND: i64 = 1_000_000_000;

extern "C" fn run() -> ! {
    sys::thread::name(c"falseticker");
    let mut met = Met::new();
    loop {
        if let Some(page) = STATE.page() {
            watch(page, &mut met);
        }
    }
}

/// Watches until a change, sees to it, and to its waiters until the last of them has gone.
fn watch(page: &Page, met: &mut Met) -> ! {
    // Not a word that there ever was: what was registered before this thread began is looked at first.
    let mut seen = 0;
    let mut rounds = 0;
    let mut left = None;
    loop {
        let word = page.header.word.load(Ordering::SeqCst);
        if word != seen {
            let refreshed = kick::refresh(page);
            // Of a page that gave no answer it is asked again in the next round.
            seen = if refreshed == Refreshed::Unknown { 0 } else { word };
            if refreshed != Refreshed::Same {
                rounds = 0;
                left = Some(0);
            }
        }
        if left == Some(0) {
            left = (kick::wake(page, met) || seen == 0).then(|| next_round(&mut rounds));
        }
        let sleep = left.unwrap_or(SECOND).min(SECOND);
        sys::futex::wait(page.futex(), word as u32, sleep);
        left = left.map(|left| left - sleep);
    }
}

/// When to wake next: soon at first, then after four times as long each time, for as long as anybody has to be woken.
fn next_round(rounds: &mut u32) -> i64 {
    let round = *rounds as usize;
    *rounds = rounds.saturating_add(1);
    AGAIN_AFTER.get(round).copied().unwrap_or_else(|| {
        let rounds = (round - AGAIN_AFTER.len()).min(8);
        800_000_000_i64 << (2 * rounds)
    })
}
