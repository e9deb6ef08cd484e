//! The helper: one thread a process, made at its first wait with a deadline, that sleeps until the schedule changes.
//!
//! For waits it makes two system calls, futex wait and futex wake: no file is opened, so that no sandbox set up later is in its
//! way, no descriptor of the program's is taken, and /proc is not needed.
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

use falseticker_page::evidence::{Followed, Waits};
use falseticker_page::latch::Word;
use falseticker_page::layout::Page;

use super::kick::{self, Left, Met};
use super::registry::Refreshed;
use crate::abi::clock;
use crate::arch::thread;
use crate::load;
use crate::read::host_instant;
use crate::state::{PRIVATE, STATE};
use crate::sys::{self, errno};
use crate::timer::{self, Next};

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
    let begin = || unsafe {
        let local = (&raw mut (*memory).local) as usize;
        let [parent_id, child_id] = [0, 1].map(|index| (&raw mut (*memory).ids[index]).cast::<u32>());
        let stack = (&raw mut (*memory).stack) as usize + size_of_val(&(*memory).stack);
        thread::spawn(FLAGS, stack & !15, parent_id, child_id, local, run)
    };
    // It is born with its name: by the time it runs, a sandbox may have taken the call for that from the process.
    let made = sys::thread::with_signals_blocked(|| sys::thread::with_name(c"falseticker", begin));
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
    let mut met = Met::new();
    loop {
        if let Some(page) = STATE.page() {
            watch(page, &mut met);
        }
    }
}

/// Not 0: timers are to be looked at.
static POKED: AtomicU32 = AtomicU32::new(0);

/// Has the helper look at the timers. It may be about to sleep, where a wake does not reach it, so it is woken until it looks,
/// or is not there to look; within a second it looks by itself.
pub fn wake(page: &Page) {
    POKED.store(1, Ordering::Release);
    for _ in 0..1_000 {
        sys::futex::wake(page.futex() as usize, 0);
        if POKED.load(Ordering::Acquire) == 0 {
            break;
        }
        sys::thread::give_way();
    }
}

/// Watches until a change, sees to it, and to its waiters until the last of them has gone.
fn watch(page: &Page, met: &mut Met) -> ! {
    // Not a word that there ever was: what was registered before this thread began is looked at first.
    let mut seen = 0;
    let mut waiters = Rounds::NONE;
    let mut timers = Rounds::NONE;
    loop {
        let word = page.header.word.load(Ordering::SeqCst);
        let changed = word != seen;
        if changed {
            let refreshed = kick::refresh(page);
            // Of a page that gave no answer it is asked again in the next round.
            seen = if refreshed == Refreshed::Unknown { 0 } else { word };
            if refreshed != Refreshed::Same {
                waiters = Rounds::begin();
            }
        }
        if waiters.are_due() {
            waiters = match kick::wake(page, met) {
                Left::UntilShown(at) => Rounds { next: at.as_nanos(), gone: 0 },
                Left::Nobody if seen != 0 => Rounds::NONE,
                _ => waiters.go_on(i64::MAX),
            };
        }
        if POKED.swap(0, Ordering::AcqRel) != 0 || changed || timers.are_due() {
            let next = timer::update_all(page);
            timers = match next {
                Next::Change => Rounds::NONE,
                Next::At(at) => Rounds { next: at.as_nanos(), gone: 0 },
                Next::Soon => timers.go_on(SOON_AT_MOST),
                Next::Owed => Rounds { next: now().saturating_add(OWED), gone: 0 },
            };
            acknowledge(page, seen, next);
        }
        let left = waiters.next.min(timers.next).saturating_sub(now()).min(SECOND);
        if left > 0 && POKED.load(Ordering::Acquire) == 0 {
            sys::futex::wait(page.futex(), word as u32, left);
        }
    }
}

/// Says how far the schedule has been followed, if all waits and timers were looked at under the version of `seen`: who stops the
/// processes (a suspend) waits for that, since the kernel's timers run on then. A timer that could not be moved is said too.
fn acknowledge(page: &Page, seen: u64, next: Next) {
    // A change that came meanwhile is seen to in the next round.
    if seen != 0 && page.header.word.load(Ordering::Acquire) == seen {
        let generation = Word::from_raw(seen).generation();
        load::note_followed(Followed { generation, whole: !matches!(next, Next::Soon | Next::Owed) });
    }
}

/// Now, on the host's CLOCK_MONOTONIC, in nanoseconds.
fn now() -> i64 {
    host_instant(clock::MONOTONIC).map_or(0, |now| now.as_nanos())
}

/// Rounds that are gone until nobody needs one any more: soon at first, and then after ever longer times.
#[derive(Clone, Copy)]
struct Rounds {
    /// When the next one is.
    next: i64,
    gone: u32,
}

/// The longest time after which a timer is looked at again that could not be moved.
const SOON_AT_MOST: i64 = 40_000_000;
/// After how long one is that has told of some expiries, and must tell of more.
const OWED: i64 = 3_000_000;

impl Rounds {
    const NONE: Rounds = Rounds { next: i64::MAX, gone: 0 };

    fn begin() -> Self {
        Rounds { next: now(), gone: 0 }
    }

    fn are_due(&self) -> bool {
        self.next <= now()
    }

    fn go_on(self, at_most: i64) -> Self {
        let after = after_round(self.gone).min(at_most);
        Rounds { next: now().saturating_add(after), gone: self.gone.saturating_add(1) }
    }
}

/// How long after a round the next one is: four times as long each time, for as long as anybody needs one.
fn after_round(gone: u32) -> i64 {
    AGAIN_AFTER.get(gone as usize).copied().unwrap_or_else(|| {
        let rounds = (gone as usize - AGAIN_AFTER.len()).min(8);
        800_000_000_i64 << (2 * rounds)
    })
}
