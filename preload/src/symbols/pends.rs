//! `sigtimedwait`, `semtimedop` and `recvmmsg`: for a length of time, where the node's monotonic clock may be faulted.
#![allow(unsafe_code)]
// Sound because each function hands the caller's pointers to its namesake, with a timespec of its own.

use core::ffi::c_void;

use super::errno;
use super::polls::{of_timespec, with_remainder};
use crate::abi::Timespec;
use crate::sys::{
    self,
    errno::{EAGAIN, ENOSYS},
    nr,
};
use crate::wait::{real, relative};

fn missing() -> i32 {
    errno::result(-(ENOSYS as isize)) as i32
}

/// Whether a call says that its time is up: these say EAGAIN.
fn is_timeout(result: i32) -> bool {
    result == -1 && errno::get() == EAGAIN
}

fn is_timeout_by_number(result: isize) -> bool {
    result == -(EAGAIN as isize)
}

/// `sigtimedwait(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigtimedwait(set: *mut c_void, info: *mut c_void, length: *const Timespec) -> i32 {
    let Some(real) = real::sigtimedwait() else { return missing() };
    // SAFETY: everywhere the caller's contract.
    unsafe {
        match of_timespec(length) {
            Some(wait) => wait.run(|left| real(set, info, left), is_timeout, -1),
            None => real(set, info, length),
        }
    }
}

/// `struct sembuf`.
#[repr(C)]
struct Operation {
    number: u16,
    change: i16,
    flags: i16,
}

/// Whether one of the operations waits for nothing, so that EAGAIN says nothing of the time.
unsafe fn is_impatient(operations: *const Operation, count: usize) -> bool {
    const IPC_NOWAIT: i16 = 0o4000;
    // SAFETY: the caller says that there are so many.
    (0..count).any(|index| unsafe { (*operations.add(index)).flags } & IPC_NOWAIT != 0)
}

/// `semtimedop(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn semtimedop(
    set: i32,
    operations: *mut c_void,
    count: usize,
    length: *const Timespec,
) -> i32 {
    let Some(real) = real::semtimedop() else { return missing() };
    // SAFETY: everywhere the caller's contract.
    unsafe {
        match of_timespec(length) {
            Some(wait) if !is_impatient(operations.cast(), count) => {
                wait.run(|left| real(set, operations, count, left), is_timeout, -1)
            }
            _ => real(set, operations, count, length),
        }
    }
}

/// `recvmmsg(2)`. The kernel looks at the time after each message, and at nothing else, so neither does this.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn recvmmsg(
    socket: i32,
    messages: *mut c_void,
    room: u32,
    flags: i32,
    length: *mut Timespec,
) -> i32 {
    let Some(real) = real::recvmmsg() else { return missing() };
    // SAFETY: everywhere the caller's contract.
    unsafe {
        let Some(wait) = of_timespec(length) else { return real(socket, messages, room, flags, length) };
        let mut copy = wait.on_host();
        let result = real(socket, messages, room, flags, &raw mut copy);
        length.write(wait.left());
        result
    }
}

/// SYS_rt_sigtimedwait.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_sigtimedwait([set, info, length, size]: [usize; 4]) -> isize {
    // SAFETY: the kernel checks the pointers.
    unsafe {
        let call = |length: usize| sys::syscall4(nr::RT_SIGTIMEDWAIT, set, info, length, size);
        let readable = relative::is_affected() && sys::is_readable(length, size_of::<Timespec>());
        match readable.then(|| of_timespec(length as *const Timespec)).flatten() {
            Some(wait) => wait.run(|left| call(core::ptr::from_ref(left) as usize), is_timeout_by_number, 0),
            None => call(length),
        }
    }
}

/// SYS_semtimedop.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_semtimedop([set, operations, count, length]: [usize; 4]) -> isize {
    /// The most that the kernel takes (`SEMOPM`), within a page or two.
    const MOST: usize = 500;
    // SAFETY: the kernel checks the pointers.
    unsafe {
        let call = |length: usize| sys::syscall4(nr::SEMTIMEDOP, set, operations, count, length);
        let readable = relative::is_affected()
            && sys::is_readable(length, size_of::<Timespec>())
            && (1..=MOST).contains(&count)
            && sys::is_readable(operations, (count * size_of::<Operation>()).max(8));
        match readable.then(|| of_timespec(length as *const Timespec)).flatten() {
            Some(wait) if !is_impatient(operations as *const Operation, count) => {
                wait.run(|left| call(core::ptr::from_ref(left) as usize), is_timeout_by_number, 0)
            }
            _ => call(length),
        }
    }
}

/// SYS_recvmmsg.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_recvmmsg([socket, messages, room, flags, length]: [usize; 5]) -> isize {
    // SAFETY: the kernel checks the pointers.
    unsafe {
        let call = |length| sys::syscall5(nr::RECVMMSG, socket, messages, room, flags, length);
        // Never begun again: what it received is written already.
        with_remainder(length, call, |_| false)
    }
}
