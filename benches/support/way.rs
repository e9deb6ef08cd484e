//! Ways of running a program: bare, under falseticker, under libfaketime.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use super::installed;

/// A way of running a program.
#[derive(Clone, Debug)]
pub struct Way {
    /// What tables call it.
    pub name: &'static str,
    /// The words before the program's own.
    before: Vec<OsString>,
}

impl Way {
    /// The program itself.
    pub fn bare() -> Self {
        Way { name: "bare", before: Vec::new() }
    }

    /// The program itself, which somebody attaches to once it runs.
    pub fn attached(name: &'static str) -> Self {
        Way { name, ..Way::bare() }
    }

    /// `falseticker run FLAGS --`.
    pub fn falseticker(name: &'static str, flags: &[&str]) -> Self {
        let words = [env!("CARGO_BIN_EXE_falseticker"), "run"].iter().chain(flags).chain(&["--"]);
        Way { name, before: words.map(OsString::from).collect() }
    }

    /// `faketime -f BY`, if it is installed.
    pub fn faketime(by: &str) -> Option<Self> {
        Self::libfaketime("libfaketime", &["-f", by])
    }

    /// `faketime -m -f BY`, which preloads the thread-safe build.
    pub fn faketime_mt(by: &str) -> Option<Self> {
        Self::libfaketime("libfaketimeMT", &["-m", "-f", by])
    }

    fn libfaketime(name: &'static str, flags: &[&str]) -> Option<Self> {
        let faketime = installed("faketime")?;
        let flags = flags.iter().map(OsString::from);
        Some(Way { name, before: std::iter::once(faketime.into_os_string()).chain(flags).collect() })
    }

    /// Whether it is libfaketime's.
    pub fn is_rival(&self) -> bool {
        self.name.starts_with("libfaketime")
    }

    /// A command that runs `program` this way; its own arguments are to follow.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match self.before.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        }
    }
}

/// libfaketime's two builds, as far as they are installed, an hour back.
pub fn rivals() -> Vec<Way> {
    rivals_at("-1h")
}

/// The same, this far off.
pub fn rivals_at(by: &str) -> Vec<Way> {
    let found: Vec<Way> = Way::faketime(by).into_iter().chain(Way::faketime_mt(by)).collect();
    if found.is_empty() {
        super::skip("libfaketime", "faketime");
    }
    found
}
