//! A program's output, read as lines, with the instants between which each was written.
//!
//! What must hold: a line was written after the stream was last seen empty, and before it was read.

use std::io::{ErrorKind, PipeReader, Read};
use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::host_clock;

/// A longer line is told in pieces.
const LONGEST: usize = 1 << 16;

/// A stream of a program's.
#[derive(Debug)]
pub struct Lines {
    pipe: PipeReader,
    begun: Vec<u8>,
    /// When it was last seen empty.
    empty: i64,
    /// When it was last seen empty before the line that has begun.
    since: i64,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub struct Read1 {
    /// What it says.
    pub line: String,
    /// Not written here.
    pub since_ns: i64,
    /// Read here.
    pub at_ns: i64,
}

impl Lines {
    /// Of a pipe's reading end.
    pub fn of(pipe: PipeReader) -> std::io::Result<Lines> {
        fcntl(pipe.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let now = host_clock::monotonic().as_nanos();
        Ok(Lines { pipe, begun: Vec::new(), empty: now, since: now })
    }

    /// The lines that have come, for a while: whoever writes without end is read again later.
    pub fn read(&mut self, mut each: impl FnMut(Read1)) {
        let mut buffer = [0; 1 << 14];
        for _ in 0..16 {
            let before = host_clock::monotonic().as_nanos();
            match self.pipe.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    let at_ns = host_clock::monotonic().as_nanos();
                    for piece in
                        buffer.get(..length).unwrap_or_default().split_inclusive(|byte| *byte == b'\n')
                    {
                        if self.begun.is_empty() {
                            self.since = self.empty;
                        }
                        self.begun.extend_from_slice(piece);
                        if self.begun.last() == Some(&b'\n') || self.begun.len() >= LONGEST {
                            each(self.take(at_ns));
                        }
                    }
                }
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.empty = before;
                    return;
                }
            }
        }
    }

    /// What has begun and will have no end: its writer has ended.
    pub fn rest(&mut self) -> Option<Read1> {
        (!self.begun.is_empty()).then(|| self.take(host_clock::monotonic().as_nanos()))
    }

    fn take(&mut self, at_ns: i64) -> Read1 {
        let bytes = std::mem::take(&mut self.begun);
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Read1 { line: String::from_utf8_lossy(line).into_owned(), since_ns: self.since, at_ns }
    }
}

impl AsFd for Lines {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_was_written_between_the_two_instants() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut lines = Lines::of(reader).unwrap();
        let mut all = Vec::new();
        lines.read(|line| all.push(line));
        assert_eq!(all, []);
        let before = host_clock::monotonic().as_nanos();
        writer.write_all(b"one\r\ntwo\nthr").unwrap();
        let written = host_clock::monotonic().as_nanos();
        lines.read(|line| all.push(line));
        assert_eq!(all.iter().map(|line| line.line.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert!(all.iter().all(|line| line.since_ns <= before && written <= line.at_ns), "{all:?}");
        all.clear();
        writer.write_all(b"ee\n").unwrap();
        lines.read(|line| all.push(line));
        assert_eq!(all[0].line, "three");
        assert!(all[0].since_ns <= before, "it had begun before");
        writer.write_all(b"rest").unwrap();
        lines.read(|_| unreachable!());
        assert_eq!(lines.rest().map(|line| line.line).as_deref(), Some("rest"));
        assert_eq!(lines.rest(), None);
    }

    #[test]
    fn a_line_without_end_is_told_in_pieces() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut lines = Lines::of(reader).unwrap();
        let mut all = Vec::new();
        for _ in 0..5 {
            writer.write_all(&[b'x'; LONGEST / 4]).unwrap();
            lines.read(|line| all.push(line));
        }
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].line.len(), LONGEST);
    }
}
