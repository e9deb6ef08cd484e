//! Pauses that were recorded: a list of spans, or the log of a JVM. Which of them a file is, is told by its first
//! line that says anything.
//!
//! What must hold: a line that makes no sense is an error that names the file, the line and the place, and nothing is
//! taken from the file; whatever the file is (a device, a pipe that never ends), no more is read than
//! [`LONGEST_LINE`] a line and [`MOST`] pauses.

mod jvm;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::{LONGEST, SHORTEST};
use crate::units::{format_span, parse_span};
use crate::{Error, Result, Span};
use jvm::Log;

/// The longest line that is read, in bytes.
pub const LONGEST_LINE: u64 = 64 << 10;

/// How many pauses are taken from a file at most.
pub const MOST: usize = 1_000_000;

/// What a file with recorded pauses is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A span a line; `#` begins a comment.
    Spans,
    /// A JVM's unified log (JDK 9 and newer) with its collections: `-Xlog:gc`, `-Xlog:gc*`.
    JvmCollections,
    /// One with its safepoints: `-Xlog:safepoint`. They hold the collections, which are not counted again.
    JvmSafepoints,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Spans => "a list of spans",
            Format::JvmCollections => "a JVM log with collections",
            Format::JvmSafepoints => "a JVM log with safepoints",
        })
    }
}

/// What was recorded in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What the file is.
    pub format: Format,
    /// The pauses, in their order; at least one.
    pub lengths: Vec<Span>,
    /// The time from the end of one to the beginning of the next, where the file says so.
    pub gaps: Option<Vec<Span>>,
}

impl Recording {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Recording> {
        let refused = |why: std::io::Error| {
            Error::bad_input(format_args!("read the recorded pauses in {}", path.display()), why)
                .remedy("give a file with a span a line, or a JVM's log (-Xlog:gc or -Xlog:safepoint)")
        };
        let file = File::open(path).map_err(refused)?;
        Recording::of(path, BufReader::new(file), refused)
    }

    fn of(
        path: &Path,
        mut text: impl BufRead,
        refused: impl Fn(std::io::Error) -> Error,
    ) -> Result<Recording> {
        let (mut line, mut number) = (Vec::new(), 0);
        let (mut spans, mut log) = (Vec::new(), None::<Log>);
        loop {
            line.clear();
            let read = (&mut text).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(&refused)?;
            if read == 0 {
                break;
            }
            number += 1;
            let at = |why: Flaw| why.at(path, number);
            let is_whole = line.last() == Some(&b'\n');
            if !is_whole && read as u64 == LONGEST_LINE {
                return Err(at(Flaw::new(1, "it is longer than 64 KiB", "give a text file")));
            }
            let words = std::str::from_utf8(&line)
                .map_err(|_| at(Flaw::new(1, "it is no text", "give a text file")))?
                .trim_end();
            match &mut log {
                None if spans.is_empty() && jvm::begins(words) => {
                    log.insert(Log::new()).line(words, is_whole)
                }
                None => add_span(&mut spans, words),
                Some(log) => log.line(words, is_whole),
            }
            .map_err(at)?;
            if spans.len().max(log.as_ref().map_or(0, Log::count)) > MOST {
                let why = format!("there are more than {MOST} pauses before it");
                return Err(at(Flaw::new(1, why, "give a part of the file")));
            }
        }
        let (format, lengths, gaps) = match log {
            Some(log) => log.finish(),
            None => (Format::Spans, spans, None),
        };
        if lengths.is_empty() {
            let why = match format {
                Format::Spans if number == 0 => "it is empty",
                Format::Spans => "there is no span in it",
                _ => "it is a JVM log without a pause",
            };
            return Err(refused(std::io::Error::new(std::io::ErrorKind::InvalidData, why)));
        }
        Ok(Recording { format, lengths, gaps })
    }

    /// The gaps to draw from: of a log those between its pauses, of a list the list itself.
    pub(super) fn into_gaps(self, path: &Path) -> Result<Vec<Span>> {
        match self.gaps {
            _ if self.format == Format::Spans => Ok(self.lengths),
            Some(gaps) if !gaps.is_empty() => Ok(gaps),
            _ => Err(Error::bad_input(
                format_args!("take the gaps between the pauses in {}", path.display()),
                "it does not say when they were, or has one alone",
            )
            .remedy("write the JVM's log with its uptime, or give the gap as a length")),
        }
    }
}

/// What is wrong with a line, and at which character, from one.
#[derive(Debug)]
struct Flaw {
    column: usize,
    why: String,
    remedy: String,
}

impl Flaw {
    fn new(column: usize, why: impl fmt::Display, remedy: impl fmt::Display) -> Flaw {
        Flaw { column, why: why.to_string(), remedy: remedy.to_string() }
    }

    fn at(self, path: &Path, line: usize) -> Error {
        let attempted = format!("read the recorded pauses in {}", path.display());
        let why = format!("line {line}, character {}: {}", self.column, self.why);
        Error::bad_input(attempted, why).remedy(self.remedy)
    }
}

/// A line of a list.
fn add_span(spans: &mut Vec<Span>, line: &str) -> std::result::Result<(), Flaw> {
    let text = line.split('#').next().unwrap_or(line);
    if text.trim().is_empty() {
        return Ok(());
    }
    let column = text.chars().take_while(|c| c.is_whitespace()).count() + 1;
    let span = parse_span(text.trim()).map_err(|error| {
        let remedy = error.help().unwrap_or("write a span a line, such as 250ms").to_owned();
        Flaw { column, why: format!("'{}' is no span: {}", text.trim(), error.why()), remedy }
    })?;
    spans.push(within_bounds(span, column)?);
    Ok(())
}

/// A recorded span, if it can be drawn.
fn within_bounds(span: Span, column: usize) -> std::result::Result<Span, Flaw> {
    if span > Span::ZERO && span <= LONGEST {
        return Ok(span.max(SHORTEST));
    }
    let why = format!("{} is not above 0s and at most {}", format_span(span), format_span(LONGEST));
    Err(Flaw::new(column, why, "take the line out"))
}
