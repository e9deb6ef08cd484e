//! POSIX timers: `timer_create`, `timer_settime`, `timer_gettime`, `timer_delete`; and what all timers have in common.
//!
//! The helper moves them by the kernel's number, which libc keeps to itself: it is found out by looking, once for a timer.
#![allow(unsafe_code)]
// Sound because the caller's structures are read and written only where the kernel could.

use core::ffi::c_void;
use core::sync::atomic::Ordering;

use super::errno;
use crate::abi::Timespec;
use crate::state::STATE;
use crate::sys::{
    self,
    errno::{EFAULT, ENOSYS},
    nr,
};
use crate::timer::{
    self, Course,
    book::{self, Entry},
    kernel::{self, ABSOLUTE, Kind, Setting},
};
use crate::wait::{real, relative};

/// What a caller wants, if it can be read and is valid; else it is for the real function to say what is wrong.
///
/// # Safety
/// The kernel says whether it can be read.
pub unsafe fn read_valid(new: *const Setting) -> Option<Setting> {
    if !sys::is_readable(new as usize, size_of::<Setting>()) {
        return None;
    }
    // SAFETY: the kernel has just read there.
    let wanted = unsafe { new.read_unaligned() };
    (relative::span(wanted.value).is_some() && relative::span(wanted.interval).is_some()).then_some(wanted)
}

/// Sets a timer, in the node's time if that is ours: 0 or a negative errno. `straight` makes the caller's own call.
///
/// # Safety
/// `old` is the caller's.
pub unsafe fn set(
    entry: &'static Entry,
    (kind, id): (Kind, i32),
    clock: i32,
    flags: usize,
    wanted: &Setting,
    old: *mut Setting,
    straight: impl FnOnce() -> isize,
) -> isize {
    let before =
        if old.is_null() { None } else { timer::left(entry).or_else(|| kernel::look(kind, id).ok()) };
    let result = sys::thread::with_signals_blocked(|| {
        let held = entry.hold();
        held.is(kind, id);
        timer::set(held, clock, flags, wanted)
    });
    match result {
        Ok(Course::Straight) => {
            let result = straight();
            if let (0, Some(before)) = (result, before) {
                // SAFETY: the kernel has written there, in the host's time.
                unsafe { old.write_unaligned(before) };
            }
            result
        }
        Ok(Course::Ours) => match before {
            Some(before) if sys::is_writable_timespec(old as usize) => {
                // SAFETY: the kernel has just written there.
                unsafe { old.write_unaligned(before) };
                0
            }
            Some(_) => -(EFAULT as isize),
            None => 0,
        },
        Err(errno) => -(errno as isize),
    }
}

type Name = usize;

/// `timer_create(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn timer_create(clock: i32, event: *mut c_void, to: *mut Name) -> i32 {
    let Some(real) = real::timer_create() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: the caller's contract; libc has written the name.
    unsafe {
        let result = real(clock, event, to);
        if result == 0 && timer::is_ours(clock, ABSOLUTE) {
            note(*to, clock, Tells::of(event));
        }
        result
    }
}

/// How a timer tells of its expiries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    /// Not at all.
    Nobody,
    /// By a signal to the process.
    Process(u32),
    /// By a signal to one thread.
    Thread,
}

impl Tells {
    /// As a `struct sigevent` has it: a value, the signal, and how.
    ///
    /// # Safety
    /// The event is null, or has been read.
    unsafe fn of(event: *const c_void) -> Self {
        const SIGALRM: u32 = 14;
        const SIGEV_SIGNAL: i32 = 0;
        const SIGEV_NONE: i32 = 1;
        if event.is_null() {
            return Tells::Process(SIGALRM);
        }
        // SAFETY: the caller's contract.
        let number = |index: usize| unsafe { event.cast::<i32>().add(index).read_unaligned() };
        match number(3) {
            SIGEV_NONE => Tells::Nobody,
            SIGEV_SIGNAL => Tells::Process(number(2).unsigned_abs()),
            _ => Tells::Thread,
        }
    }
}

/// Writes a new timer down, if its number is found.
fn note(name: Name, clock: i32, tells: Tells) {
    if let Some(number) = kernel_number(name, tells == Tells::Nobody) {
        write_down(name, number, clock, tells);
    }
}

fn write_down(name: Name, number: i32, clock: i32, tells: Tells) {
    let Some(entry) = book::posix_new(name) else { return };
    let signal = if let Tells::Process(signal) = tells { signal } else { 0 };
    sys::thread::with_signals_blocked(|| {
        let held = entry.hold();
        held.is(Kind::Posix, number);
        held.entry.clock.store(clock as u32 + 1, Ordering::Relaxed);
        held.entry.signal.store(signal, Ordering::Relaxed);
    });
}

/// The kernel's number of a timer: the one that has what libc is asked to set by the name. A small name is the number itself in
/// glibc and musl; a great one leads, halved, to where the number is written.
///
/// Of a silent timer the kernel goes on telling what is left when it is stopped: so it is left to be over.
fn kernel_number(name: Name, silent: bool) -> Option<i32> {
    /// No program sets that.
    const MARK: Setting = Setting {
        interval: Timespec { sec: 987_654_321, nsec: 123_456_789 },
        value: Timespec { sec: 987_654_321, nsec: 0 },
    };
    const WORDS: usize = 96;
    let (set, mark, none) = (real::timer_settime()?, MARK, Setting::default());
    // SAFETY: a timer that libc has just made, and live structures.
    if unsafe { set(name, 0, &raw const mark, core::ptr::null_mut()) } != 0 {
        return None;
    }
    let is_it = |number: &i32| {
        kernel::look(Kind::Posix, *number).is_ok_and(|seen| {
            seen.interval.sec == MARK.interval.sec && seen.interval.nsec == MARK.interval.nsec
        })
    };
    let number = i32::try_from(name as isize).ok().filter(|number| *number >= 0 && is_it(number));
    let number = number.or_else(|| {
        let object = (name << 1) as *const i32;
        let readable = |index: &usize| sys::is_readable(object.wrapping_add(index & !1) as usize, 8);
        // SAFETY: the kernel has just read there.
        let word = |index: usize| unsafe { object.wrapping_add(index).read_volatile() } & i32::MAX;
        (0..WORDS).take_while(readable).map(word).find(is_it)
    });
    let soon = Setting { value: Timespec { sec: 0, nsec: 1 }, ..none };
    for last in [Some(&soon).filter(|_| silent), Some(&none)].into_iter().flatten() {
        // SAFETY: as above.
        unsafe { set(name, 0, core::ptr::from_ref(last), core::ptr::null_mut()) };
    }
    number
}

/// `timer_settime(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn timer_settime(name: Name, flags: i32, new: *const Setting, old: *mut Setting) -> i32 {
    let Some(real) = real::timer_settime() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: the caller's contract.
    unsafe {
        match ours(name, flags as usize, new) {
            None => real(name, flags, new, old),
            Some((entry, wanted)) => {
                let straight = || match real(name, flags, new, old) {
                    0 => 0,
                    _ => -(errno::get() as isize),
                };
                errno::result(by_entry(entry, flags as usize, &wanted, old, straight)) as i32
            }
        }
    }
}

/// The entry of a timer, and what is wanted of it, where that is ours.
unsafe fn ours(name: Name, flags: usize, new: *const Setting) -> Option<(&'static Entry, Setting)> {
    STATE.page()?;
    let entry = book::posix(name)?;
    let clock = entry.clock.load(Ordering::Relaxed) as i32 - 1;
    if !timer::is_ours(clock, flags) && !entry.is_armed() {
        return None;
    }
    // SAFETY: the caller's contract.
    unsafe { read_valid(new) }.map(|wanted| (entry, wanted))
}

unsafe fn by_entry(
    entry: &'static Entry,
    flags: usize,
    wanted: &Setting,
    old: *mut Setting,
    straight: impl FnOnce() -> isize,
) -> isize {
    let number = entry.id.load(Ordering::Relaxed);
    let clock = entry.clock.load(Ordering::Relaxed) as i32 - 1;
    // SAFETY: the caller's contract.
    unsafe { set(entry, (Kind::Posix, number), clock, flags, wanted, old, straight) }
}

/// `timer_gettime(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn timer_gettime(name: Name, to: *mut Setting) -> i32 {
    let Some(real) = real::timer_gettime() else { return errno::result(-(ENOSYS as isize)) as i32 };
    // SAFETY: the caller's contract; libc has written there.
    unsafe {
        let result = real(name, to);
        if result == 0
            && let Some(left) = book::posix(name).and_then(timer::left)
        {
            to.write(left);
        }
        result
    }
}

/// `timer_delete(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn timer_delete(name: Name) -> i32 {
    let Some(real) = real::timer_delete() else { return errno::result(-(ENOSYS as isize)) as i32 };
    strike_out(name);
    // SAFETY: the caller's contract.
    unsafe { real(name) }
}

/// Nobody moves it from here on.
fn strike_out(name: Name) {
    if let Some(entry) = book::posix(name) {
        sys::thread::with_signals_blocked(|| drop(entry.hold()));
        entry.forget();
    }
}

/// The four by their old version, whose names are others: they are left to the kernel.
macro_rules! old_versions {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {$(
        /// Of glibc before 2.3.3.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $kind),*) -> $result {
            // SAFETY: the caller's contract.
            real::$name().map_or(-1, |real| unsafe { real($($argument),*) })
        }
    )*};
}

old_versions! {
    timer_create_2_2_5(clock: i32, event: *mut c_void, to: *mut Name) -> i32;
    timer_settime_2_2_5(name: Name, flags: i32, new: *const Setting, old: *mut Setting) -> i32;
    timer_gettime_2_2_5(name: Name, to: *mut Setting) -> i32;
    timer_delete_2_2_5(name: Name) -> i32;
}

/// SYS_timer_create, SYS_timer_settime, SYS_timer_gettime and SYS_timer_delete.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_number(number: usize, arguments: [usize; 4]) -> isize {
    let [one, two, three, four] = arguments;
    let straight = || {
        // SAFETY: the kernel checks the pointers.
        unsafe { sys::syscall4(number, one, two, three, four) }
    };
    // SAFETY: where the kernel has written, so may we.
    unsafe {
        match number {
            nr::TIMER_SETTIME => match ours(one, two, three as *const Setting) {
                Some((entry, wanted)) => by_entry(entry, two, &wanted, four as *mut Setting, straight),
                None => straight(),
            },
            nr::TIMER_DELETE => {
                strike_out(one);
                straight()
            }
            nr::TIMER_GETTIME => {
                let result = straight();
                if result == 0
                    && let Some(left) = book::posix(one).and_then(timer::left)
                {
                    (two as *mut Setting).write(left);
                }
                result
            }
            _ => {
                let result = straight();
                if result == 0 && timer::is_ours(one as i32, ABSOLUTE) {
                    let number = *(three as *const i32);
                    write_down(number as usize, number, one as i32, Tells::of(two as *const c_void));
                }
                result
            }
        }
    }
}
