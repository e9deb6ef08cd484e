//! The one error type: what was attempted, why it failed, what to do, and the exit code that says so.
//!
//! What must hold: an error is built only by one of the constructors, each of which is a class of failure with
//! an exit code of its own; the text of an error never needs the source code to be understood.

use std::fmt;

use serde::Serialize;

/// The class of a failure; it decides the exit code (see [`ErrorKind::exit_code`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The command worked and the answer is no: evidence did not arrive in time, say.
    No,
    /// Bad input: a span, an instant, a name, an unknown node. Nothing was changed.
    BadInput,
    /// The fault could not be applied. Nothing is in force.
    NotApplied,
    /// A signal ended the command.
    Interrupted,
    /// `run`: the command exists and cannot be executed.
    CannotExecute,
    /// `run`: there is no such command.
    NotFound,
}

impl ErrorKind {
    /// The exit code of every command but `run`, whose own failures are all 125 but for
    /// [`ErrorKind::CannotExecute`] and [`ErrorKind::NotFound`].
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::No => 1,
            ErrorKind::BadInput => 2,
            ErrorKind::NotApplied => 3,
            ErrorKind::CannotExecute => 126,
            ErrorKind::NotFound => 127,
            ErrorKind::Interrupted => 130,
        }
    }

    /// The exit code of the same failure in `run`, where the low numbers belong to the program.
    pub fn run_exit_code(self) -> u8 {
        match self {
            ErrorKind::CannotExecute => 126,
            ErrorKind::NotFound => 127,
            _ => 125,
        }
    }
}

/// A failure: what was attempted on what, why it failed, and what the user can do.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    attempted: String,
    why: String,
    remedy: Option<String>,
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a given class. `attempted` reads after "cannot": `"jump node a by -1h"`.
    pub fn new(kind: ErrorKind, attempted: impl fmt::Display, why: impl fmt::Display) -> Self {
        Error { kind, attempted: attempted.to_string(), why: why.to_string(), remedy: None }
    }

    /// Bad input, found before anything was changed.
    pub fn bad_input(attempted: impl fmt::Display, why: impl fmt::Display) -> Self {
        Error::new(ErrorKind::BadInput, attempted, why)
    }

    /// A fault, or whatever it needs, could not be put in force.
    pub fn not_applied(attempted: impl fmt::Display, why: impl fmt::Display) -> Self {
        Error::new(ErrorKind::NotApplied, attempted, why)
    }

    /// The same error with what the user can do about it: a sentence in the imperative.
    #[must_use]
    pub fn remedy(mut self, remedy: impl fmt::Display) -> Self {
        self.remedy = Some(remedy.to_string());
        self
    }

    /// The class of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was attempted, to be read after "cannot".
    pub fn attempted(&self) -> &str {
        &self.attempted
    }

    /// Why it failed.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// What the user can do, where something can be done.
    pub fn help(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.attempted, self.why)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  help: {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
