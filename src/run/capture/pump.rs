//! The pump: passes one stream of a program on.
//!
//! What must hold: it never returns into the code of the process that it was forked from; it reads nothing new before
//! all that it has is passed on, so that the program is slowed as it would be without; it looks at the door after every
//! read, so that whoever has come before something was written hears it.

use std::convert::Infallible;
use std::ffi::CStr;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use falseticker_page::time::Span;
use nix::errno::Errno;
use nix::unistd::ForkResult;

use super::super::fork::fork;
use super::listeners::Listeners;
use super::terminal::{Modes, resize};
use super::{DRAINED, RESIZE, Stream};
use crate::{host_clock, raw};

/// By what name /proc shows it.
pub const NAME: &CStr = c"ft-output";

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// What a pipe takes for certain once it takes anything (`pipe_poll` in the kernel's `fs/pipe.c`: a free page), so
/// that this process is not held up where it could answer.
const PORTION: usize = 4096;

/// More than a pipe or a terminal holds, and what was read of it (fs.pipe-max-size, unless it was raised).
const HELD: u64 = (1 << 20) + CHUNK as u64;

/// How often the modes of the program's terminal are looked at while a full-screen program runs (otherwise when something
/// is written): at first, and after so many looks at which nothing was written.
const MODES_SOON: Span = Span::from_millis(1);
const MODES_LATER: Span = Span::from_millis(20);
const MODES_LOOKS: u32 = 20;

/// A pump's whole life, with all signals blocked.
pub fn pump(stream: &Stream) -> Infallible {
    raw::settle_as(NAME);
    let mut pump = Pump {
        stream,
        listeners: Listeners::default(),
        waiting: Vec::new(),
        passed: 0,
        total: 0,
        asked: None,
        has_run: true,
        modes: stream.is_terminal.then(|| Modes::of(stream.source.as_raw_fd())).flatten(),
        looks: 0,
    };
    let at = loop {
        if let Err(End) = pump.step() {
            break host_clock::monotonic();
        }
    };
    pump.follow();
    // First of all whoever is at the other ends is to see the end, which the keeper holds up until this process has ended.
    for fd in [stream.source.as_raw_fd(), stream.sink.as_raw_fd(), stream.asked.as_raw_fd()] {
        let _ = raw::close(fd);
    }
    pump.listeners.let_in(&stream.door);
    let _ = nix::unistd::unlink(stream.path.as_c_str());
    if pump.listeners.farewell(at)
        && let Ok(ForkResult::Child) = fork()
    {
        pump.listeners.outlast();
    }
    raw::exit(0)
}

/// Nothing more will come, or nobody wants it.
struct End;

struct Pump<'a> {
    stream: &'a Stream,
    listeners: Listeners,
    /// What was read last, and how much of it has been passed on.
    waiting: Vec<u8>,
    passed: usize,
    /// How much was passed on by now.
    total: u64,
    /// Whether somebody waits to hear that all was passed on; and by which total it was, whatever came since.
    asked: Option<u64>,
    /// Whether `run` is still there to ask.
    has_run: bool,
    /// The modes of the program's terminal.
    modes: Option<Modes>,
    /// How often they were looked at since something was written.
    looks: u32,
}

impl Pump<'_> {
    fn step(&mut self) -> Result<(), End> {
        let idle = self.passed == self.waiting.len();
        let entry = |fd, events| libc::pollfd { fd, events, revents: 0 };
        let mut fds = vec![
            entry(if idle { self.stream.source.as_raw_fd() } else { -1 }, libc::POLLIN),
            // Without events it still tells when its reader has gone.
            entry(self.stream.sink.as_raw_fd(), if idle { 0 } else { libc::POLLOUT }),
            entry(self.stream.door.as_raw_fd(), libc::POLLIN),
            entry(if self.has_run { self.stream.asked.as_raw_fd() } else { -1 }, libc::POLLIN),
        ];
        let own = fds.len();
        fds.extend(self.listeners.entries());
        // Asked while idle it looks once more, and answers if nothing has come.
        let limit = if idle && self.asked.is_some() { Some(0) } else { self.modes_due() };
        let polled = raw::poll(&mut fds, limit);
        self.follow();
        match polled {
            Ok(0) if limit == Some(0) => self.answer(),
            Ok(_) => {}
            Err(Errno::EINTR | Errno::ENOMEM) => return Ok(()),
            Err(_) => return Err(End),
        }
        let found = |index: usize| fds.get(index).map_or(0, |entry| entry.revents);
        self.listeners.serve(fds.get(own..).unwrap_or_default());
        if found(2) != 0 {
            self.listeners.let_in(&self.stream.door);
        }
        if found(3) != 0 {
            self.hear();
        }
        if found(1) & (libc::POLLERR | libc::POLLNVAL | libc::POLLHUP) != 0 {
            return Err(End);
        }
        if found(1) & libc::POLLOUT != 0 {
            self.pass_on()?;
        }
        if found(0) != 0 { self.take() } else { Ok(()) }
    }

    /// Reads what the program has written, and tells it.
    fn take(&mut self) -> Result<(), End> {
        self.waiting.resize(CHUNK, 0);
        (self.passed, self.looks) = (0, 0);
        let read = raw::read(self.stream.source.as_raw_fd(), &mut self.waiting);
        self.waiting.truncate(read.unwrap_or(0));
        match read {
            // A terminal whose last program has closed it says EIO.
            Ok(0) | Err(Errno::EIO) => return Err(End),
            Ok(_) | Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => return Err(End),
        }
        let at = host_clock::monotonic();
        self.listeners.let_in(&self.stream.door);
        self.listeners.tell(&self.waiting, at);
        Ok(())
    }

    /// Writes a portion of it to where it belongs.
    fn pass_on(&mut self) -> Result<(), End> {
        let left = self.waiting.get(self.passed..).unwrap_or_default();
        let portion = left.get(..PORTION).unwrap_or(left);
        match raw::write(self.stream.sink.as_raw_fd(), portion) {
            Ok(length) => {
                self.passed += length;
                self.total = self.total.saturating_add(length as u64);
                // Others that have the stream open may write for ever.
                if self.asked.is_some_and(|enough| self.total >= enough) {
                    self.answer();
                }
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // A disk that is full is full for the program too, which cannot be told any more.
            Err(_) => return Err(End),
        }
        Ok(())
    }

    /// In how many nanoseconds to look at the terminal's modes.
    fn modes_due(&self) -> Option<i64> {
        self.modes.as_ref().filter(|modes| modes.are_set())?;
        // What a program sets when it ends or stops comes right after what it writes then, and before its shell goes on.
        let pace = if self.looks < MODES_LOOKS { MODES_SOON } else { MODES_LATER };
        Some(pace.as_nanos())
    }

    fn follow(&mut self) {
        self.looks = self.looks.saturating_add(1);
        if let Some(modes) = &mut self.modes {
            modes.follow(self.stream.source.as_raw_fd(), self.stream.sink.as_raw_fd());
        }
    }

    fn hear(&mut self) {
        let mut words = [0; 64];
        let length = (&mut &self.stream.asked).read(&mut words).unwrap_or(0);
        self.has_run = length > 0;
        for word in words.iter().take(length) {
            match *word {
                DRAINED if self.asked.is_none() => self.asked = Some(self.total.saturating_add(HELD)),
                RESIZE => {
                    if self.stream.is_terminal {
                        resize(self.stream.source.as_raw_fd(), self.stream.sink.as_raw_fd());
                    }
                    self.say(RESIZE);
                }
                _ => {}
            }
        }
    }

    fn answer(&mut self) {
        self.asked = None;
        self.say(DRAINED);
    }

    fn say(&mut self, word: u8) {
        let _ = (&mut &self.stream.asked).write(&[word]);
    }
}
