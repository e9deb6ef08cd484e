//! The exit codes: one table, which `--help` and the man page print.
//!
//! What must hold: no code is given that is not in it, and every class of failure has its row.

use std::fmt::Write as _;

use falseticker::{Error, ErrorKind};

/// An exit code and when it is given.
#[derive(Debug)]
pub struct Row {
    /// What begins the line: a code or a range of them.
    pub code: &'static str,
    /// When every command but `run` gives it; empty if it never does.
    pub commands: &'static str,
    /// When `run` gives it; empty if it has no meaning of its own there.
    pub run: &'static str,
}

/// All exit codes.
pub const TABLE: &[Row] = &[
    Row { code: "0", commands: "done", run: "" },
    Row { code: "1", commands: "the answer is no: no evidence by --wait, say", run: "" },
    Row { code: "2", commands: "usage or bad input; nothing was changed", run: "" },
    Row { code: "3", commands: "not applied", run: "" },
    Row {
        code: "125",
        commands: "",
        run: "falseticker itself failed, usage included; the command was not run",
    },
    Row { code: "126", commands: "", run: "the command exists and cannot be run" },
    Row { code: "127", commands: "", run: "there is no such command" },
    Row { code: "130", commands: "interrupted", run: "" },
    Row { code: "others", commands: "", run: "the program's own; 128+N if signal N killed it" },
];

/// The code of a command that has done what it was asked.
pub const DONE: u8 = 0;
/// The code of a command whose answer is no.
pub const NO: u8 = 1;

/// The exit code of a failure.
pub fn code(error: &Error, of_run: bool) -> u8 {
    if of_run { error.kind().run_exit_code() } else { error.kind().exit_code() }
}

/// The code that a range of failures is told by: that of the worst.
pub fn worst(kinds: impl IntoIterator<Item = ErrorKind>) -> u8 {
    kinds.into_iter().map(ErrorKind::exit_code).max().unwrap_or(DONE)
}

/// The table as text, for `--help`.
pub fn text() -> String {
    let mut text = String::from("Exit codes:\n");
    for row in TABLE.iter().filter(|row| !row.commands.is_empty()) {
        let _ = writeln!(text, "  {:<6}  {}", row.code, row.commands);
    }
    text + "\n" + &of_run()
}

/// What `run` exits with, as text.
pub fn of_run() -> String {
    let mut text = String::from("Exit codes of run:\n");
    for row in TABLE.iter().filter(|row| !row.run.is_empty()) {
        let _ = writeln!(text, "  {:<6}  {}", row.code, row.run);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [ErrorKind; 6] = [
        ErrorKind::No,
        ErrorKind::BadInput,
        ErrorKind::NotApplied,
        ErrorKind::Interrupted,
        ErrorKind::CannotExecute,
        ErrorKind::NotFound,
    ];

    fn row(code: u8) -> &'static Row {
        let code = code.to_string();
        TABLE.iter().find(|row| row.code == code).unwrap_or_else(|| panic!("{code} is not in the table"))
    }

    #[test]
    fn every_failure_has_its_row() {
        for kind in KINDS {
            assert!(!row(kind.run_exit_code()).run.is_empty(), "{kind:?}");
            // What cannot be executed is a failure of `run` alone.
            if !matches!(kind, ErrorKind::CannotExecute | ErrorKind::NotFound) {
                assert!(!row(kind.exit_code()).commands.is_empty(), "{kind:?}");
            }
        }
    }

    #[test]
    fn the_codes_are_those_that_are_promised() {
        assert_eq!(KINDS.map(ErrorKind::exit_code), [1, 2, 3, 130, 126, 127]);
        assert_eq!(KINDS.map(ErrorKind::run_exit_code), [125, 125, 125, 125, 126, 127]);
        assert_eq!(row(DONE).commands, "done");
        assert!(row(NO).commands.starts_with("the answer is no"));
    }

    #[test]
    fn the_worst_of_several_counts() {
        assert_eq!(worst([]), 0);
        assert_eq!(worst([ErrorKind::No, ErrorKind::NotApplied, ErrorKind::BadInput]), 3);
    }
}
