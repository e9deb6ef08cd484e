//! `connect`, of which a trap may be told first: so that a fault is in force before the connection goes on.
#![allow(unsafe_code)]
// Sound because the caller's arguments are passed on, and the address is read once the kernel has found it readable.

use core::ffi::c_void;

use super::errno;
use crate::sys::{self, errno::ENOSYS, nr};
use crate::trap;
use crate::wait::real;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// `sockaddr_in`: what the kernel asks for at least of an address of this family.
const SHORTEST_INET: u32 = 16;
/// `sockaddr_in6` without its scope.
const SHORTEST_INET6: u32 = 24;

/// `connect(2)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn connect(socket: i32, address: *const c_void, length: u32) -> i32 {
    let Some(real) = real::connect() else { return errno::result(-(ENOSYS as isize)) as i32 };
    hold_if_trapped(address as usize, length);
    // SAFETY: the caller's contract.
    unsafe { real(socket, address.cast_mut(), length) }
}

/// SYS_connect.
///
/// # Safety
/// As for the system call.
pub unsafe fn by_number([socket, address, length]: [usize; 3]) -> isize {
    hold_if_trapped(address, length as u32);
    // SAFETY: the kernel checks the pointer.
    unsafe { sys::syscall3(nr::CONNECT, socket, address, length) }
}

/// Holds the thread where a trap waits for connections to this address's port.
fn hold_if_trapped(address: usize, length: u32) {
    if let Some((page, trap, port)) = trap::armed_for_connect()
        && port_of(address, length) == Some(port)
    {
        trap::count(page, &trap);
    }
}

/// The port of an internet address; `None` for any other, and for what the kernel will refuse.
fn port_of(address: usize, length: u32) -> Option<u16> {
    if length < SHORTEST_INET || !sys::is_readable(address, SHORTEST_INET as usize) {
        return None;
    }
    // SAFETY: the kernel has just read there.
    let (family, port) = unsafe {
        let words = address as *const u16;
        (words.read_unaligned(), words.add(1).read_unaligned())
    };
    match family {
        AF_INET => Some(u16::from_be(port)),
        AF_INET6 if length >= SHORTEST_INET6 => Some(u16::from_be(port)),
        _ => None,
    }
}
