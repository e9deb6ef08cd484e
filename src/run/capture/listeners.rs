//! A captured stream's listeners, from the pump's side.
//!
//! What must hold: none of them can make the pump wait. What one does not take in time is kept for it, up to a limit; then
//! it is let go of, and sees an end without a farewell.

use std::collections::VecDeque;
use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};

use falseticker_page::time::{HostInstant, Span};

use super::frame::{Head, MOST};
use crate::{host_clock, raw};

/// How many there may be.
const MANY: usize = 64;
/// How much is kept for each, in bytes.
const KEPT: usize = 4 << 20;
/// How long they may take for what is kept when the stream has ended.
const FAREWELL: Span = Span::from_secs(10);

/// All of them.
#[derive(Debug, Default)]
pub struct Listeners(Vec<Listener>);

#[derive(Debug)]
struct Listener {
    stream: UnixStream,
    kept: VecDeque<u8>,
}

impl Listeners {
    /// Lets in whoever waits at the door.
    pub fn let_in(&mut self, door: &UnixListener) {
        while let Ok((stream, _)) = door.accept() {
            if self.0.len() < MANY && stream.set_nonblocking(true).is_ok() {
                self.0.push(Listener { stream, kept: VecDeque::new() });
            }
        }
    }

    /// Tells them what the stream brought.
    pub fn tell(&mut self, bytes: &[u8], at: HostInstant) {
        for part in bytes.chunks(MOST) {
            self.send(Head { end: false, length: part.len(), at }, part);
        }
    }

    /// Tells them that it has ended; whether any of them has not taken all yet.
    pub fn farewell(&mut self, at: HostInstant) -> bool {
        self.send(Head { end: true, length: 0, at }, &[]);
        self.0.retain(|listener| !listener.kept.is_empty());
        !self.0.is_empty()
    }

    /// Gives them a moment for the rest.
    pub fn outlast(&mut self) {
        let until = host_clock::monotonic().saturating_add(FAREWELL);
        loop {
            let left = until.saturating_since(host_clock::monotonic()).as_nanos();
            if self.0.is_empty() || left <= 0 {
                return;
            }
            let mut fds = self.entries();
            let _ = raw::poll(&mut fds, Some(left));
            self.serve(&fds);
            self.0.retain(|listener| !listener.kept.is_empty());
        }
    }

    /// What to poll, in the order in which [`Listeners::serve`] takes it.
    pub fn entries(&self) -> Vec<libc::pollfd> {
        let entry = |listener: &Listener| libc::pollfd {
            fd: listener.stream.as_raw_fd(),
            events: if listener.kept.is_empty() { libc::POLLIN } else { libc::POLLIN | libc::POLLOUT },
            revents: 0,
        };
        self.0.iter().map(entry).collect()
    }

    /// Does what was found by polling: those that have gone are let go of.
    pub fn serve(&mut self, found: &[libc::pollfd]) {
        let mut found = found.iter().map(|entry| entry.revents);
        self.0.retain_mut(|listener| {
            let events = found.next().unwrap_or(0);
            // They have nothing to say: what can be read is their end.
            let gone =
                events & libc::POLLIN != 0 && !matches!(listener.stream.read(&mut [0; 64]), Ok(1..) | Err(_));
            !gone && listener.flush()
        });
    }

    fn send(&mut self, head: Head, bytes: &[u8]) {
        let head = head.encode();
        self.0.retain_mut(|listener| {
            listener.kept.extend(head);
            listener.kept.extend(bytes);
            listener.flush() && listener.kept.len() <= KEPT
        });
    }
}

impl Listener {
    /// Hands over what it takes; whether it is still there.
    fn flush(&mut self) -> bool {
        while !self.kept.is_empty() {
            let (bytes, _) = self.kept.as_slices();
            match self.stream.write(bytes) {
                Ok(0) => return false,
                Ok(length) => drop(self.kept.drain(..length)),
                Err(why) if why.kind() == IoErrorKind::Interrupted => {}
                Err(why) => return why.kind() == IoErrorKind::WouldBlock,
            }
        }
        true
    }
}
