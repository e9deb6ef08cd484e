//! Libc's own functions behind the names that are taken over, found once.
//!
//! What must hold: at load all are looked for, before any thread exists that could open or close libraries; one that was not
//! there then (an old libpthread that comes later) is looked for again when it is called.
#![allow(unsafe_code)]
// Sound because each function has the type that the C library's headers give it.

use core::ffi::c_void;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::abi::{Timespec, Timeval};
use crate::load::next;
use crate::timer::kernel::Setting;

/// Not found at load.
const MISSING: usize = 1;

/// The address that `slot` holds, or that `find` finds for it.
#[inline(always)]
fn resolve(slot: &AtomicUsize, find: fn() -> usize) -> Option<usize> {
    match slot.load(Ordering::Relaxed) {
        known if known > MISSING => Some(known),
        _ => look_for(slot, find),
    }
}

/// Apart, so that whoever calls it needs no room on its stack for what is done once.
#[cold]
#[inline(never)]
fn look_for(slot: &AtomicUsize, find: fn() -> usize) -> Option<usize> {
    let found = find();
    slot.store(if found == 0 { MISSING } else { found }, Ordering::Relaxed);
    (found != 0).then_some(found)
}

macro_rules! functions {
    ($($name:ident = $symbol:literal $(of $version:literal)?, ($($argument:ty),*) -> $result:ty;)*) => {
        $(
            #[doc = concat!("The real `", $symbol, "`.")]
            #[inline]
            pub fn $name() -> Option<unsafe extern "C" fn($($argument),*) -> $result> {
                static SLOT: AtomicUsize = AtomicUsize::new(0);
                let find = || functions!(@find $symbol $($version)?);
                // SAFETY: the function of this name has this type.
                resolve(&SLOT, find).map(|address| unsafe { core::mem::transmute(address) })
            }
        )*

        /// Looks for all of them.
        pub fn find_all() {
            $(let _ = $name();)*
        }
    };
    (@find $symbol:literal) => {
        next::find(const { as_c(concat!($symbol, "\0")) })
    };
    (@find $symbol:literal $version:literal) => {
        next::find_version(const { as_c(concat!($symbol, "\0")) }, const { as_c(concat!($version, "\0")) })
    };
}

const fn as_c(text: &'static str) -> &'static core::ffi::CStr {
    match core::ffi::CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}

/// A condition, a mutex, a lock, a semaphore: libc's business.
type Object = *mut c_void;
type Until = *const Timespec;
type Set = *mut u64;

functions! {
    pthread_cond_timedwait = "pthread_cond_timedwait", (Object, Object, Until) -> i32;
    pthread_cond_timedwait_2_2_5 = "pthread_cond_timedwait" of "GLIBC_2.2.5", (Object, Object, Until) -> i32;
    pthread_cond_clockwait = "pthread_cond_clockwait", (Object, Object, i32, Until) -> i32;
    cnd_timedwait = "cnd_timedwait", (Object, Object, Until) -> i32;
    pthread_cond_init = "pthread_cond_init", (Object, Object) -> i32;
    pthread_condattr_init = "pthread_condattr_init", (Object) -> i32;
    pthread_condattr_setclock = "pthread_condattr_setclock", (Object, i32) -> i32;

    pthread_mutex_timedlock = "pthread_mutex_timedlock", (Object, Until) -> i32;
    pthread_mutex_clocklock = "pthread_mutex_clocklock", (Object, i32, Until) -> i32;
    pthread_mutex_trylock = "pthread_mutex_trylock", (Object) -> i32;
    pthread_mutex_unlock = "pthread_mutex_unlock", (Object) -> i32;
    pthread_mutex_init = "pthread_mutex_init", (Object, Object) -> i32;
    pthread_mutexattr_init = "pthread_mutexattr_init", (Object) -> i32;
    pthread_mutexattr_setprotocol = "pthread_mutexattr_setprotocol", (Object, i32) -> i32;
    mtx_timedlock = "mtx_timedlock", (Object, Until) -> i32;
    mtx_trylock = "mtx_trylock", (Object) -> i32;

    pthread_rwlock_timedrdlock = "pthread_rwlock_timedrdlock", (Object, Until) -> i32;
    pthread_rwlock_timedwrlock = "pthread_rwlock_timedwrlock", (Object, Until) -> i32;
    pthread_rwlock_clockrdlock = "pthread_rwlock_clockrdlock", (Object, i32, Until) -> i32;
    pthread_rwlock_clockwrlock = "pthread_rwlock_clockwrlock", (Object, i32, Until) -> i32;
    pthread_rwlock_trywrlock = "pthread_rwlock_trywrlock", (Object) -> i32;
    pthread_rwlock_tryrdlock = "pthread_rwlock_tryrdlock", (Object) -> i32;
    pthread_rwlock_unlock = "pthread_rwlock_unlock", (Object) -> i32;

    sem_timedwait = "sem_timedwait", (Object, Until) -> i32;
    sem_clockwait = "sem_clockwait", (Object, i32, Until) -> i32;
    sem_trywait = "sem_trywait", (Object) -> i32;

    pthread_timedjoin_np = "pthread_timedjoin_np", (usize, *mut Object, Until) -> i32;
    pthread_clockjoin_np = "pthread_clockjoin_np", (usize, *mut Object, i32, Until) -> i32;
    pthread_testcancel = "pthread_testcancel", () -> ();

    mq_timedsend = "mq_timedsend", (i32, *const u8, usize, u32, Until) -> i32;
    mq_timedreceive = "mq_timedreceive", (i32, *mut u8, usize, *mut u32, Until) -> isize;
    clock_nanosleep = "clock_nanosleep", (i32, i32, Until, *mut Timespec) -> i32;
    nanosleep = "nanosleep", (Until, *mut Timespec) -> i32;
    usleep = "usleep", (u32) -> i32;
    sleep = "sleep", (u32) -> u32;
    thrd_sleep = "thrd_sleep", (Until, *mut Timespec) -> i32;

    ppoll = "ppoll", (Object, u64, Until, Object) -> i32;
    poll = "poll", (Object, u64, i32) -> i32;
    __poll_chk = "__poll_chk", (Object, u64, i32, usize) -> i32;
    __ppoll_chk = "__ppoll_chk", (Object, u64, Until, Object, usize) -> i32;
    select = "select", (i32, Set, Set, Set, *mut Timeval) -> i32;
    pselect = "pselect", (i32, Set, Set, Set, Until, Object) -> i32;
    epoll_wait = "epoll_wait", (i32, Object, i32, i32) -> i32;
    epoll_pwait = "epoll_pwait", (i32, Object, i32, i32, Object) -> i32;
    epoll_pwait2 = "epoll_pwait2", (i32, Object, i32, Until, Object) -> i32;
    sigtimedwait = "sigtimedwait", (Object, Object, Until) -> i32;
    semtimedop = "semtimedop", (i32, Object, usize, Until) -> i32;
    recvmmsg = "recvmmsg", (i32, Object, u32, i32, *mut Timespec) -> i32;
    timerfd_create = "timerfd_create", (i32, i32) -> i32;
    timer_create = "timer_create", (i32, Object, *mut usize) -> i32;
    timer_settime = "timer_settime", (usize, i32, *const Setting, *mut Setting) -> i32;
    timer_gettime = "timer_gettime", (usize, *mut Setting) -> i32;
    timer_delete = "timer_delete", (usize) -> i32;
    timer_create_2_2_5 = "timer_create" of "GLIBC_2.2.5", (i32, Object, *mut usize) -> i32;
    timer_settime_2_2_5 = "timer_settime" of "GLIBC_2.2.5", (usize, i32, *const Setting, *mut Setting) -> i32;
    timer_gettime_2_2_5 = "timer_gettime" of "GLIBC_2.2.5", (usize, *mut Setting) -> i32;
    timer_delete_2_2_5 = "timer_delete" of "GLIBC_2.2.5", (usize) -> i32;

    connect = "connect", (i32, Object, u32) -> i32;
    dup = "dup", (i32) -> i32;
    dup2 = "dup2", (i32, i32) -> i32;
    dup3 = "dup3", (i32, i32, i32) -> i32;
    fcntl = "fcntl", (i32, i32, usize) -> i32;
    read = "read", (i32, Object, usize) -> isize;
    __read_chk = "__read_chk", (i32, Object, usize, usize) -> isize;
    gnu_get_libc_version = "gnu_get_libc_version", () -> usize;
}
