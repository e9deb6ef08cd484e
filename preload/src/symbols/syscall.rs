//! The raw system calls that tell or set the time, or wait for it, and `connect`. (The function `syscall` itself is the processor's, in `arch`.)
#![allow(unsafe_code)]
// Sound because the caller's contract is the system call's.

use super::{
    alarms, connects, descriptors, epolls, errno, futexes, pends, polls, reads, selects, sleeps, timerfds,
    timers,
};
use crate::setting;
use crate::sys::nr;

/// The calls that are about time.
///
/// # Safety
/// As for the system call.
pub unsafe extern "C" fn hooked(
    number: usize,
    one: usize,
    two: usize,
    three: usize,
    four: usize,
    five: usize,
    six: usize,
) -> isize {
    // SAFETY: the caller's contract.
    errno::result(unsafe {
        match number {
            nr::FUTEX => futexes::by_number([one, two, three, four, five, six]),
            nr::FUTEX_WAITV => futexes::by_waitv([one, two, three, four, five]),
            nr::READ => descriptors::by_read(one, two, three),
            nr::CONNECT => connects::by_number([one, two, three]),
            nr::DUP | nr::DUP2 | nr::DUP3 | nr::FCNTL => descriptors::by_number(number, [one, two, three]),
            nr::TIMERFD_CREATE => timerfds::by_create(one, two),
            nr::TIMERFD_SETTIME => timerfds::by_settime([one, two, three, four]),
            nr::TIMERFD_GETTIME => timerfds::by_gettime(one, two),
            nr::TIMER_CREATE | nr::TIMER_SETTIME | nr::TIMER_GETTIME | nr::TIMER_DELETE => {
                timers::by_number(number, [one, two, three, four])
            }
            nr::SETITIMER => alarms::by_set(one, two, three),
            nr::GETITIMER => alarms::by_get(one, two),
            nr::ALARM => alarms::by_alarm(one),
            nr::NANOSLEEP => sleeps::by_nanosleep(one, two),
            nr::POLL => polls::by_poll([one, two, three]),
            nr::PPOLL => polls::by_ppoll([one, two, three, four, five]),
            nr::SELECT | nr::PSELECT6 => selects::by_number(number, [one, two, three, four, five, six]),
            nr::EPOLL_WAIT | nr::EPOLL_PWAIT => epolls::by_millis(number, [one, two, three, four, five, six]),
            nr::EPOLL_PWAIT2 => epolls::by_timespec([one, two, three, four, five, six]),
            nr::RT_SIGTIMEDWAIT => pends::by_sigtimedwait([one, two, three, four]),
            nr::SEMTIMEDOP => pends::by_semtimedop([one, two, three, four]),
            nr::RECVMMSG => pends::by_recvmmsg([one, two, three, four, five]),
            nr::CLOCK_NANOSLEEP => sleeps::by_number([one, two, three, four]),
            nr::ADJTIMEX => setting::adjtimex(one as *mut _),
            nr::CLOCK_ADJTIME => setting::clock_adjtime(one as i32, two as *mut _),
            nr::CLOCK_SETTIME => setting::clock_settime(one as i32, two as *const _),
            nr::SETTIMEOFDAY => setting::settimeofday(one as *const _, two as *const _),
            _ => reads::by_number(number, one, two),
        }
    })
}

/// What libc makes of an error.
pub extern "C" fn failed(kernel: isize) -> isize {
    errno::result(kernel)
}
