//! A captured stream from the listener's side.

use std::collections::VecDeque;
use std::io::{ErrorKind as IoErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use falseticker_page::time::HostInstant;

use super::frame::{HEAD, Head, MOST};
use super::sockets;
use crate::error::{Error, Result};
use crate::host_clock;
use crate::node::NodeDir;

/// Hears what a captured program writes from its making on.
#[derive(Debug)]
pub struct Listener {
    dir: NodeDir,
    name: String,
    stream: UnixStream,
    received: VecDeque<u8>,
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing for now.
    Nothing,
    /// This was written.
    Bytes {
        /// When it was read by the pump.
        at: HostInstant,
        /// What.
        bytes: Vec<u8>,
    },
    /// There will be no more.
    End {
        /// When the pump found that, or this process that there is no pump.
        at: HostInstant,
    },
}

impl Listener {
    /// One for each captured stream of a node's; none if nothing that runs there is captured.
    pub fn of_node(dir: &NodeDir) -> Result<Vec<Self>> {
        let of = |(stream, name)| Listener { dir: dir.clone(), name, stream, received: VecDeque::new() };
        Ok(sockets::connect_all(dir)?.into_iter().map(of).collect())
    }

    /// What comes next; it never waits.
    pub fn hear(&mut self) -> Result<Heard> {
        let failed = |why: std::io::Error| Error::not_applied("listen to a program's output", why);
        let mut buffer = [0; HEAD + MOST];
        loop {
            if let Some(heard) = self.next()? {
                return Ok(heard);
            }
            match self.stream.read(&mut buffer) {
                // Without a word of farewell: the pump was killed, or was not listened to for too long.
                Ok(0) => match sockets::connect(&self.dir, &self.name).map_err(failed)? {
                    Some(stream) => {
                        tracing::warn!("some of the program's output may not have been heard");
                        self.stream = stream;
                        self.received.clear();
                    }
                    None => return Ok(Heard::End { at: host_clock::monotonic() }),
                },
                Ok(length) => self.received.extend(buffer.get(..length).unwrap_or_default()),
                Err(why) if why.kind() == IoErrorKind::WouldBlock => return Ok(Heard::Nothing),
                Err(why) if why.kind() == IoErrorKind::Interrupted => {}
                Err(why) if why.kind() == IoErrorKind::ConnectionReset => {
                    return Ok(Heard::End { at: host_clock::monotonic() });
                }
                Err(why) => return Err(failed(why)),
            }
        }
    }

    /// The first whole frame of what was received.
    fn next(&mut self) -> Result<Option<Heard>> {
        let received = self.received.make_contiguous();
        let Some(head) = received.get(..HEAD) else { return Ok(None) };
        let head = Head::decode(head).ok_or_else(|| {
            Error::not_applied("listen to a program's output", "what is heard makes no sense")
                .remedy("use the same version of falseticker for run and for the trigger")
        })?;
        let whole = HEAD + head.length;
        let Some(bytes) = received.get(HEAD..whole) else { return Ok(None) };
        let bytes = bytes.to_vec();
        self.received.drain(..whole);
        Ok(Some(if head.end { Heard::End { at: head.at } } else { Heard::Bytes { at: head.at, bytes } }))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
