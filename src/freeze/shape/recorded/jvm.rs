//! The pauses in a JVM's unified log (JEP 158; JDK 9 and newer).
//!
//! Two kinds of lines tell of pauses. A collection is logged at its end:
//!
//! ```text
//! [0.331s][info][gc          ] GC(0) Pause Young (Normal) (G1 Evacuation Pause) 6M->3M(96M) 3.967ms
//! ```
//!
//! and so are the pauses of the collectors that work concurrently (`GC(0) Pause Init Mark 0.024ms`). A safepoint is
//! every stop of all threads, for whatever cause, from the wish to stop until they run again:
//!
//! ```text
//! [0.333s][info][safepoint   ] Safepoint "G1CollectForAllocation", Time since last: 302434323 ns, ..., Total: 5978852 ns
//! [0.333s][info][safepoint   ] Total time for which application threads were stopped: 0.0059788 seconds, ...
//! ```
//!
//! (the second up to JDK 12). Each collection is within a safepoint: so in a log that has both, the safepoints alone
//! count. All other lines of a log are passed over.
//!
//! What must hold: a line that begins as one of these and does not end so is an error, unless it is the last one and
//! has no end yet, since a log may be read while it is written.

use super::{Flaw, Format, SHORTEST, within_bounds};
use crate::Span;

const REMEDY: &str = "give a log as -Xlog:gc or -Xlog:safepoint writes it, or a list with a span a line";

/// Pauses of one kind, and what was between them.
#[derive(Debug, Default)]
struct Pauses {
    lengths: Vec<Span>,
    gaps: Vec<Span>,
    /// When the last one ended, by the JVM's uptime.
    last_end: Option<Span>,
}

/// What has been read of a log.
#[derive(Debug)]
pub(super) struct Log {
    collections: Pauses,
    safepoints: Pauses,
}

/// Whether a log begins with this line: with a decoration in brackets.
pub(super) fn begins(line: &str) -> bool {
    line.starts_with('[') && line.contains(']')
}

impl Log {
    pub(super) fn new() -> Log {
        Log { collections: Pauses::default(), safepoints: Pauses::default() }
    }

    /// How many pauses it has so far.
    pub(super) fn count(&self) -> usize {
        self.collections.lengths.len().max(self.safepoints.lengths.len())
    }

    /// Takes a line; `is_whole` if it has its end.
    pub(super) fn line(&mut self, line: &str, is_whole: bool) -> Result<(), Flaw> {
        match self.take(line) {
            Err(_) if !is_whole => Ok(()),
            other => other,
        }
    }

    fn take(&mut self, line: &str) -> Result<(), Flaw> {
        let line = Line::cut(line);
        if let Some(cause) = line.message.strip_prefix("Safepoint \"") {
            let total = line.between(cause, "Total: ", " ns")?;
            let since = line.between(cause, "Time since last: ", " ns").ok();
            let gap = since.and_then(nanos);
            let length = line.length(nanos(total), total)?;
            self.safepoints.add(length, line.uptime, gap);
        }
        if line.message.starts_with("Total time for which application threads were stopped: ") {
            let total = line.between(line.message, "stopped: ", " seconds")?;
            self.safepoints.add(line.length(decimal(total, 9), total)?, line.uptime, None);
        }
        if let Some(total) = line.end_of_pause() {
            let length = line.length(total.strip_suffix("ms").and_then(|text| decimal(text, 6)), total)?;
            self.collections.add(length, line.uptime, None);
        }
        Ok(())
    }

    /// Which kind counts, and what there is of it.
    pub(super) fn finish(self) -> (Format, Vec<Span>, Option<Vec<Span>>) {
        let (format, pauses) = match self.safepoints.lengths.is_empty() {
            true => (Format::JvmCollections, self.collections),
            false => (Format::JvmSafepoints, self.safepoints),
        };
        (format, pauses.lengths, Some(pauses.gaps).filter(|gaps| !gaps.is_empty()))
    }
}

impl Pauses {
    /// Adds one that is logged at its end; `gap` is the time since the last one, if the line says it.
    fn add(&mut self, length: Span, end: Option<Span>, gap: Option<Span>) {
        let begin = end.map(|end| end.saturating_add(length.saturating_neg()));
        let between =
            begin.zip(self.last_end).map(|(begin, last)| begin.saturating_add(last.saturating_neg()));
        // Before the first one there was none. Logs that were joined go back in time.
        if let Some(gap) = gap.or(between).filter(|_| !self.lengths.is_empty())
            && let Ok(gap) = within_bounds(gap, 1)
        {
            self.gaps.push(gap.max(SHORTEST));
        }
        self.lengths.push(length);
        self.last_end = end;
    }
}

/// A line of a log, cut into its decorations and what it says.
struct Line<'a> {
    whole: &'a str,
    uptime: Option<Span>,
    message: &'a str,
}

impl<'a> Line<'a> {
    fn cut(whole: &'a str) -> Line<'a> {
        let mut line = Line { whole, uptime: None, message: whole };
        while let Some((decoration, rest)) =
            line.message.strip_prefix('[').and_then(|text| text.split_once(']'))
        {
            line.uptime = line.uptime.or_else(|| uptime(decoration));
            line.message = rest;
        }
        line.message = line.message.trim_start();
        line
    }

    /// How long a pause took, if it is `GC(7) Pause ... 3.967ms`. A line that announces one ends with a word; in
    /// `GC(7) Y: Pause Mark Start` the generation comes first.
    fn end_of_pause(&self) -> Option<&'a str> {
        let (_, said) = self.message.strip_prefix("GC(")?.split_once(") ")?;
        let said = said.split_once(": ").filter(|(word, _)| word.len() == 1).map_or(said, |(_, rest)| rest);
        let last = said.strip_prefix("Pause ")?.rsplit(' ').next()?;
        last.starts_with(|c: char| c.is_ascii_digit()).then_some(last)
    }

    fn between(&self, text: &'a str, before: &str, after: &str) -> Result<&'a str, Flaw> {
        let rest = text.split_once(before).map(|(_, rest)| rest);
        let value = rest.and_then(|rest| rest.split_once(after)).map(|(value, _)| value);
        value.ok_or_else(|| self.flaw(self.message, format_args!("it has no '{before}...{after}'")))
    }

    /// The length that was read, if it was one.
    fn length(&self, read: Option<Span>, from: &str) -> Result<Span, Flaw> {
        let no_length = || self.flaw(from, format_args!("'{from}' is not how long a pause was"));
        // A pause too short for the log's digits was one all the same.
        let read = read.ok_or_else(no_length)?.max(SHORTEST);
        within_bounds(read, self.column(from))
    }

    fn flaw(&self, at: &str, why: impl std::fmt::Display) -> Flaw {
        Flaw::new(self.column(at), why, REMEDY)
    }

    /// At which character of the line a part of it begins.
    fn column(&self, part: &str) -> usize {
        let at = (part.as_ptr() as usize).saturating_sub(self.whole.as_ptr() as usize);
        self.whole.get(..at).unwrap_or_default().chars().count() + 1
    }
}

/// The uptime in a decoration: `0.331s`, `331ms` or `331000000ns`.
fn uptime(decoration: &str) -> Option<Span> {
    let text = decoration.trim();
    if let Some(text) = text.strip_suffix("ns") {
        return nanos(text);
    }
    text.strip_suffix("ms")
        .and_then(|text| decimal(text, 6))
        .or_else(|| text.strip_suffix('s').and_then(|text| decimal(text, 9)))
}

fn nanos(text: &str) -> Option<Span> {
    decimal(text, 0)
}

/// A decimal number of units of 10^`scale` nanoseconds. Some locales have a comma in it.
fn decimal(text: &str, scale: u32) -> Option<Span> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let mut nanos = whole.checked_mul(10_i64.pow(scale))?;
    let mut unit = 10_i64.pow(scale);
    for digit in fraction.bytes() {
        unit /= 10;
        nanos = nanos.checked_add(unit * i64::from(digit - b'0'))?;
    }
    Some(Span::from_nanos(nanos))
}
