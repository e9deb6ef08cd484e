//! `run --capture`: the program's output, passed on unchanged and told to whoever listens.
//!
//! A process a stream (the pump, `pump.rs`) reads what the program writes, and writes it to where the program would have
//! written it. It is the keeper's child and not `run` itself, so that neither the death of `run` nor a stop of it has to
//! do with the program's output; if a pump is killed, the keeper, which holds all that it needs, starts another.
//!
//! What must hold:
//! - Every byte is passed on, in order and at once; where standard output and error were one (`2>&1`, or a terminal)
//!   they stay one stream, so that the order between them stays too.
//! - Where there was a terminal there is one; where there was none there is none.
//! - A stream that nobody reads any more is closed to the program, which gets SIGPIPE as without; a slow reader slows the
//!   program as without; a listener, slow or stopped, never does.
//! - Pumps are none of the node's processes: a freeze does not stop them.

mod frame;
mod listener;
mod listeners;
mod pump;
mod pumps;
mod sockets;
mod terminal;

pub use listener::{Heard, Listener};
pub use pumps::{Pumps, is_pump};

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use nix::unistd::{isatty, pipe2};

use crate::error::{Error, Result};
use crate::node::NodeDir;
use crate::raw;
use falseticker_page::time::Span;

/// Standard output and standard error.
const STREAMS: [RawFd; 2] = [1, 2];

/// How long to wait for a pump's answer.
const PATIENCE: Span = Span::from_millis(200);

/// What a pump needs, and the keeper holds for it.
#[derive(Debug)]
pub struct Stream {
    /// Where the program's output comes in.
    pub source: OwnedFd,
    /// Where it goes.
    pub sink: OwnedFd,
    /// Where listeners come in.
    pub door: UnixListener,
    /// The path of that, to be removed.
    pub path: CString,
    /// Where `run` asks whether all has been passed on.
    pub asked: UnixStream,
    /// Whether the source is a terminal's other end.
    pub is_terminal: bool,
}

/// A program's output between `run` and the fork of the keeper.
#[derive(Debug, Default)]
pub struct Capture {
    /// One or two.
    pub streams: Vec<Stream>,
    /// What the program has as its own: a descriptor, and the number that it is to have.
    pub program: Vec<(OwnedFd, RawFd)>,
    /// What `run` keeps.
    pub held: Held,
}

/// What `run` keeps of a capture.
#[derive(Debug, Default)]
pub struct Held {
    asks: Vec<UnixStream>,
}

impl Capture {
    /// Makes what is needed; nothing of this process's own streams changes.
    pub fn prepare(dir: &NodeDir) -> Result<Self> {
        let mut capture = Capture::default();
        if are_one() {
            capture.add(dir, &STREAMS)?;
        } else {
            for number in STREAMS {
                capture.add(dir, &[number])?;
            }
        }
        Ok(capture)
    }

    fn add(&mut self, dir: &NodeDir, numbers: &[RawFd]) -> Result<()> {
        let failed = |errno: Errno| Error::not_applied("capture the program's output", errno.desc());
        let &[first, ..] = numbers else { return Ok(()) };
        let sink = own(first).map_err(&failed)?;
        let is_terminal = isatty(&sink) == Ok(true);
        let pair = if is_terminal { terminal::open(&sink) } else { pipe2(OFlag::O_CLOEXEC) };
        let (source, end) = pair.map_err(&failed)?;
        for &number in numbers.iter().skip(1) {
            self.program.push((end.try_clone().map_err(|why| failed(errno_of(&why)))?, number));
        }
        self.program.push((end, first));
        let (asked, asks) = UnixStream::pair().map_err(|why| failed(errno_of(&why)))?;
        asks.set_nonblocking(true).map_err(|why| failed(errno_of(&why)))?;
        let (door, path) = sockets::bind(dir, numbers)?;
        self.held.asks.push(asks);
        self.streams.push(Stream { source, sink, door, path, asked, is_terminal });
        Ok(())
    }
}

/// A question to a pump: is all that was written so far passed on?
const DRAINED: u8 = b'?';
/// A wish: that the program's terminal has the size of the real one.
const RESIZE: u8 = b'w';

impl Held {
    /// Whether anything is captured.
    pub fn is_some(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Gives the program's terminal the size of the real one; returns when that is done.
    pub fn resize(&self) {
        for asks in &self.asks {
            let _ = ask(asks, RESIZE, None);
        }
    }

    /// Waits until all that was written so far has been passed on, or nobody passes it on any more, or `enough` says
    /// so, which is asked whenever `other` is readable.
    pub fn drain(&self, other: BorrowedFd<'_>, mut enough: impl FnMut() -> bool) {
        for asks in &self.asks {
            // Asked again, since a pump may be killed with the question in its hands.
            loop {
                match ask(asks, DRAINED, Some(other)) {
                    Answer::Given => break,
                    Answer::Other if enough() => return,
                    Answer::Other | Answer::None => {}
                }
            }
        }
    }
}

/// What came of a question.
enum Answer {
    /// It was answered, or nobody is there to answer it.
    Given,
    /// Something else needs a look.
    Other,
    /// Not in time.
    None,
}

fn ask(asks: &UnixStream, question: u8, other: Option<BorrowedFd<'_>>) -> Answer {
    let mut answer = [0; 64];
    match (&mut &*asks).write_all(&[question]) {
        // A pump that is stopped has questions enough; whoever waits here must see signals.
        Err(why) if why.kind() != std::io::ErrorKind::WouldBlock => return Answer::Given,
        _ => {}
    }
    let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut fds = [entry(asks.as_raw_fd()), entry(other.map_or(-1, |other| other.as_raw_fd()))];
    match raw::poll(&mut fds, Some(PATIENCE.as_nanos())) {
        Ok(0) | Err(Errno::EINTR) => Answer::None,
        Err(_) => Answer::Given,
        Ok(_) if fds[0].revents != 0 => {
            let length = (&mut &*asks).read(&mut answer).unwrap_or(0);
            // An answer that came too late for an earlier question is none to this one.
            let is_this = length == 0 || answer.iter().take(length).any(|word| *word == question);
            if is_this { Answer::Given } else { Answer::None }
        }
        Ok(_) => Answer::Other,
    }
}

/// Whether standard output and standard error go to the same place, so that their order is seen there.
fn are_one() -> bool {
    let [out, err] = STREAMS;
    if raw::is_same_file(out, err) == Ok(true) {
        return true;
    }
    // Two openings of one regular file have places of their own in it; of whatever else, none.
    let of = |fd| own(fd).and_then(|fd| fstat(&fd)).ok();
    let (Some(out), Some(err)) = (of(out), of(err)) else { return false };
    let is_regular = out.st_mode & libc::S_IFMT == libc::S_IFREG;
    !is_regular && (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)
}

/// A descriptor of one's own for standard output or standard error.
fn own(stream: RawFd) -> std::result::Result<OwnedFd, Errno> {
    let own = match stream {
        1 => std::io::stdout().as_fd().try_clone_to_owned(),
        _ => std::io::stderr().as_fd().try_clone_to_owned(),
    };
    own.map_err(|why| errno_of(&why))
}

fn errno_of(why: &std::io::Error) -> Errno {
    Errno::from_raw(why.raw_os_error().unwrap_or(libc::EIO))
}
