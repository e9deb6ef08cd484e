//! A command: how it is put together, and what came of it.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::lab::Journal;
use super::live::Live;

/// A command that is being put together.
pub struct Command {
    inner: std::process::Command,
    journal: Journal,
    input: Vec<u8>,
}

/// What came of a command that ended.
pub struct Done {
    shown: String,
    /// The exit code, or 128 and the signal's number.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Command {
    pub fn new(program: impl AsRef<OsStr>, journal: Journal) -> Self {
        Command { inner: std::process::Command::new(program), journal, input: Vec::new() }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.inner.arg(argument);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.inner.args(arguments);
        self
    }

    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(key, value);
        self
    }

    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.inner.env_remove(key);
        self
    }

    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.inner.current_dir(folder);
        self
    }

    /// What it reads from its standard input.
    pub fn input(mut self, text: impl AsRef<[u8]>) -> Self {
        self.input = text.as_ref().to_vec();
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn done(mut self) -> Done {
        let shown = self.shown();
        self.inner.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.inner.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input may be gone already.
            let _ = stdin.write_all(&self.input);
        }
        let output = ended_within(HANGS, child).unwrap_or_else(|why| panic!("{shown}: {why}"));
        let status = output.status;
        let done = Done {
            shown,
            code: status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        self.journal.borrow_mut().add(&done.shown, done.report());
        done
    }

    /// Starts it, to be talked with.
    #[track_caller]
    pub fn live(mut self) -> Live {
        let shown = self.shown();
        let live = Live::start(&mut self.inner, shown);
        let transcript = live.transcript();
        self.journal.borrow_mut().add_live(transcript);
        live
    }

    /// As one would type it.
    fn shown(&self) -> String {
        let words = std::iter::once(self.inner.get_program()).chain(self.inner.get_args());
        let words: Vec<OsString> = words.map(OsStr::to_owned).collect();
        let text: Vec<String> = words.iter().map(|word| quoted(&word.to_string_lossy())).collect();
        text.join(" ")
    }
}

/// What takes longer than this hangs. Generous: it is there so that one test fails, and not all of them wait for ever.
const HANGS: Duration = Duration::from_secs(400);

/// All that a child says until its end; one that does not end is killed.
fn ended_within(limit: Duration, child: std::process::Child) -> Result<std::process::Output, String> {
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(|why| why.to_string())?);
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    match told.recv_timeout(limit) {
        Ok(output) => output.map_err(|why| why.to_string()),
        Err(_) => {
            let _ = kill(pid, Signal::SIGKILL);
            Err(format!("it has not ended in {limit:?}, or whoever has its streams has not"))
        }
    }
}

fn quoted(word: &str) -> String {
    let word = word
        .strip_prefix(env!("CARGO_BIN_EXE_falseticker"))
        .map_or(word.to_owned(), |rest| format!("falseticker{rest}"));
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-+=./:@%,".contains(c));
    if plain && !word.is_empty() { word } else { format!("{word:?}") }
}

impl Done {
    /// Everything about it, for a report.
    pub fn report(&self) -> String {
        format!(
            "$ {}\n  exit code {}\n{}{}",
            self.shown,
            self.code,
            indented("out", &self.stdout),
            indented("err", &self.stderr)
        )
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "the exit code of\n{}", self.report());
        self
    }

    /// Asserts that both are somewhere in what it said on standard error.
    #[track_caller]
    pub fn expect_error(self, fragment: &str) -> Self {
        assert!(self.stderr.contains(fragment), "{fragment:?} is not in the message of\n{}", self.report());
        self
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON ({error}):\n{}", self.report()))
    }

    /// Standard output without the white space around it.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }
}

pub fn indented(stream: &str, text: &str) -> String {
    text.lines().map(|line| format!("  {stream}| {line}\n")).collect()
}
