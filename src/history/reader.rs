//! Reading a history, also one that is still written.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use super::event::{Header, Line};
use super::{FORMAT, VERSION};
use crate::error::{Error, Result};

/// A line that is longer is no line of a history.
const LONGEST_LINE: u64 = 16 << 20;

/// Reads a history line by line.
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<R>,
    name: String,
    header: Header,
    number: usize,
    /// What has come of a line whose end has not.
    begun: Vec<u8>,
}

/// As much of a header as says whether the rest can be read.
#[derive(Deserialize)]
struct Kind {
    format: String,
    version: u32,
}

impl Reader<File> {
    /// That of a file.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|why| Error::bad_input(format_args!("read the history {name}"), why))?;
        Reader::new(file, &name)
    }
}

impl<R: Read> Reader<R> {
    /// That of any input; `name` is what errors call it.
    pub fn new(input: R, name: &str) -> Result<Self> {
        let mut reader = Reader {
            input: BufReader::new(input),
            name: name.to_owned(),
            header: Header {
                format: String::new(),
                version: 0,
                tool: String::new(),
                scenario: String::new(),
                seed: 0,
                started: String::new(),
                duration_ns: 0,
                recovery_ns: 0,
                clocks: Vec::new(),
                nodes: Vec::new(),
            },
            number: 0,
            begun: Vec::new(),
        };
        let first = reader.next_bytes()?.unwrap_or_else(|| std::mem::take(&mut reader.begun));
        if first.is_empty() {
            return Err(reader.refused("it is empty"));
        }
        let kind: Kind =
            serde_json::from_slice(&first).map_err(|_| reader.refused("line 1 is no header of a history"))?;
        if kind.format != FORMAT {
            return Err(reader.refused(&format!("line 1 says that it is '{}'", kind.format)));
        }
        if kind.version > VERSION || kind.version == 0 {
            let why =
                format!("it is of version {}, and this falseticker reads up to {VERSION}", kind.version);
            return Err(reader.refused(&why).remedy("use a newer falseticker"));
        }
        reader.header =
            serde_json::from_slice(&first).map_err(|why| reader.refused(&format!("line 1: {why}")))?;
        Ok(reader)
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the line that came last.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The next line; `None` at the end, for now: a history that is still written may have more later.
    pub fn next_line(&mut self) -> Result<Option<Line>> {
        let Some(bytes) = self.next_bytes()? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(line) => Ok(Some(line)),
            Err(why) => Err(self.refused(&format!("line {}: {why}", self.number))),
        }
    }

    /// Whether the last line is cut off: its writer was killed in the middle, or is writing it.
    pub fn is_cut_off(&self) -> bool {
        !self.begun.is_empty()
    }

    /// The bytes of the next whole line, without its end.
    fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        let room = LONGEST_LINE.saturating_sub(self.begun.len() as u64);
        let read = self.input.by_ref().take(room).read_until(b'\n', &mut self.begun);
        read.map_err(|why| self.refused(&why.to_string()))?;
        if self.begun.last() == Some(&b'\n') {
            self.number += 1;
            self.begun.pop();
            return Ok(Some(std::mem::take(&mut self.begun)));
        }
        if self.begun.len() as u64 >= LONGEST_LINE {
            return Err(self.refused(&format!("line {} is longer than 16 MiB", self.number + 1)));
        }
        Ok(None)
    }

    fn refused(&self, why: &str) -> Error {
        Error::bad_input(format_args!("read the history {}", self.name), why)
    }
}
