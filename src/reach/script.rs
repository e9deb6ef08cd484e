//! What a script runs: the `#!` line as the kernel reads it, and the line of env(1) as env reads it.
//!
//! What must hold: any bytes give an answer, none a panic; what is read here is what the kernel and env would
//! execute, since the answer decides whether the shim gets in.
//!
//! Source: execve(2), the kernel's `fs/binfmt_script.c`; env(1) and coreutils' `src/env.c`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How much of a file the kernel looks at (`BINPRM_BUF_SIZE`).
pub const HEAD: usize = 256;

/// The first line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shebang {
    /// The program that the kernel executes.
    pub interpreter: PathBuf,
    /// Everything after it, as the one argument that the kernel makes of it.
    pub argument: Option<OsString>,
}

/// The `#!` line at the start of a file, if the kernel would take it for one.
#[must_use]
pub fn shebang(head: &[u8]) -> Option<Shebang> {
    let head = &head[..head.len().min(HEAD)];
    let rest = head.strip_prefix(b"#!")?;
    let newline = rest.iter().position(|byte| *byte == b'\n');
    // At the end of a short file a NUL that the kernel has put there ends the line.
    let ended = newline.is_some() || head.len() < HEAD;
    let line = &rest[..newline.unwrap_or(rest.len())];
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default().trim_ascii_start_blank();
    let end = line.iter().position(|byte| is_blank(*byte));
    if end.is_none() && !ended {
        return None; // The interpreter's name is cut off: the kernel refuses to guess.
    }
    let (name, argument) = line.split_at(end.unwrap_or(line.len()));
    let argument = argument.trim_ascii_start_blank().trim_ascii_end_blank();
    (!name.is_empty()).then(|| Shebang {
        interpreter: PathBuf::from(OsStr::from_bytes(name)),
        argument: (!argument.is_empty()).then(|| OsStr::from_bytes(argument).to_owned()),
    })
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Trimming of what the kernel calls blank: spaces and tabs, and not carriage returns.
trait Blank {
    fn trim_ascii_start_blank(&self) -> &Self;
    fn trim_ascii_end_blank(&self) -> &Self;
}

impl Blank for [u8] {
    fn trim_ascii_start_blank(&self) -> &[u8] {
        let start = self.iter().position(|byte| !is_blank(*byte)).unwrap_or(self.len());
        &self[start..]
    }

    fn trim_ascii_end_blank(&self) -> &[u8] {
        let end = self.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
        &self[..end]
    }
}

/// Whether a file looks like text: what a shell tests before it reads a file that the kernel did not know.
#[must_use]
pub fn is_text(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    !line.contains(&0)
}

/// Whether an interpreter is env(1), which only passes on to another program.
#[must_use]
pub fn is_env(interpreter: &Path) -> bool {
    interpreter.file_name() == Some(OsStr::new("env"))
}

/// What an env(1) command line does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvLine {
    /// The program that env looks for in `PATH`.
    pub program: Option<OsString>,
    /// The `PATH` that it looks in, where the line sets one.
    pub path_var: Option<OsString>,
    /// Whether the program starts without the `LD_PRELOAD` that env was given.
    pub drops_preload: bool,
}

/// Reads the argument that the kernel hands to env for a script.
#[must_use]
pub fn env_line(argument: Option<&OsStr>) -> EnvLine {
    let mut words: Vec<Vec<u8>> = argument.iter().map(|arg| arg.as_bytes().to_vec()).rev().collect();
    let mut line = EnvLine::default();
    // The words still to be read, the next one last.
    while let Some(word) = words.pop() {
        if let Some(split) = split_string_option(&word) {
            let text = if split.is_empty() { words.pop().unwrap_or_default() } else { split };
            words.extend(split_words(&text).into_iter().rev());
        } else if word == b"--" {
            if line.program.is_none() {
                line.program = words.pop().map(OsString::from_vec);
            }
            return line;
        } else if word == b"-" || word == b"--ignore-environment" {
            line.drops_preload = true;
        } else if let Some(name) = word.strip_prefix(b"--unset=") {
            line.drops_preload |= name == b"LD_PRELOAD";
        } else if [b"--unset".as_slice(), b"--chdir", b"--argv0"].contains(&word.as_slice()) {
            let value = words.pop().unwrap_or_default();
            line.drops_preload |= word == b"--unset" && value == b"LD_PRELOAD";
        } else if word.starts_with(b"--") {
            // Signal handling and --debug change nothing here.
        } else if let Some(letters) = word.strip_prefix(b"-") {
            short_options(letters, &mut words, &mut line);
        } else if let Some(equals) = word.iter().position(|byte| *byte == b'=') {
            let (name, value) = (&word[..equals], &word[equals + 1..]);
            line.drops_preload |= name == b"LD_PRELOAD";
            if name == b"PATH" {
                line.path_var = Some(OsStr::from_bytes(value).to_owned());
            }
        } else {
            line.program = Some(OsString::from_vec(word));
            return line;
        }
    }
    line
}

/// The text of `-S TEXT` in any of its spellings, empty when it is the next word.
fn split_string_option(word: &[u8]) -> Option<Vec<u8>> {
    if word == b"--split-string" {
        return Some(Vec::new());
    }
    if let Some(text) = word.strip_prefix(b"--split-string=") {
        return Some(text.to_vec());
    }
    let letters = word.strip_prefix(b"-")?;
    let at = letters.iter().position(|byte| *byte == b'S')?;
    // Only options without a value may stand before it in the same word; -i there is kept as a word of its own.
    let before = &letters[..at];
    if !before.iter().all(|byte| b"iv0".contains(byte)) {
        return None;
    }
    let mut text = letters[at + 1..].to_vec();
    if before.contains(&b'i') {
        text.splice(0..0, *b"-i ");
    }
    Some(text)
}

fn short_options(letters: &[u8], words: &mut Vec<Vec<u8>>, line: &mut EnvLine) {
    for (at, letter) in letters.iter().enumerate() {
        match letter {
            b'i' => line.drops_preload = true,
            b'u' | b'C' | b'a' => {
                let rest = &letters[at + 1..];
                let value = if rest.is_empty() { words.pop().unwrap_or_default() } else { rest.to_vec() };
                line.drops_preload |= *letter == b'u' && value == b"LD_PRELOAD";
                return;
            }
            _ => {}
        }
    }
}

/// Splits as `env -S` does: blanks separate, quotes and backslashes protect, `#` begins a comment.
fn split_words(text: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (_, b'\\') => match bytes.next() {
                Some(b'_') if quote.is_none() => words.extend(word.take()),
                Some(b'c') if quote.is_none() => break,
                Some(escaped) => word.get_or_insert_default().push(match escaped {
                    b'_' => b' ',
                    b't' => b'\t',
                    b'n' => b'\n',
                    other => other,
                }),
                None => {}
            },
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (None, b'#') if word.is_none() => break,
            (None, _) if byte.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(head: &[u8]) -> Option<(String, Option<String>)> {
        shebang(head).map(|line| {
            let text = |os: &OsStr| os.to_str().unwrap().to_owned();
            (text(line.interpreter.as_os_str()), line.argument.as_deref().map(text))
        })
    }

    #[test]
    fn first_lines_are_read_as_the_kernel_reads_them() {
        let found = |name: &str, argument: Option<&str>| Some((name.into(), argument.map(Into::into)));
        assert_eq!(parts(b"#!/bin/sh\necho"), found("/bin/sh", None));
        assert_eq!(parts(b"#! \t/bin/sh -e  -u \t\n"), found("/bin/sh", Some("-e  -u")));
        assert_eq!(parts(b"#!/bin/sh"), found("/bin/sh", None));
        assert_eq!(parts(b"#!/bin/sh\r\n"), found("/bin/sh\r", None));
        assert_eq!(parts(b"#!/bin/sh\0x\n"), found("/bin/sh", None));
        for none in [b"#!\n/bin/sh".as_slice(), b"#!  \n", b"#!", b"#", b"", b"\x7fELF"] {
            assert_eq!(parts(none), None);
        }
        let long = [b"#!".as_slice(), &[b'x'; 300], b"\n"].concat();
        assert_eq!(parts(&long), None, "a name that is cut off");
        let long = [b"#!/bin/sh ".as_slice(), &[b'x'; 300], b"\n"].concat();
        assert_eq!(parts(&long).unwrap().0, "/bin/sh", "an argument that is cut off");
    }

    #[test]
    fn env_names_the_program_that_really_runs() {
        let program =
            |line: &str| env_line(Some(OsStr::new(line))).program.map(|name| name.into_string().unwrap());
        for (line, name) in [
            ("python3", "python3"),
            ("-S python3 -u", "python3"),
            ("-Spython3 -u", "python3"),
            ("-vS A=1 -u HOME node --x", "node"),
            ("--split-string=perl -w", "perl"),
            ("-S 'my tool' x", "my tool"),
            ("-S my\\_tool", "my"),
            ("-S -- ruby", "ruby"),
            ("-S -C /tmp -uA ruby", "ruby"),
        ] {
            assert_eq!(program(line).as_deref(), Some(name), "{line}");
        }
        assert_eq!(program("-S # nothing"), None);
        assert_eq!(env_line(None), EnvLine::default());
    }

    #[test]
    fn env_lines_that_take_the_preload_away_are_seen() {
        let line = |text: &str| env_line(Some(OsStr::new(text)));
        for text in [
            "-S -i sh",
            "-iS sh",
            "-S - sh",
            "-S -u LD_PRELOAD sh",
            "-S -uLD_PRELOAD sh",
            "-S --unset=LD_PRELOAD sh",
            "-S LD_PRELOAD=x sh",
        ] {
            assert!(line(text).drops_preload, "{text}");
            assert_eq!(line(text).program.unwrap(), "sh", "{text}");
        }
        assert!(!line("-S -u HOME sh").drops_preload);
        assert_eq!(line("-S PATH=/opt/bin sh").path_var.unwrap(), "/opt/bin");
    }

    #[test]
    fn text_is_told_from_binary_as_a_shell_does() {
        assert!(is_text(b"") && is_text(b"echo hello\n\0"));
        assert!(!is_text(b"MZ\0\0"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = shebang(&bytes);
            let _ = is_text(&bytes);
            let _ = env_line(Some(OsStr::from_bytes(&bytes)));
            let option = [b"-S".as_slice(), &bytes].concat();
            let _ = env_line(Some(OsStr::from_bytes(&option)));
        }
    }
}
