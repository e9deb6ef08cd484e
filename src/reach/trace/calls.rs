//! System calls made in a stopped thread's name.
//!
//! What must hold: from [`Calls::begin`] to its end no signal's handler runs in the thread; afterwards its registers and its signal
//! mask are what they were (but see [`rseq`]), whatever happened between, unless it was killed.
//! What breaks it: whoever kills this process meanwhile, which no blocked signal hinders; the calls that are made take some ten
//! microseconds each.
//!
//! *Why a step and not a pair of stops at the call's entry and exit*: a step's stop is where the thread returns to user mode, so
//! that a system call which was interrupted is begun again afterwards; and it takes half as long. *What it costs*: SIGTRAP is
//! sent to the thread, and of a program that ignores it the kernel would forget that it does; so it is refused.

use libc::c_long;
use nix::errno::Errno;

use super::request::{News, Registers};
use super::stopped::{Stopped, await_news, too_late};
use super::{gone, rseq};
use crate::raw::SignalSet;
use crate::{Error, HostInstant, Result};

/// In a stopped thread's orig_rax: it is in no system call that would have to be begun again.
const NO_CALL: u64 = u64::MAX;
/// PTRACE_O_SUSPEND_SECCOMP.
const SUSPEND_SECCOMP: i32 = 1 << 21;
const SIGTRAP_BIT: SignalSet = 1 << (libc::SIGTRAP - 1);

/// A stopped thread that makes system calls for its tracer. Dropping it puts everything back.
pub(crate) struct Calls<'a> {
    thread: &'a mut Stopped,
    at: u64,
    registers: Registers,
    mask: SignalSet,
    is_ended: bool,
}

impl<'a> Calls<'a> {
    pub(super) fn begin(thread: &'a mut Stopped, at: u64) -> Result<Calls<'a>> {
        let status = Status::judge(thread)?;
        let registers = rseq::led_out(thread.tid(), thread.registers()?);
        let mask = thread.signal_mask()?;
        if status.has_filter {
            suspend_seccomp(thread)?;
        }
        let calls = Calls { thread, at, registers, mask, is_ended: false };
        calls.thread.set_signal_mask(!SIGTRAP_BIT)?;
        Ok(calls)
    }

    /// Refuses a thread in whose name no calls can be made.
    pub(super) fn check(thread: &Stopped) -> Result<()> {
        if Status::judge(thread)?.has_filter {
            suspend_seccomp(thread)?;
            let _ = thread.reset_options();
        }
        Ok(())
    }

    /// Makes one: what the kernel has answered. The outer failure is one of tracing.
    pub(crate) fn call(&mut self, number: c_long, args: [u64; 6]) -> Result<std::result::Result<u64, Errno>> {
        let [rdi, rsi, rdx, r10, r8, r9] = args;
        let rax = number.cast_unsigned();
        let before =
            Registers { rip: self.at, rax, orig_rax: NO_CALL, rdi, rsi, rdx, r10, r8, r9, ..self.registers };
        self.thread.set_registers(&before)?;
        let after = self.step_over()?;
        Ok(match after.rax.cast_signed() {
            answer @ -4095..0 => Err(Errno::from_raw(i32::try_from(-answer).unwrap_or(0))),
            _ => Ok(after.rax),
        })
    }

    /// Runs the one instruction, whatever other stops come between: a process that is being stopped says so before.
    fn step_over(&self) -> Result<Registers> {
        const DOING: &str = "make a system call in the name";
        // Without a limit: until the call has returned, the thread's own registers are nowhere but here.
        let until = HostInstant::MAX;
        let mut signal = 0;
        loop {
            self.thread
                .go_on(libc::PTRACE_SINGLESTEP, signal)
                .map_err(|errno| self.thread.failed(DOING, errno))?;
            let news =
                await_news(self.thread.tid(), until).map_err(|errno| self.thread.failed(DOING, errno))?;
            signal = match news {
                Some(News::Stopped { signal, event: 0 }) if signal != libc::SIGTRAP => signal,
                Some(News::Stopped { .. }) => 0,
                Some(News::Ended) => return Err(gone(self.thread.process(), DOING)),
                None => return Err(too_late(self.thread.process(), self.thread.tid())),
            };
            let registers = self.thread.registers()?;
            if registers.rip != self.at {
                return Ok(registers);
            }
        }
    }

    /// The thread as it was before, or why that cannot be.
    pub(crate) fn end(mut self) -> Result<()> {
        self.put_back()
    }

    fn put_back(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.is_ended, true) {
            return Ok(());
        }
        let _ = self.thread.reset_options();
        let mask = self.thread.set_signal_mask(self.mask);
        self.thread.set_registers(&self.registers).and(mask)
    }
}

impl Drop for Calls<'_> {
    fn drop(&mut self) {
        let _ = self.put_back();
    }
}

/// What /proc says of a thread in whose name calls can be made.
struct Status {
    /// Whether it has a seccomp filter that would judge them.
    has_filter: bool,
}

impl Status {
    fn judge(thread: &Stopped) -> Result<Status> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", thread.tid()))
            .map_err(|_| gone(thread.process(), "read the state"))?;
        let ignored = SignalSet::from_str_radix(field(&text, "SigIgn:"), 16).unwrap_or(0);
        if ignored & SIGTRAP_BIT != 0 {
            return Err(Error::not_applied(
                format_args!("make system calls in process {}", thread.process()),
                "it ignores SIGTRAP, which each of them sends it, and would ignore it no more",
            ));
        }
        // What this thread lives with itself, and a process below it has from the same ancestor, lets such calls through.
        let mild = thread.mild_filters().saturating_add(own_filters());
        Ok(Status { has_filter: filters(&text) > mild })
    }
}

/// A field of /proc/PID/status; empty where there is none.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(name)).map_or("", str::trim)
}

/// How many seccomp filters there are. A kernel without seccomp has no such line, and one before 5.9 does not say how many.
fn filters(text: &str) -> u32 {
    match (field(text, "Seccomp:"), field(text, "Seccomp_filters:")) {
        ("" | "0", _) => 0,
        (_, count) => count.parse().unwrap_or(u32::MAX),
    }
}

/// How many filters a process has, or a thread, by its directory's name in /proc.
pub(crate) fn filters_of(task: &str) -> u32 {
    filters(&std::fs::read_to_string(format!("/proc/{task}/status")).unwrap_or_default())
}

/// The filters of the calling thread; none if that cannot be told.
fn own_filters() -> u32 {
    let text = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    Some(filters(&text)).filter(|filters| *filters != u32::MAX).unwrap_or(0)
}

fn suspend_seccomp(thread: &Stopped) -> Result<()> {
    thread.add_options(SUSPEND_SECCOMP).map_err(|errno| {
        Error::not_applied(
            format_args!("make system calls in process {}", thread.process()),
            format_args!(
                "it has a seccomp filter, which would judge them and cannot be suspended ({})",
                errno.desc()
            ),
        )
        .remedy("run falseticker as root (CAP_SYS_ADMIN), outside of any seccomp filter itself")
    })
}
