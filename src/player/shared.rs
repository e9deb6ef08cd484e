//! What the main loop and the threads that act share.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use indexmap::IndexMap;

use crate::history::{Event, Writer};
use crate::node::{Applied, Node};
use crate::{Error, HostInstant, Result, host_clock, raw};

/// What a thread tells the main loop.
#[derive(Debug)]
pub enum News {
    /// A clock fault was published that was not known ahead.
    Applied {
        /// The fault.
        id: u32,
        /// Whose clock.
        node: String,
        /// What.
        applied: Applied,
    },
    /// A pause, a kill or a command has arrived.
    Reached(u32),
    /// Something could not be done.
    Failed(u32, String),
    /// All of a node stood still between the two.
    Stood(String, HostInstant, HostInstant),
    /// A node's program is to be started again then.
    Restart(String, HostInstant),
    /// A command was given that this one takes back.
    Undo(u32, String),
}

/// A moment that several wait for: the end of the timeline, or an interruption.
#[derive(Debug)]
pub struct Over {
    ours: Mutex<Option<UnixStream>>,
    theirs: UnixStream,
}

impl Over {
    /// It has not come.
    pub fn new() -> Result<Over> {
        let pair = UnixStream::pair().map_err(|why| Error::not_applied("make a pair of sockets", why))?;
        Ok(Over { ours: Mutex::new(Some(pair.0)), theirs: pair.1 })
    }

    /// It has come, for everybody and for good.
    pub fn come(&self) {
        lock(&self.ours).take();
    }

    /// Whether it has.
    pub fn has_come(&self) -> bool {
        lock(&self.ours).is_none()
    }

    /// Waits for an instant; false if it comes before.
    pub fn wait_until(&self, at: HostInstant) -> bool {
        self.wait(at, None);
        !self.has_come()
    }

    /// Waits for an instant, for a descriptor, or until it comes.
    pub fn wait(&self, at: HostInstant, other: Option<BorrowedFd<'_>>) {
        loop {
            let left = at.saturating_since(host_clock::monotonic()).as_nanos();
            if left <= 0 {
                return;
            }
            let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            let mut fds =
                [entry(self.theirs.as_raw_fd()), entry(other.map_or(-1, |other| other.as_raw_fd()))];
            match raw::poll(&mut fds, (at != HostInstant::MAX).then_some(left)) {
                Ok(0) | Err(_) => {}
                Ok(_) => return,
            }
        }
    }
}

/// Readable, for good, once it has come.
impl AsFd for Over {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.theirs.as_fd()
    }
}

/// What a thread that acts is given.
#[derive(Clone)]
pub struct Shared<'a> {
    /// The nodes.
    pub nodes: &'a IndexMap<String, Node>,
    /// Where everything is told.
    pub history: &'a Mutex<Writer>,
    /// The end of the timeline, or an interruption.
    pub over: &'a Over,
    /// Whose programs are about to be killed, and are to end.
    pub killed: &'a Mutex<BTreeSet<String>>,
    /// The way to the main loop.
    pub news: Sender<News>,
    /// What wakes it.
    pub bell: &'a UnixStream,
    /// When the timeline starts.
    pub start: &'a OnceLock<HostInstant>,
}

impl Shared<'_> {
    /// Tells the main loop.
    pub fn tell(&self, news: News) {
        let _ = self.news.send(news);
        let mut bell = self.bell;
        // A full socket has woken it already.
        let _ = bell.write(b"!");
    }

    /// Writes it down.
    pub fn note(&self, event: Event) {
        lock(self.history).now(event);
    }

    /// A node by its name.
    pub fn node(&self, name: &str) -> Result<&Node> {
        self.nodes.get(name).ok_or_else(|| {
            Error::not_applied(format_args!("find node '{name}'"), "the scenario has no node of that name")
        })
    }
}

/// A lock, whoever has panicked under it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
