//! The filter by which execs are followed: it asks a listener about execve and execveat, and lets everything else through.
//!
//! What must hold: each way of executing is seen, also by the 32-bit calls that a 64-bit program may make and a 32-bit one makes;
//! nothing else costs more than the look at a number. It stays for good, and children inherit it: the kernel has no way to take a
//! filter off, so the listener must live as long as they do, or their execs fail with ENOSYS.
//!
//! *Why not ptrace*: it costs each thread and each signal of the node, and takes the one tracer that a process can have.
//!
//! Source: seccomp(2), seccomp_unotify(2), the kernel's `arch/x86/entry/syscalls/`.
#![expect(unsafe_code, reason = "the kernel reads a program of BPF that lives")]

use std::os::fd::{FromRawFd, OwnedFd};

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};
use nix::errno::Errno;
use nix::sys::prctl;

use crate::raw;

/// The calls that execute, by architecture: how seccomp names it, and their numbers.
#[cfg(target_arch = "x86_64")]
const EXECUTES: [(u32, &[u32]); 2] = [
    // AUDIT_ARCH_X86_64: execve, execveat, and both of the x32 interface.
    (0xc000_003e, &[59, 322, 0x4000_0000 + 520, 0x4000_0000 + 545]),
    // AUDIT_ARCH_I386.
    (0x4000_0003, &[11, 358]),
];
#[cfg(not(target_arch = "x86_64"))]
compile_error!("this processor's system calls that execute are to be said here");

/// Where `struct seccomp_data` has them.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const SECCOMP_SET_MODE_FILTER: usize = 1;
const NEW_LISTENER: usize = 1 << 3;
/// A call that a listener has taken is not interrupted by a signal; since Linux 5.19.
const WAIT_KILLABLE: usize = 1 << 5;

/// Why there is no filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotInstalled(pub Errno);

/// Puts the filter on this process, and on all that it becomes and begets; the listener's end. A process without
/// CAP_SYS_ADMIN has to give up gaining privileges by exec (no_new_privs) for it, and does so only if it `may`.
pub(crate) fn install(may: bool) -> Result<OwnedFd, NotInstalled> {
    let program = program();
    let set = || match set(&program, NEW_LISTENER | WAIT_KILLABLE) {
        Err(Errno::EINVAL) => set(&program, NEW_LISTENER),
        done => done,
    };
    match set() {
        Err(Errno::EACCES) if may => prctl::set_no_new_privs().and_then(|()| set()),
        done => done,
    }
    .map_err(NotInstalled)
}

fn set(program: &[sock_filter], flags: usize) -> Result<OwnedFd, Errno> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel reads a live program of that length. A descriptor that comes back is new, and nobody else's.
    unsafe {
        let args = [SECCOMP_SET_MODE_FILTER, flags, &raw const program as usize, 0, 0, 0];
        let fd = raw::syscall(libc::SYS_seccomp, args)?;
        Ok(OwnedFd::from_raw_fd(i32::try_from(fd).map_err(|_| Errno::EBADF)?))
    }
}

/// For each architecture: if it is this one, look the number up, and ask or allow; else go on with the next.
fn program() -> Vec<sock_filter> {
    let load = |at: u32| statement(BPF_LD | BPF_W | BPF_ABS, at);
    let mut program = vec![load(ARCHITECTURE)];
    for (architecture, numbers) in EXECUTES {
        // Over the load, the numbers and the two ends.
        let block = u8::try_from(numbers.len() + 3).unwrap_or(u8::MAX);
        program.push(jump(architecture, 0, block));
        program.push(load(NUMBER));
        for (index, number) in numbers.iter().enumerate() {
            let to_ask = u8::try_from(numbers.len() - index).unwrap_or(u8::MAX);
            program.push(jump(*number, to_ask, 0));
        }
        program.push(statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW));
        program.push(statement(BPF_RET | BPF_K, libc::SECCOMP_RET_USER_NOTIF));
    }
    program.push(statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW));
    program
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or(0), jt: 0, jf: 0, k }
}

fn jump(k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: u16::try_from(BPF_JMP | BPF_JEQ | BPF_K).unwrap_or(0), jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program answers, as the kernel would run it.
    fn answer(architecture: u32, number: u32) -> u32 {
        let program = program();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = &program[at];
            at += 1;
            match u32::from(step.code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => {
                    loaded = if step.k == NUMBER { number } else { architecture };
                }
                code if code == BPF_JMP | BPF_JEQ | BPF_K => {
                    at += usize::from(if loaded == step.k { step.jt } else { step.jf });
                }
                _ => return step.k,
            }
        }
    }

    #[test]
    fn each_way_of_executing_is_asked_about_and_nothing_else() {
        for (architecture, numbers) in EXECUTES {
            for number in (0..600).chain(0x4000_0000..0x4000_0258) {
                let asked = answer(architecture, number) == libc::SECCOMP_RET_USER_NOTIF;
                assert_eq!(asked, numbers.contains(&number), "{architecture:#x} {number:#x}");
            }
        }
        assert_eq!(answer(0xc000_00b7, 59), libc::SECCOMP_RET_ALLOW, "another processor's");
    }
}
