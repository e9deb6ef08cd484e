//! `--on-output REGEX`: a line of the output of a program that was started with `run --capture`.
//!
//! What must hold: a line that was written after the preparation is looked at, whole, however it came in pieces; those of
//! different streams are never mixed; when no program is left that could write one, that is an error.

use std::os::fd::{AsFd, BorrowedFd};

use regex::bytes::Regex;

use super::{Fired, Trigger};
use crate::HostInstant;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::run::capture::{Heard, Listener};

/// How much of a line without an end is kept; what is longer is looked at in pieces.
const LONGEST_LINE: usize = 1 << 20;

/// How many pieces of output are looked at before it is seen whether anything else has happened.
const AT_ONCE: u32 = 16;

/// A pattern, for lines that need not be UTF-8. An error shows where it is wrong.
pub fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|why| {
        Error::bad_input(format!("read the pattern '{text}'"), why)
            .remedy("the syntax is that of the regex crate: https://docs.rs/regex/#syntax")
    })
}

/// A line of output that is to come.
#[derive(Debug)]
pub struct OnOutput {
    pattern: Regex,
    streams: Vec<Stream>,
    /// Whether the last look left something unheard.
    more: bool,
}

#[derive(Debug)]
struct Stream {
    listener: Listener,
    /// The line that has begun.
    line: Vec<u8>,
}

impl OnOutput {
    /// From now on, on all captured streams of the node's.
    pub fn prepare(node: &Node, pattern: Regex) -> Result<Self> {
        let listeners = Listener::of_node(node.dir())?;
        if listeners.is_empty() {
            let why = format!("no program that runs in node {} was started with run --capture", node.name());
            return Err(Error::bad_input(format!("wait for output that matches '{pattern}'"), why).remedy(
                format!("start it as: falseticker run --node {} --capture -- COMMAND", node.name()),
            ));
        }
        let streams = listeners.into_iter().map(|listener| Stream { listener, line: Vec::new() }).collect();
        Ok(OnOutput { pattern, streams, more: false })
    }
}

impl Trigger for OnOutput {
    fn awaited(&self) -> String {
        format!("a line of output that matches '{}'", self.pattern)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.streams.iter().map(|stream| stream.listener.as_fd()).collect()
    }

    fn due(&self) -> Option<HostInstant> {
        self.more.then_some(HostInstant::MIN)
    }

    fn look(&mut self) -> Result<Option<Fired>> {
        let mut open = Vec::new();
        self.more = false;
        for mut stream in std::mem::take(&mut self.streams) {
            let mut heard = 0;
            let over = loop {
                // A program that writes faster than lines are looked at must not keep whoever waits from giving up.
                if heard == AT_ONCE {
                    self.more = true;
                    break false;
                }
                heard += 1;
                match stream.listener.hear()? {
                    Heard::Nothing => break false,
                    Heard::Bytes { at, bytes } => {
                        if let Some(line) = stream.take(&bytes, &self.pattern) {
                            return Ok(Some(Fired::new("output", line, at)));
                        }
                    }
                    Heard::End { at } => {
                        // What has no newline is a line as well, once nothing can follow.
                        if !stream.line.is_empty() && self.pattern.is_match(&stream.line) {
                            return Ok(Some(Fired::new("output", shown(&stream.line), at)));
                        }
                        break true;
                    }
                }
            };
            if !over {
                open.push(stream);
            }
        }
        self.streams = open;
        if self.streams.is_empty() {
            let attempted = format!("wait for output that matches '{}'", self.pattern);
            return Err(Error::not_applied(attempted, "the program has ended, or closed its output"));
        }
        Ok(None)
    }
}

impl Stream {
    /// Adds what came; the first whole line that matches.
    fn take(&mut self, bytes: &[u8], pattern: &Regex) -> Option<String> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.last() != Some(&b'\n') && self.line.len() < LONGEST_LINE {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if pattern.is_match(line) {
                return Some(shown(line));
            }
        }
        None
    }
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}
