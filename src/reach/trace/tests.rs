use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use super::*;
use crate::process::{PidFd, ProcessId, Stillness, stillness};
use crate::{ErrorKind, HostInstant, host_clock};

/// A process that sleeps; killed when dropped.
struct Sleeper(Child);

impl Sleeper {
    fn start(seconds: &str) -> Sleeper {
        let child = Command::new("sleep").arg(seconds).stdout(Stdio::null()).spawn().unwrap();
        let sleeper = Sleeper(child);
        // Until the new program runs it is still this one, and then a moment long the dynamic linker.
        while !std::fs::read_to_string(format!("/proc/{}/syscall", sleeper.pid()))
            .is_ok_and(|call| call.starts_with("230 "))
        {
            std::thread::yield_now();
        }
        sleeper
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn id(&self) -> ProcessId {
        ProcessId::of(self.pid()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        PidFd::open(self.id()).unwrap().unwrap().signal(signal).unwrap();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes one system call in a process's name.
fn call(id: ProcessId, number: libc::c_long, args: [u64; 6]) -> Result<std::result::Result<u64, Errno>> {
    in_own_thread(|| {
        let mut process = StoppedProcess::stop(id)?;
        let vdso = Vdso::of(id.pid, process.memory())?;
        let (_, mut calls) = process.calls(vdso.syscall_instruction().unwrap())?;
        let answer = calls.call(number, args)?;
        calls.end()?;
        process.resume()?;
        Ok(answer)
    })
}

#[test]
fn a_call_is_made_in_the_name_of_a_process_and_its_sleep_goes_on() {
    let mut sleeper = Sleeper::start("0.3");
    let begun = host_clock::monotonic();
    assert_eq!(call(sleeper.id(), libc::SYS_getpid, [0; 6]).unwrap(), Ok(u64::from(sleeper.0.id())));
    assert_eq!(call(sleeper.id(), libc::SYS_close, [9999, 0, 0, 0, 0, 0]).unwrap(), Err(Errno::EBADF));
    assert!(sleeper.0.wait().unwrap().success());
    assert!(host_clock::monotonic().saturating_since(begun) > Span::from_millis(200));
}

#[test]
fn code_is_written_and_read_back() {
    let sleeper = Sleeper::start("60");
    let id = sleeper.id();
    in_own_thread(|| {
        let process = StoppedProcess::stop(id)?;
        let vdso = Vdso::of(id.pid, process.memory())?;
        let at = vdso.base() + vdso.image().unwrap().functions().next().unwrap().offset as u64;
        let mut before = [0; 5];
        process.memory().read(at, &mut before)?;
        process.memory().write(at, &[0xcc; 5])?;
        let mut now = [0; 5];
        process.memory().read(at, &mut now)?;
        assert_eq!(now, [0xcc; 5]);
        process.memory().write(at, &before)?;
        // As where /proc/PID/mem may not write to code: words, of which these bytes begin and end in the midst.
        let mut around = [0; 24];
        process.memory().read(at, &mut around)?;
        process.memory().poke(at + 3, &[0xcc; 13]).unwrap();
        let mut poked = [0; 24];
        process.memory().read(at, &mut poked)?;
        assert_eq!(
            (&poked[..3], &poked[3..16], &poked[16..]),
            (&around[..3], &[0xcc; 13][..], &around[16..])
        );
        process.memory().poke(at, &around).unwrap();
        assert!(process.memory().read(0, &mut now).unwrap_err().why().contains("not mapped"));
        process.resume().map(drop)
    })
    .unwrap();
}

#[test]
fn a_process_that_was_stopped_stays_so_and_one_that_ran_runs() {
    let sleeper = Sleeper::start("60");
    sleeper.signal(Signal::SIGSTOP);
    while !stillness(sleeper.id()).is_still() {
        std::thread::yield_now();
    }
    assert!(call(sleeper.id(), libc::SYS_getpid, [0; 6]).unwrap().is_ok());
    refuse_traced(sleeper.id()).unwrap();
    // The kernel wakes it to have it stop by itself, without a tracer.
    let until = host_clock::monotonic().saturating_add(Span::from_secs(5));
    while stillness(sleeper.id()) != (Stillness::Still { by_signal: true }) {
        assert!(host_clock::monotonic() < until, "it runs, though it was stopped");
        std::thread::yield_now();
    }
    sleeper.signal(Signal::SIGCONT);
    assert!(call(sleeper.id(), libc::SYS_getpid, [0; 6]).unwrap().is_ok());
    assert!(matches!(stillness(sleeper.id()), Stillness::Moving(_)));
}

#[test]
fn a_signal_that_comes_while_it_is_held_is_taken_afterwards() {
    let mut sleeper = Sleeper::start("60");
    let id = sleeper.id();
    in_own_thread(|| {
        let mut process = StoppedProcess::stop(id)?;
        let vdso = Vdso::of(id.pid, process.memory())?;
        sleeper.signal(Signal::SIGTERM);
        let (_, mut calls) = process.calls(vdso.syscall_instruction().unwrap())?;
        assert_eq!(calls.call(libc::SYS_getpid, [0; 6])?, Ok(id.pid.unsigned_abs().into()));
        calls.end()?;
        process.resume().map(drop)
    })
    .unwrap();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(sleeper.0.wait().unwrap().signal(), Some(libc::SIGTERM));
}

#[test]
fn one_that_is_killed_while_it_is_held_is_said_to_have_ended() {
    let sleeper = Sleeper::start("60");
    let id = sleeper.id();
    let error = in_own_thread(|| {
        let mut process = StoppedProcess::stop(id)?;
        let vdso = Vdso::of(id.pid, process.memory())?;
        let (_, mut calls) = process.calls(vdso.syscall_instruction().unwrap())?;
        sleeper.signal(Signal::SIGKILL);
        calls.call(libc::SYS_getpid, [0; 6]).map(drop)
    })
    .unwrap_err();
    assert!(error.why().contains("has ended meanwhile"), "{error}");
    let handle = PidFd::open(id).unwrap();
    assert!(handle.is_none_or(|handle| handle.wait_exit(HostInstant::MAX).unwrap()));
}

#[test]
fn whoever_cannot_be_traced_is_refused_with_the_reason() {
    let sleeper = Sleeper::start("60");
    let own = i32::try_from(std::process::id()).unwrap();
    for (pid, kind, why) in [
        (0, ErrorKind::BadInput, "no such process"),
        (i32::MAX, ErrorKind::BadInput, "no such process"),
        (own, ErrorKind::BadInput, "falseticker itself"),
        (
            nix::unistd::gettid().as_raw(),
            ErrorKind::BadInput,
            if own == nix::unistd::gettid().as_raw() { "itself" } else { "a thread of process" },
        ),
    ] {
        let error = admit(pid).unwrap_err();
        assert_eq!(error.kind(), kind, "{pid}");
        assert!(error.why().contains(why), "{pid}: {error}");
    }
    let id = admit(sleeper.pid()).unwrap();
    in_own_thread(|| {
        let process = StoppedProcess::stop(id)?;
        let error = refuse_traced(id).unwrap_err();
        assert!(error.why().contains("traces it already"), "{error}");
        process.resume().map(drop)
    })
    .unwrap();
}

#[test]
fn an_ended_child_is_refused() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let handle = PidFd::open(ProcessId::of(pid).unwrap()).unwrap().unwrap();
    assert!(handle.wait_exit(HostInstant::MAX).unwrap());
    assert!(admit(pid).unwrap_err().why().contains("has ended"));
    child.wait().unwrap();
}
