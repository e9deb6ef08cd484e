//! The detour of this process's own vDSO, made once at load: its clock functions then lead to the shim's, so that code
//! which calls the vDSO itself (Go, the inside of libc, whoever parses the auxiliary vector) sees the node's clocks too.
//!
//! Which bytes go where is [`falseticker_page::detour`]'s business; here they are written.
//!
//! What must hold:
//! 1. Only while this is the only thread: nobody is inside the bytes that are overwritten.
//! 2. First the island, read back; then each function's first five bytes by one write, clock_gettime's last, so that the hooks
//!    never read a clock that leads to themselves. What fails is undone; if even that fails, the island stays, and what was
//!    overwritten still leads to a hook that works.
//! 3. No relocation, no panic: it may run before the library is relocated.
//!
//! What breaks it: a tracer that holds the process mid-function and continues it afterwards; a profiler that unwinds out of
//! the trampoline's few bytes, for which there are no unwind tables.
#![allow(unsafe_code)]
// Sound because code is written only where this process alone runs it, after the plan has checked that whole instructions
// are displaced and nothing branches into them, and because the hooks keep the vDSO's convention (the caller's promise).

mod place;
mod write;

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

pub use falseticker_page::detour::Refusal;
use falseticker_page::detour::{self as bytes, Functions, PATCH, Patch, Plan};

use crate::sys::{self, PAGE};
use crate::vdso::{Vdso, auxiliary};
use write::Writer;

const AT_RANDOM: u64 = 25;

/// The addresses of the functions that take over: `extern "C"`, with the vDSO's convention of returning -errno.
pub struct Hooks {
    /// `int (clockid_t, struct timespec *)`
    pub clock_gettime: usize,
    /// `int (struct timeval *, struct timezone *)`
    pub gettimeofday: usize,
    /// `time_t (time_t *)`
    pub time: usize,
}

/// Detours the vDSO. `true_clock` becomes the address of the trampoline, which is as `__vdso_clock_gettime` was, before
/// the first read can come to a hook.
///
/// # Errors
/// A [`Refusal`]; the vDSO and `true_clock` are then as they were.
///
/// # Safety
/// The hooks must keep the vDSO's conventions, touch no vector register, read the true time by nothing but `true_clock` and
/// system calls, and stay mapped for good.
pub unsafe fn install(vdso: &Vdso, hooks: &Hooks, true_clock: &AtomicUsize) -> Result<(), Refusal> {
    if vdso.is_replacement() {
        return Err(Refusal::Replaced);
    }
    if vdso.is_detoured() {
        return Err(Refusal::AlreadyDetoured);
    }
    alone()?;
    let image = vdso.image().ok_or(Refusal::NoVdso)?;
    let functions = Functions::of(&image).ok_or(Refusal::NoVdso)?;
    let within = vdso.base()..vdso.end();
    let stack = auxiliary(AT_RANDOM).and_then(|at| usize::try_from(at).ok());
    let island = Island(place::map_near(within.clone(), stack).ok_or(Refusal::NoIsland)?);
    let hooks = bytes::Hooks {
        clock_gettime: hooks.clock_gettime as u64,
        gettimeofday: hooks.gettimeofday as u64,
        time: hooks.time as u64,
    };
    let plan = bytes::plan(&image, vdso.base() as u64, &functions, island.0 as u64, &hooks)?;
    let trampoline = usize::try_from(plan.trampoline()).map_err(|_| Refusal::NoIsland)?;

    let writer = Writer::open();
    // SAFETY: the page is new, and nobody runs there.
    unsafe { put(&writer, island.0, plan.island.bytes(), &island.pages()) }?;
    let before = true_clock.swap(trampoline, Ordering::SeqCst);
    // SAFETY: this is the only thread, the plan is for this image at this place, and its island is written.
    match unsafe { overwrite(&writer, &plan, &within) } {
        Ok(()) => {
            island.keep();
            Ok(())
        }
        Err((why, Undone::Yes)) => {
            true_clock.store(before, Ordering::SeqCst);
            Err(why)
        }
        Err((why, Undone::No)) => {
            island.keep();
            Err(why)
        }
    }
}

/// A mapped page that is unmapped again unless it is kept.
struct Island(usize);

impl Island {
    fn pages(&self) -> Range<usize> {
        self.0..self.0.saturating_add(PAGE)
    }

    fn keep(self) {
        sys::name_mapping(self.0, PAGE, c"falseticker");
        core::mem::forget(self);
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        // SAFETY: nothing leads there: the page was mapped for this, and no function was or is any longer patched.
        let _ = unsafe { sys::munmap(self.0, PAGE) };
    }
}

/// Whether what was written before a failure could be restored.
enum Undone {
    Yes,
    No,
}

/// Writes the jumps, clock_gettime's last.
///
/// # Safety
/// No other thread may run; the plan must be for the image that is mapped in `within`, and its island written.
unsafe fn overwrite(writer: &Writer, plan: &Plan, within: &Range<usize>) -> Result<(), (Refusal, Undone)> {
    let write = |patch: &Patch, bytes: &[u8; PATCH]| match usize::try_from(patch.at) {
        // SAFETY: the bytes are the plan's, or those that were there.
        Ok(at) => unsafe { put(writer, at, bytes, within) },
        Err(_) => Err(Refusal::NoVdso),
    };
    let holds = |patch: &Patch, bytes| usize::try_from(patch.at).is_ok_and(|at| reads_back(at, bytes));
    for (index, patch) in plan.patches.iter().enumerate().rev() {
        let Some(Err(why)) = patch.as_ref().map(|patch| write(patch, &patch.new)) else {
            continue;
        };
        let mut restored = true;
        for begun in plan.patches.get(index..).unwrap_or(&[]).iter().flatten() {
            restored &= holds(begun, &begun.old) || write(begun, &begun.old).is_ok();
        }
        return Err((why, if restored { Undone::Yes } else { Undone::No }));
    }
    Ok(())
}

/// Writes code, and reads it back.
///
/// # Safety
/// As [`Writer::write`].
unsafe fn put(writer: &Writer, at: usize, bytes: &[u8], within: &Range<usize>) -> Result<(), Refusal> {
    // SAFETY: the caller's promise.
    unsafe { writer.write(at, bytes, within) }.map_err(Refusal::CannotWrite)?;
    if reads_back(at, bytes) { Ok(()) } else { Err(Refusal::NotAsWritten) }
}

/// Whether memory at `at`, which is mapped and readable, holds `bytes`.
fn reads_back(at: usize, bytes: &[u8]) -> bool {
    let place = at as *const u8;
    // SAFETY: code that this module wrote or was about to, in a mapping that is readable throughout.
    bytes
        .iter()
        .enumerate()
        .all(|(offset, byte)| unsafe { place.wrapping_add(offset).read_volatile() } == *byte)
}

/// Refuses when other threads run: each is an entry of /proc/self/task.
fn alone() -> Result<(), Refusal> {
    const NAME: usize = 19;
    let tasks = sys::open_directory(c"/proc/self/task").map_err(Refusal::NoProc)?;
    let mut buffer = [0_u8; 1024];
    let mut threads = 0_usize;
    loop {
        let filled = sys::getdents(&tasks, &mut buffer).map_err(Refusal::NoProc)?;
        let mut rest = buffer.get(..filled).unwrap_or(&[]);
        if rest.is_empty() {
            break;
        }
        while let Some((length, name)) = rest.get(16..18).zip(rest.get(NAME)) {
            threads = threads.saturating_add(usize::from(name.is_ascii_digit()));
            let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = rest.get(length.max(NAME)..).unwrap_or(&[]);
        }
    }
    match threads {
        0 => Err(Refusal::NoProc(sys::errno::ENOENT)),
        1 => Ok(()),
        _ => Err(Refusal::OtherThreads),
    }
}
