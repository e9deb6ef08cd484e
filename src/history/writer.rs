//! Writing a history.
//!
//! What must hold: a line is one write, so that it is there whole or not at all, whoever is killed; after a failure nothing
//! more is written, since a line after a torn one could not be read.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::event::{Event, Header, Line};
use crate::error::{Error, Result};
use crate::{HostInstant, host_clock};

/// Something that is told of each line.
pub type Observer = Box<dyn FnMut(&Line) + Send>;

/// Writes a history to a file, or to nobody but an observer.
pub struct Writer {
    file: Option<(File, PathBuf)>,
    observer: Option<Observer>,
    failed: Option<Error>,
}

impl Writer {
    /// One that writes to a file, if one is named; an existing one is replaced only if `overwrite` says so.
    pub fn create(path: Option<&Path>, overwrite: bool, observer: Option<Observer>) -> Result<Writer> {
        let open = |path: &Path| {
            let refused = |why: std::io::Error| {
                let attempted = format!("write the history {}", path.display());
                match why.kind() {
                    std::io::ErrorKind::AlreadyExists => {
                        Error::bad_input(attempted, "there is a file of that name")
                            .remedy("choose another name, or add --overwrite")
                    }
                    _ => Error::bad_input(attempted, why),
                }
            };
            let mut options = OpenOptions::new();
            options.append(true);
            if overwrite {
                options.create(true)
            } else {
                options.create_new(true)
            };
            let file = options.open(path).map_err(refused)?;
            if overwrite && file.metadata().is_ok_and(|data| data.is_file()) {
                file.set_len(0).map_err(refused)?;
            }
            Ok::<_, Error>((file, path.to_owned()))
        };
        Ok(Writer { file: path.map(open).transpose()?, observer, failed: None })
    }

    /// Writes the first line.
    pub fn begin(&mut self, header: &Header) {
        self.put(header);
    }

    /// Writes what happens now.
    pub fn now(&mut self, event: Event) {
        self.at(host_clock::monotonic(), event);
    }

    /// Writes what happens at an instant of its own.
    pub fn at(&mut self, at: HostInstant, event: Event) {
        let ahead = host_clock::realtime().saturating_sub(host_clock::monotonic().as_nanos());
        let line = Line { at_ns: at.as_nanos(), wall_ns: at.as_nanos().saturating_add(ahead), event };
        self.put(&line);
        if let Some(observer) = &mut self.observer {
            observer(&line);
        }
    }

    /// Why nothing is written any more.
    pub fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    fn put(&mut self, line: &impl Serialize) {
        let Some((file, path)) = self.file.as_mut().filter(|_| self.failed.is_none()) else { return };
        let written = serde_json::to_vec(line).map_err(std::io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            file.write_all(&bytes)
        });
        if let Err(why) = written {
            let attempted = format!("write the history {}", path.display());
            let error = Error::not_applied(attempted, why);
            self.failed =
                Some(error.remedy("what was recorded is kept; make room, and play the scenario again"));
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("file", &self.file)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
