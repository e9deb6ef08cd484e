//! What happens once, at load: the true clock is found, the page and the evidence file are mapped, a row is taken,
//! the vDSO is detoured, the fork hook is set. In a program that the node's choice leaves out, nothing of it.
//!
//! What must hold: it works before the library is relocated (an IFUNC resolver may read the clock first) and from any
//! thread; whoever comes while another is at it gets true time; a failure leaves the program as without the shim,
//! and the node's first process does not run at all.
#![allow(unsafe_code)]
// Sound because the wiped page is this library's own, and everything else is in the files beside.

mod choice;
mod files;
mod fork;
mod location;
pub mod next;
mod refuse;
mod seat;

pub use seat::{namespace, note_followed, note_waits, row};

use core::sync::atomic::Ordering;

use crate::detour::{self, Hooks, Refusal};
use crate::read;
use crate::state::{LOADED, LOADING, PRIVATE, Private, STATE, UNLOADED, by_system_call};
use crate::sys;
use crate::vdso::Vdso;
use crate::wait;

/// Runs when the library is loaded, before anything else of the program's (`-z initfirst`).
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = construct;

extern "C" fn construct() {
    ensure();
    if STATE.page().is_some() {
        fork::watch();
        wait::learn_libc();
    }
}

/// Loads, if nobody has.
pub fn ensure() {
    if STATE.phase.load(Ordering::Acquire) == LOADED {
        return;
    }
    if STATE.phase.compare_exchange(UNLOADED, LOADING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
        load();
        STATE.phase.store(LOADED, Ordering::Release);
    }
}

/// The row's word for a vDSO that is detoured; others are the codes of refusals.
const DETOURED: u64 = 0;

/// Not inlined: its many KiB of stack would become those of every read that comes by the cold way, a signal handler's on a
/// small stack among them.
#[cold]
#[inline(never)]
fn load() {
    let vdso = Vdso::find();
    let known = vdso.as_ref().map_or(0, Vdso::clock_gettime);
    let host = if known == 0 { by_system_call as *const () as usize } else { known };
    STATE.clock_gettime.store(host, Ordering::Relaxed);
    let chosen = |mut directory| match choice::selects(&mut directory)? {
        true => files::map(directory).map(Some),
        false => Ok(None),
    };
    let page = match location::with_directory(chosen) {
        Ok(Some(page)) => page,
        Ok(None) => return,
        Err(why) => {
            refuse::first_process(why);
            return;
        }
    };
    // So that no child takes its parent's row for its own.
    sys::wipe_on_fork(core::ptr::from_ref(&PRIVATE) as usize, size_of::<Private>());
    PRIVATE.pid.store(sys::getpid().unsigned_abs(), Ordering::Relaxed);
    seat::take_at_load();
    seat::note_detour(detour(vdso.as_ref()));
    STATE.page.store(core::ptr::from_ref(page).cast_mut(), Ordering::Release);
}

/// Sends the vDSO's entries here, for whoever calls them without going through a symbol.
fn detour(vdso: Option<&Vdso>) -> u64 {
    let Some(vdso) = vdso else { return u64::from(Refusal::NoVdso.code()) };
    let hooks = Hooks {
        clock_gettime: read::vdso_clock_gettime as *const () as usize,
        gettimeofday: read::vdso_gettimeofday as *const () as usize,
        time: read::vdso_time as *const () as usize,
    };
    // SAFETY: the hooks keep the vDSO's own conventions, read the true time only through what is stored here, and
    // this library is never unmapped while it is preloaded.
    match unsafe { detour::install(vdso, &hooks, &STATE.clock_gettime) } {
        Ok(()) => DETOURED,
        Err(refusal) => u64::from(refusal.code()),
    }
}
