//! `pthread_mutex_timedlock`, `pthread_rwlock_timedrdlock` and their kin.
//!
//! A lock that is free is taken first, without a look at the deadline: so they do themselves. A mutex that hands on priority is
//! the kernel's lock, where a waiter cannot be woken without getting it: those waits go in slices.
#![allow(unsafe_code)]
// Sound because each function hands the caller's pointers to its namesake.

use core::ffi::c_void;

use crate::abi::{Timespec, clock};
use crate::sys::errno::{ENOSYS, ETIMEDOUT};
use crate::wait::{self, Early, Family, Measure, Object, Wait, libc, real};

type Lock = *mut c_void;
type Function = unsafe extern "C" fn(Lock) -> i32;

/// The sizes of a mutex and of a lock for readers and a writer in glibc and musl.
const MUTEX: usize = 40;
const READERS_AND_WRITER: usize = 56;
/// `EBUSY`
const EBUSY: i32 = 16;
/// `thrd_busy`, `thrd_error` and `thrd_timedout` of C11 threads.
const THRD_BUSY: i32 = 1;
const THRD_ERROR: i32 = 2;
const THRD_TIMEDOUT: i32 = 4;

/// A lock: what it is, and what its functions return.
struct Kind {
    family: Family,
    length: usize,
    busy: i32,
    end: i32,
}

const PLAIN: Kind = Kind { family: Family::Mutex, length: MUTEX, busy: EBUSY, end: ETIMEDOUT };
const C11: Kind = Kind { busy: THRD_BUSY, end: THRD_TIMEDOUT, ..PLAIN };
const SHARED: Kind = Kind { family: Family::Lock, length: READERS_AND_WRITER, ..PLAIN };

/// Takes the lock by `attempt` if it is free, and else by `real`.
///
/// # Safety
/// As for the function that `real` calls.
#[inline(always)]
unsafe fn take(
    kind: &Kind,
    lock: Lock,
    id: i32,
    until: *const Timespec,
    attempt: Option<Function>,
    real: impl Fn(*const Timespec) -> i32,
) -> i32 {
    // SAFETY: the caller's contract.
    unsafe {
        let Some(given) = wait::given(id, until) else { return real(until) };
        if let Some(attempt) = attempt {
            let result = attempt(lock);
            if result != kind.busy {
                return result;
            }
        }
        let Some((page, deadline)) = given.begin() else { return real(until) };
        let (object, measure) = if matches!(kind.family, Family::Mutex) && libc::inherits_priority(lock) {
            // The kernel refuses whoever holds it already; then musl waits by its own measure until the time is up.
            let own = libc::holds_in_musl(lock);
            (Object::BEYOND_REACH, if own { libc::measure(kind.family, id) } else { Measure::Host(id) })
        } else {
            let object = Object::shared(lock as usize, kind.length);
            (object, libc::measure(kind.family, id))
        };
        Wait { deadline, measure, early: Early::Again, object }.run(
            page,
            real,
            |result| result == kind.end,
            0,
        )
    }
}

/// Functions with a deadline on CLOCK_REALTIME.
macro_rules! timed {
    ($($name:ident: $kind:ident, $attempt:ident, $missing:expr;)*) => {$(
        #[doc = concat!("`", stringify!($name), "(3)`.")]
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(lock: Lock, until: *const Timespec) -> i32 {
            let Some(real) = real::$name() else { return $missing };
            // SAFETY: the caller's contract.
            unsafe { take(&$kind, lock, clock::REALTIME, until, real::$attempt(), |until| real(lock, until)) }
        }
    )*};
}

timed! {
    pthread_mutex_timedlock: PLAIN, pthread_mutex_trylock, ENOSYS;
    mtx_timedlock: C11, mtx_trylock, THRD_ERROR;
    pthread_rwlock_timedrdlock: SHARED, pthread_rwlock_tryrdlock, ENOSYS;
    pthread_rwlock_timedwrlock: SHARED, pthread_rwlock_trywrlock, ENOSYS;
}

/// Functions with a deadline on a clock of the caller's choice.
macro_rules! clocked {
    ($($name:ident: $kind:ident, $attempt:ident;)*) => {$(
        #[doc = concat!("`", stringify!($name), "(3)`.")]
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(lock: Lock, id: i32, until: *const Timespec) -> i32 {
            let Some(real) = real::$name() else { return ENOSYS };
            // SAFETY: the caller's contract.
            unsafe {
                if !matches!(id, clock::REALTIME | clock::MONOTONIC) {
                    return real(lock, id, until);
                }
                take(&$kind, lock, id, until, real::$attempt(), |until| real(lock, id, until))
            }
        }
    )*};
}

clocked! {
    pthread_mutex_clocklock: PLAIN, pthread_mutex_trylock;
    pthread_rwlock_clockrdlock: SHARED, pthread_rwlock_tryrdlock;
    pthread_rwlock_clockwrlock: SHARED, pthread_rwlock_trywrlock;
}
