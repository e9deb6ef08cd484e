//! `--on-command CMD`: a shell command succeeds ("is this node the leader?").
//!
//! What must hold: never two of them at a time; the command runs by the host's clock, in no node; it goes with its whole
//! process group when the trigger is dropped, and its shell when this process is killed; its end is noticed at once.
#![expect(unsafe_code, reason = "what a child does between fork and exec")]

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{Fired, Trigger};
use crate::error::{Error, Result};
use crate::node::preload_env::without_shim;
use crate::process::{PidFd, ProcessId};
use crate::{HostInstant, Span, host_clock, raw};

/// How long from one start to the next, unless it is said.
pub const POLL: Span = Span::from_millis(100);

/// A command that is to succeed.
#[derive(Debug)]
pub struct OnCommand {
    command: String,
    poll: Span,
    dir: Option<PathBuf>,
    running: Option<Running>,
    next: HostInstant,
    tries: u64,
}

#[derive(Debug)]
struct Running {
    child: Child,
    handle: Option<PidFd>,
    /// Whether it has been waited for.
    ended: bool,
}

impl OnCommand {
    /// `sh -c command`, begun every `poll`, or when the one before it has ended if that takes longer.
    pub fn prepare(command: &str, poll: Span) -> Result<Self> {
        let attempted = format!("wait for command '{command}'");
        if command.trim().is_empty() {
            return Err(Error::bad_input(attempted, "it is empty, and an empty command always succeeds"));
        }
        if command.contains('\0') {
            return Err(Error::bad_input(attempted, "it has a NUL byte in it"));
        }
        if poll <= Span::ZERO {
            return Err(Error::bad_input(
                attempted,
                "the time between two tries must be longer than nothing",
            ));
        }
        let command = command.to_owned();
        Ok(OnCommand { command, poll, dir: None, running: None, next: HostInstant::MIN, tries: 0 })
    }

    /// Runs it there, and not where this process runs.
    pub fn within(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    fn attempted(&self) -> String {
        format!("wait for command '{}'", self.command)
    }

    fn start(&mut self, now: HostInstant) -> Result<()> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&self.command).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        match without_shim(std::env::var_os("LD_PRELOAD").as_deref()) {
            Some(others) => command.env("LD_PRELOAD", others),
            None => command.env_remove("LD_PRELOAD"),
        };
        // SAFETY: two system calls, which are async-signal-safe; nothing is allocated.
        unsafe {
            command.pre_exec(|| {
                // Whoever waits here has the signals blocked that are to cancel it.
                raw::block_signals(0);
                let _ = prctl::set_pdeathsig(Signal::SIGKILL);
                Ok(())
            });
        }
        let child = command.spawn().map_err(|why| Error::not_applied(self.attempted(), why))?;
        let id = i32::try_from(child.id()).ok().and_then(ProcessId::of);
        let mut running = Running { child, handle: None, ended: false };
        running.handle = id.map(PidFd::open).transpose()?.flatten();
        self.running = Some(running);
        self.next = now.saturating_add(self.poll);
        self.tries = self.tries.saturating_add(1);
        Ok(())
    }

    /// What the end of a try says.
    fn judge(&self, code: Option<i32>, at: HostInstant) -> Result<Option<Fired>> {
        match code {
            Some(0) => Ok(Some(Fired::new("command", self.command.clone(), at))),
            Some(code @ (126 | 127)) if self.tries == 1 => {
                let why = match code {
                    126 => "what it names cannot be executed (exit code 126)",
                    _ => "there is no such command (exit code 127)",
                };
                Err(Error::bad_input(self.attempted(), why)
                    .remedy(format!("try it by itself: sh -c '{}'", self.command)))
            }
            _ => Ok(None),
        }
    }
}

impl Trigger for OnCommand {
    fn awaited(&self) -> String {
        format!("command '{}' to succeed", self.command)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let handle = self.running.as_ref().and_then(|running| running.handle.as_ref());
        handle.map(AsFd::as_fd).into_iter().collect()
    }

    fn due(&self) -> Option<HostInstant> {
        match &self.running {
            None => Some(self.next),
            // Without a descriptor its end has to be looked for.
            Some(Running { handle: None, .. }) => {
                Some(host_clock::monotonic().saturating_add(Span::from_millis(1)))
            }
            Some(_) => None,
        }
    }

    fn look(&mut self) -> Result<Option<Fired>> {
        let now = host_clock::monotonic();
        if let Some(running) = &mut self.running {
            let status = match running.child.try_wait() {
                Ok(None) => return Ok(None),
                Ok(Some(status)) => status,
                Err(why) => return Err(Error::not_applied(self.attempted(), why)),
            };
            running.ended = true;
            self.running = None;
            if let Some(fired) = self.judge(status.code(), now)? {
                return Ok(Some(fired));
            }
        }
        if now >= self.next {
            self.start(now)?;
        }
        Ok(None)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once the shell has been waited for its pid, which is the group's, may be somebody else's.
        if !self.ended
            && let Ok(pid) = i32::try_from(self.child.id())
        {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}
