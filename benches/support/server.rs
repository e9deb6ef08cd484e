//! A server that runs while a bench needs it, in a process group of its own.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::raw_nanos;

/// How long it may take to come up, and to end when it is asked to.
const PATIENCE: i64 = 5_000_000_000;
const PACE: Duration = Duration::from_millis(5);

/// The server, or what runs it.
pub struct Server {
    process: Child,
    /// What ends it cleanly.
    end: Signal,
}

impl Server {
    /// Starts it.
    pub fn start(command: &mut Command, end: Signal) -> Self {
        let process = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        Server { process, end }
    }

    fn group(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).expect("pids are small"))
    }

    /// Removes what `faketime` leaves when it is ended with its program.
    fn sweep(&self) {
        for name in ["faketime_shm_", "sem.faketime_sem_"] {
            drop(std::fs::remove_file(format!("/dev/shm/{name}{}", self.process.id())));
        }
    }

    /// Waits until `ready` has something to give; `None` if the server ends before, or is not ready in time.
    pub fn wait_until<T>(&mut self, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
        let give_up = raw_nanos() + PATIENCE;
        while raw_nanos() < give_up && matches!(self.process.try_wait(), Ok(None)) {
            if let Some(done) = ready() {
                return Some(done);
            }
            std::thread::sleep(PACE);
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = self.group();
        // What runs it may end at once, and leave the server to end a little later.
        for signal in [self.end, Signal::SIGKILL] {
            let give_up = raw_nanos() + PATIENCE;
            // Whether anybody was left to be signalled is seen below.
            let _ = killpg(group, signal);
            while raw_nanos() < give_up {
                drop(self.process.try_wait());
                if killpg(group, None).is_err() {
                    return self.sweep();
                }
                std::thread::sleep(PACE);
            }
        }
    }
}
