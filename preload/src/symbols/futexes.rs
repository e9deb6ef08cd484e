//! Futexes by `syscall()`: Rust's and libstdc++'s waits, and whoever builds locks of their own.
//!
//! What must hold: after a wait that was woken, for whatever reason, the program looks itself; a wait that ends too early ends as
//! if woken. A lock that the kernel hands over is taken again, since a slice that ends has taken nothing.
#![allow(unsafe_code)]
// Sound because the kernel gets the caller's arguments, with another deadline that can be read for as long as the process lives.

use falseticker_page::layout::Clock;

use crate::abi::{Timespec, clock};
use crate::sys::{
    self,
    errno::{EAGAIN, ETIMEDOUT},
    futex,
};
use crate::wait::{
    self, Early, Measure, Object, Wait,
    relative::{self, Relative},
};

/// What a call returns when the time is up.
const TIMED_OUT: isize = -(ETIMEDOUT as isize);

/// SYS_futex.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_number(arguments: [usize; 6]) -> isize {
    let [word, operation, value, until, second, third] = arguments;
    let real = |until: *const Timespec| {
        // SAFETY: the caller's contract.
        unsafe { sys::syscall6(sys::nr::FUTEX, word, operation, value, until as usize, second, third) }
    };
    let command = operation & futex::COMMAND;
    // With any other flag the kernel does not know it.
    if operation as u32 as usize & !futex::PRIVATE == futex::WAIT && relative::is_affected() {
        // SAFETY: the caller's contract.
        return unsafe { for_a_while(word, operation, value, until) };
    }
    let id = match operation & futex::CLOCK_REALTIME {
        _ if command == futex::LOCK_PI => clock::REALTIME,
        0 => clock::MONOTONIC,
        _ => clock::REALTIME,
    };
    let within_reach = Object::shared(word, 4);
    let (early, object, spurious) = match command {
        futex::WAIT_BITSET => (Early::Spurious, within_reach, 0),
        futex::LOCK_PI | futex::LOCK_PI2 => (Early::Again, Object::BEYOND_REACH, 0),
        // Not 0, which would say that the lock is held.
        futex::WAIT_REQUEUE_PI => (Early::Spurious, Object::BEYOND_REACH, -(EAGAIN as isize)),
        _ => return real(until as *const Timespec),
    };
    // SAFETY: the caller's contract.
    unsafe { wait(id, until as *const Timespec, early, object, spurious, real) }
}

/// SYS_futex_waitv. Its first word is the one by which it is woken.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_waitv(arguments: [usize; 5]) -> isize {
    let [waiters, count, flags, until, id] = arguments;
    let real = |until: *const Timespec| {
        // SAFETY: the caller's contract.
        unsafe { sys::syscall5(sys::nr::FUTEX_WAITV, waiters, count, flags, until as usize, id) }
    };
    // `struct futex_waitv`: a value, an address, flags. Both words are read, if they can be.
    if count == 0 || !sys::is_readable(waiters, size_of::<Timespec>()) || id > clock::MONOTONIC as usize {
        return real(until as *const Timespec);
    }
    // SAFETY: the kernel has just read there.
    let word = unsafe { (waiters as *const u64).add(1).read_volatile() };
    let object = Object::shared(word as usize, 4);
    // SAFETY: the caller's contract.
    unsafe { wait(id as i32, until as *const Timespec, Early::Spurious, object, 0, real) }
}

/// FUTEX_WAIT, whose time is a length. Given as an instant to the other call that does the same, it can be moved.
unsafe fn for_a_while(word: usize, operation: usize, value: usize, length: usize) -> isize {
    // SAFETY: the kernel checks the pointers; the length is read once it has.
    unsafe {
        let straight = || sys::syscall4(sys::nr::FUTEX, word, operation, value, length);
        if length == 0 || !sys::is_readable(length, size_of::<Timespec>()) {
            return straight();
        }
        let span = relative::span((length as *const Timespec).read());
        let Some(wait) = span.and_then(|span| Relative::begin(Clock::Mono, span)) else { return straight() };
        let operation = futex::WAIT_BITSET | operation & futex::PRIVATE;
        let object = Object::shared(word, 4);
        wait.on_object(object, |until| {
            sys::syscall6(sys::nr::FUTEX, word, operation, value, until as usize, 0, futex::ANY)
        })
    }
}

unsafe fn wait(
    id: i32,
    until: *const Timespec,
    early: Early,
    object: Object,
    spurious: isize,
    real: impl Fn(*const Timespec) -> isize,
) -> isize {
    if until.is_null() || !sys::is_readable(until as usize, size_of::<Timespec>()) {
        return real(until);
    }
    // SAFETY: the kernel has just read there.
    let Some((page, deadline)) = (unsafe { wait::deadline(id, until) }) else { return real(until) };
    let measure = Measure::Host(id);
    Wait { deadline, measure, early, object }.run(page, real, |result| result == TIMED_OUT, spurious)
}
