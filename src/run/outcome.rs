//! What became of the program, and the exit code that says so.
//!
//! Source: wait(2); the shell's 128+N for a program that signal N ended.

use serde::Serialize;

/// A change in the state of a child, out of the number that wait(2) gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has ended.
    Ended(Outcome),
    /// A signal stopped it.
    Stopped(i32),
    /// It goes on.
    Continued,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

impl Change {
    /// What a raw wait status says.
    pub fn of_status(status: i32) -> Self {
        if libc::WIFSTOPPED(status) {
            Change::Stopped(libc::WSTOPSIG(status))
        } else if libc::WIFCONTINUED(status) {
            Change::Continued
        } else if libc::WIFSIGNALED(status) {
            Change::Ended(Outcome::Signal(libc::WTERMSIG(status)))
        } else {
            Change::Ended(Outcome::Code(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX)))
        }
    }
}

impl Outcome {
    /// The exit code of `run`.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Code(code) => code,
            Outcome::Signal(signal) => u8::try_from(128_i32.saturating_add(signal)).unwrap_or(u8::MAX),
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Code(code) => write!(f, "it ended with exit code {code}"),
            Outcome::Signal(signal) => match nix::sys::signal::Signal::try_from(*signal) {
                Ok(name) => write!(f, "{name} ended it"),
                Err(_) => write!(f, "signal {signal} ended it"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_code_a_signal_or_a_stop() {
        assert_eq!(Change::of_status(0), Change::Ended(Outcome::Code(0)));
        assert_eq!(Change::of_status(255 << 8), Change::Ended(Outcome::Code(255)));
        assert_eq!(Change::of_status(9), Change::Ended(Outcome::Signal(9)));
        assert_eq!(Change::of_status(11 | 0x80), Change::Ended(Outcome::Signal(11)), "with a core");
        assert_eq!(Change::of_status(20 << 8 | 0x7f), Change::Stopped(20));
        assert_eq!(Change::of_status(0xffff), Change::Continued);
    }

    #[test]
    fn a_signal_is_128_and_its_number() {
        assert_eq!(Outcome::Code(7).exit_code(), 7);
        assert_eq!(Outcome::Signal(15).exit_code(), 143);
        assert_eq!(Outcome::Signal(64).exit_code(), 192);
        assert_eq!(Outcome::Signal(2).to_string(), "SIGINT ended it");
        assert_eq!(Outcome::Signal(40).to_string(), "signal 40 ended it");
    }

    #[test]
    fn the_report_has_code_or_signal() {
        let json = |outcome: Outcome| serde_json::to_string(&outcome).unwrap();
        assert_eq!(json(Outcome::Code(3)), r#"{"code":3}"#);
        assert_eq!(json(Outcome::Signal(9)), r#"{"signal":9}"#);
    }
}
