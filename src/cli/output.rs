//! What a command says: lines for people, or with `--json` one object.
//!
//! What must hold: with `--json` standard output holds exactly one JSON object, on an error too (the same error is on
//! standard error as text); a reader that has gone away is no failure, any other failure to write is one.

use std::io::{ErrorKind as IoErrorKind, Write};

use falseticker::{Error, Result};
use serde_json::{Value, json};

use super::exit;

/// What a command has to say in the end.
#[derive(Debug)]
pub struct Reply {
    text: Vec<u8>,
    json: Option<Value>,
    code: u8,
}

impl Reply {
    /// It is done: in words, and as an object.
    pub fn done(text: impl Into<Vec<u8>>, json: Value) -> Self {
        Reply { text: text.into(), json: Some(json), code: exit::DONE }
    }

    /// A text that is the same with `--json`: generated files.
    pub fn verbatim(text: impl Into<Vec<u8>>) -> Self {
        Reply { text: text.into(), json: None, code: exit::DONE }
    }

    /// Nothing to say: the exit code is another program's.
    pub fn silent(code: u8) -> Self {
        Reply { code, ..Reply::verbatim("") }
    }

    /// The same with one more field in the object, if that is what is printed.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: Value) -> Self {
        if let Some(json) = &mut self.json {
            json[name] = value;
        }
        self
    }

    /// The same with another exit code.
    #[must_use]
    pub fn with_code(self, code: u8) -> Self {
        Reply { code, ..self }
    }

    /// The exit code.
    #[cfg(test)]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// What is printed for people.
    #[cfg(test)]
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

/// Where it is said.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// For people, or for programs.
    pub fn new(json: bool) -> Self {
        Output { json }
    }

    /// Says something to people before the command is over.
    pub fn say(&self, line: &str) -> Result<()> {
        if self.json { Ok(()) } else { write(format!("{line}\n").as_bytes()) }
    }

    /// Says the rest; what comes back is the exit code.
    pub fn finish(&self, reply: Reply) -> Result<u8> {
        match &reply.json {
            Some(json) if self.json => write(format!("{json}\n").as_bytes())?,
            _ if reply.text.is_empty() => {}
            _ => write(&with_newline(reply.text))?,
        }
        Ok(reply.code)
    }

    /// Says why the command failed; what comes back is the exit code.
    pub fn refuse(&self, error: &Error, code: u8) -> u8 {
        complain(error);
        if self.json {
            // Whoever cannot be told on standard output has been told on standard error.
            let _ = write(format!("{}\n", json!({ "error": error_json(error), "exit": code })).as_bytes());
        }
        code
    }
}

/// An error on standard error.
pub fn complain(error: &Error) {
    let _ = writeln!(std::io::stderr(), "falseticker: {error}");
}

/// An error as an object.
pub fn error_json(error: &Error) -> Value {
    json!({
        "kind": error.kind(),
        "attempted": error.attempted(),
        "why": error.why(),
        "help": error.help(),
    })
}

fn with_newline(mut text: Vec<u8>) -> Vec<u8> {
    if text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    text
}

/// Writes to standard output at once.
fn write(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(why) if why.kind() != IoErrorKind::BrokenPipe => {
            Err(Error::not_applied("write to standard output", why))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_an_object_of_four_fields() {
        let error = Error::bad_input("use node a", "there is none");
        let expected = json!({
            "kind": "bad-input", "attempted": "use node a", "why": "there is none", "help": null,
        });
        assert_eq!(error_json(&error), expected);
        assert_eq!(error_json(&error.remedy("make it"))["help"], "make it");
    }

    #[test]
    fn a_text_ends_with_one_newline() {
        assert_eq!(with_newline(b"a".to_vec()), b"a\n");
        assert_eq!(with_newline(b"a\n".to_vec()), b"a\n");
    }
}
