//! The fork hook: a handler of libc's own list, so that `daemon`, `forkpty` and whatever else forks inside libc run it.
#![allow(unsafe_code)]
// Sound because the handler is async-signal-safe, and is registered by the function that libc has for it.

use core::ffi::c_void;

use super::{next, seat};

extern "C" fn in_child() {
    seat::leave();
}

/// Registers the hook: `pthread_atfork` in musl; in glibc, where that name is in no shared library, what it calls.
pub fn watch() {
    type Atfork = unsafe extern "C" fn(*const c_void, *const c_void, extern "C" fn()) -> i32;
    type Register = unsafe extern "C" fn(*const c_void, *const c_void, extern "C" fn(), *const c_void) -> i32;
    let none = core::ptr::null();
    // SAFETY: the functions found have these types; before the program's own constructors they take no lock that is
    // held and, for the first handler, allocate nothing outside of libc.
    unsafe {
        let register: Option<Register> = core::mem::transmute(next::find(c"__register_atfork"));
        if let Some(register) = register {
            register(none, none, in_child, none);
            return;
        }
        let atfork: Option<Atfork> = core::mem::transmute(next::find(c"pthread_atfork"));
        if let Some(atfork) = atfork {
            atfork(none, none, in_child);
        }
    }
}
