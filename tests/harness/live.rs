//! A program that runs while the test goes on: it is talked with by lines, and awaited with a deadline.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::command::indented;
use super::{PATIENCE, eventually};

/// What a live program has said so far.
pub struct Transcript {
    shown: String,
    stdout: Mutex<String>,
    stderr: Mutex<String>,
    ended: Mutex<Option<i32>>,
}

impl Transcript {
    pub fn report(&self) -> String {
        let text = |stream: &Mutex<String>| stream.lock().map(|text| text.clone()).unwrap_or_default();
        let ended = self.ended.lock().map(|ended| *ended).unwrap_or_default();
        let ended = ended.map_or("runs".to_owned(), |code| format!("exit code {code}"));
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        format!("$ {} &\n  {ended}\n{}{}", self.shown, indented("out", &stdout), indented("err", &stderr))
    }
}

/// See the head of this file.
pub struct Live {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    transcript: Arc<Transcript>,
    /// What reads its output and its errors, until nobody has them open any more.
    pumps: [JoinHandle<()>; 2],
    ended: Option<i32>,
}

impl Live {
    #[track_caller]
    pub fn start(command: &mut Command, shown: String) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let transcript = Arc::new(Transcript {
            shown,
            stdout: Mutex::default(),
            stderr: Mutex::default(),
            ended: Mutex::default(),
        });
        let out = Arc::clone(&transcript);
        let outputs = std::thread::spawn(move || {
            pump(stdout, |line| {
                append(&out.stdout, line);
                let _ = send.send(line.to_owned());
            })
        });
        let err = Arc::clone(&transcript);
        let errors = std::thread::spawn(move || pump(stderr, |line| append(&err.stderr, line)));
        Live { stdin: child.stdin.take(), child, lines, transcript, pumps: [outputs, errors], ended: None }
    }

    pub fn transcript(&self) -> Arc<Transcript> {
        Arc::clone(&self.transcript)
    }

    /// Its pid; of `run`, the supervisor's.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// Says a line to its standard input.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its standard input is open");
        let said = writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        said.unwrap_or_else(|error| panic!("it does not hear {line:?}: {error}"));
    }

    /// The next line of its standard output.
    #[track_caller]
    pub fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("it says nothing for {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("it has closed its standard output"),
        }
    }

    /// The next line, if there is one within a time that is short.
    pub fn line_within(&mut self, time: std::time::Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }

    /// The next line that is as wanted; those before it are passed over.
    #[track_caller]
    pub fn line_where(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let line = self.line();
            if wanted(&line) {
                return line;
            }
            assert!(begun.elapsed() < PATIENCE, "no such line in {PATIENCE:?}");
        }
    }

    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid()), signal);
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            let status = self.child.try_wait().ok().flatten();
            self.ended = status.map(|s| s.code().or(s.signal().map(|signal| 128 + signal)).unwrap_or(-1));
            if let Ok(mut ended) = self.transcript.ended.lock() {
                *ended = self.ended;
            }
        }
        self.ended.is_some()
    }

    /// Waits for its end: the exit code, or 128 and the signal's number.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        eventually("the end of the program", || self.has_ended().then_some(()));
        self.ended.unwrap_or(-1)
    }

    /// Waits until it has said this, on either stream: what it writes to one is not read before what it writes to the other later.
    #[track_caller]
    pub fn expect_said(&self, what: &str) {
        eventually(what, || self.transcript.report().contains(what).then_some(()));
    }

    /// All that was said, once it has ended and nobody has its streams any more.
    #[track_caller]
    pub fn whole(&mut self) -> String {
        self.end();
        eventually("the end of what it says", || {
            self.pumps.iter().all(JoinHandle::is_finished).then_some(())
        });
        self.transcript.report()
    }

    /// Closes its standard input.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// Closes its standard input and waits for its end.
    #[track_caller]
    pub fn finish(&mut self) -> i32 {
        self.stdin = None;
        self.end()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stdin = None;
        for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
            if let (Some(signal), false) = (signal, self.has_ended()) {
                self.signal(signal);
            }
            for _ in 0..400 {
                if self.has_ended() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
}

fn append(to: &Mutex<String>, line: &str) {
    if let Ok(mut text) = to.lock()
        && text.len() < 64 << 10
    {
        text.push_str(line);
        text.push('\n');
    }
}

fn pump(mut from: impl BufRead, mut each: impl FnMut(&str)) {
    let mut line = Vec::new();
    while let Ok(1..) = from.read_until(b'\n', &mut line) {
        each(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        line.clear();
    }
}
