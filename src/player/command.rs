//! Commands of the user's own: given to `sh -c` by the host's clock, in no node.
//!
//! What must hold: a command goes with its whole process group when it is not waited for any longer; it does not inherit the
//! signals that its thread holds back.
#![expect(unsafe_code, reason = "what a child does between fork and exec")]

use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::shared::Over;
use crate::node::preload_env::without_shim;
use crate::process::{PidFd, ProcessId};
use crate::{Error, HostInstant, Result, Span, host_clock, raw};

/// How long a command may take when the scenario is over.
const LONGEST: Span = Span::from_secs(30);

/// What came of a command.
#[derive(Debug)]
pub struct Done {
    /// Its exit code; 128 and the signal's number if one killed it.
    pub code: i32,
    /// What it has written on standard output.
    pub text: String,
}

/// Gives a command and waits for its end. If `over` comes before, it is killed.
pub fn run(command: &str, dir: &Path, over: Option<&Over>) -> Result<Done> {
    let attempted = || format!("run '{command}'");
    let refused = |why: std::io::Error| Error::not_applied(attempted(), why);
    let (output, end) = std::io::pipe().map_err(refused)?;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).process_group(0).current_dir(dir);
    shell.stdin(Stdio::null()).stdout(end).stderr(Stdio::null());
    match without_shim(std::env::var_os("LD_PRELOAD").as_deref()) {
        Some(others) => shell.env("LD_PRELOAD", others),
        None => shell.env_remove("LD_PRELOAD"),
    };
    // SAFETY: one system call, which is async-signal-safe; nothing is allocated.
    unsafe {
        shell.pre_exec(|| {
            raw::block_signals(0);
            Ok(())
        });
    }
    let mut child = shell.spawn().map_err(refused)?;
    // The writing end goes, or the reader would never see an end.
    drop(shell);
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = std::io::Read::read_to_end(&mut std::io::Read::take(output, 1 << 16), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let handle =
        i32::try_from(child.id()).ok().and_then(ProcessId::of).map(PidFd::open).transpose()?.flatten();
    let ended = match (&handle, over) {
        (Some(handle), Some(over)) => {
            over.wait(HostInstant::MAX, Some(handle.as_fd()));
            handle.wait_exit(host_clock::monotonic())?
        }
        (Some(handle), None) => handle.wait_exit(host_clock::monotonic().saturating_add(LONGEST))?,
        (None, _) => true,
    };
    if !ended && let Ok(pid) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let status = child.wait().map_err(refused)?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
    // Somebody in the background may keep its output open; that is not waited for.
    let text =
        if ended && reader_is_done(&reader) { reader.join().unwrap_or_default() } else { String::new() };
    Ok(Done { code, text })
}

fn reader_is_done(reader: &std::thread::JoinHandle<String>) -> bool {
    let until = host_clock::monotonic().saturating_add(Span::from_millis(200));
    while !reader.is_finished() && host_clock::monotonic() < until {
        host_clock::sleep(Span::from_millis(1));
    }
    reader.is_finished()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_code_and_its_output_come_back() {
        let over = Over::new().unwrap();
        let done = run("echo a; exit 3", "/".as_ref(), Some(&over)).unwrap();
        assert_eq!((done.code, done.text.as_str()), (3, "a\n"));
        assert_eq!(run("kill -9 $$", "/".as_ref(), None).unwrap().code, 137);
    }

    #[test]
    fn it_is_killed_when_all_is_over() {
        let over = Over::new().unwrap();
        over.come();
        assert_eq!(run("sleep 1000 & sleep 1000", "/".as_ref(), Some(&over)).unwrap().code, 137);
    }
}
