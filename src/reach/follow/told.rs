//! Why a program was not let run: said by whoever follows, heard by `run`, over a pipe.
//!
//! What must hold: saying never waits, and each saying is written at once (pipe(7): up to PIPE_BUF bytes).

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::{Error, Result};

/// What fits into a pipe at once.
const ROOM: usize = 4096;

/// Both ends.
#[derive(Debug)]
pub(crate) struct Told {
    reader: std::io::PipeReader,
    writer: std::io::PipeWriter,
}

impl Told {
    /// Nothing is said yet.
    pub(crate) fn new() -> Result<Told> {
        let failed = |why: &dyn std::fmt::Display| Error::not_applied("make a pipe", why);
        let (reader, writer) = std::io::pipe().map_err(|why| failed(&why))?;
        for end in [reader.as_fd(), writer.as_fd()] {
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|errno| failed(&errno.desc()))?;
        }
        Ok(Told { reader, writer })
    }

    /// Its ends.
    pub(crate) fn descriptors(&self) -> [RawFd; 2] {
        [self.reader.as_raw_fd(), self.writer.as_raw_fd()]
    }

    /// Says it. What does not fit any more is not heard: one is enough.
    pub(crate) fn say(&self, why: &str) {
        let text = why.as_bytes();
        let _ = (&self.writer).write(text.get(..text.len().min(ROOM - 1)).unwrap_or_default());
    }

    /// What was said since this was last asked.
    pub(crate) fn heard(&self) -> Option<String> {
        let mut text = vec![0; ROOM];
        let length = (&self.reader).read(&mut text).ok().filter(|length| *length != 0)?;
        text.truncate(length);
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard_and_nothing_waits() {
        let told = Told::new().unwrap();
        assert_eq!(told.heard(), None);
        told.say("it has no vDSO");
        assert_eq!(told.heard().as_deref(), Some("it has no vDSO"));
        for _ in 0..100 {
            told.say(&"x".repeat(ROOM * 2));
        }
        assert_eq!(told.heard().unwrap().len(), ROOM);
    }
}
