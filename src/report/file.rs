//! The files that reports are written to.
//!
//! What must hold: a file that is there is replaced only if that is asked for, and only once what replaces it has been made; a
//! name that cannot be written is refused before anything is done whose outcome would be lost.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file that is to be written.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    /// Whether it was made here, and goes again unless it is written.
    is_new: bool,
}

impl Target {
    /// Claims a name; an existing file is replaced only if `overwrite` says so.
    pub fn claim(path: &Path, overwrite: bool) -> Result<Target> {
        let created = OpenOptions::new().write(true).create_new(true).open(path);
        match created {
            Ok(_) => Ok(Target { path: path.to_owned(), is_new: true }),
            Err(why) if why.kind() == ErrorKind::AlreadyExists && overwrite => {
                OpenOptions::new().append(true).open(path).map_err(|why| refused(path, why))?;
                Ok(Target { path: path.to_owned(), is_new: false })
            }
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {
                Err(refused(path, "there is a file of that name")
                    .remedy("choose another name, or add --overwrite"))
            }
            Err(why) => Err(refused(path, why)),
        }
    }

    /// Writes it.
    pub fn write(mut self, bytes: &[u8]) -> Result<()> {
        let file = OpenOptions::new().write(true).truncate(true).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(bytes));
        written.map_err(|why| Error::not_applied(format_args!("write {}", self.path.display()), why))?;
        self.is_new = false;
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.is_new {
            // Nothing was written to it; that it stays is no harm but for its name.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn refused(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::bad_input(format_args!("write {}", path.display()), why)
}
