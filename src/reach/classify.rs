//! What a command will really run, and all of it that decides how it can be reached.
//!
//! What must hold: scripts and env(1) are followed as the kernel and env would follow them, so that what is
//! classified is the program whose clock is to be false; a program that cannot be examined is refused, never let through.
//!
//! Source: execve(2), ld.so(8), the kernel's `fs/exec.c` (depth of interpreters) and `fs/binfmt_script.c`.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as IoErrorKind, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use object::read::ReadCache;

use super::command::{self, Denied};
use super::elf::{self, Kind, Sanitizer};
use super::privilege::{Caller, FileRights, Raised, raised};
use super::script::{self, EnvLine, Shebang};
use crate::error::{Error, ErrorKind, Result};

/// How many interpreters the kernel goes through before it gives up with ELOOP.
const MAX_INTERPRETERS: usize = 5;

/// The shell that execvp gives a file to that the kernel does not know.
const SHELL: &str = "/bin/sh";

/// What a command really runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The file that was asked for.
    pub command: PathBuf,
    /// The file whose code runs in the end: the command, or the last interpreter.
    pub file: PathBuf,
    /// The interpreters on the way, in the order in which they start.
    pub interpreters: Vec<PathBuf>,
    /// Whether the kernel knows no way to execute the command, and execvp gives it to `/bin/sh`.
    pub by_shell_fallback: bool,
    /// What `file` is.
    pub kind: Kind,
    /// The dynamic loader of `file`.
    pub loader: Option<PathBuf>,
    /// The sanitizer that `file` was built with.
    pub sanitizer: Option<Sanitizer>,
    /// The library that its runtime is, if it is one.
    pub sanitizer_runtime: Option<String>,
    /// Why its exec is a secure one, by which ld.so ignores LD_PRELOAD and the kernel refuses tracers.
    pub raised: Option<Raised>,
    /// Whether the caller may trace it even then.
    pub may_be_traced: bool,
    /// Whether an env line on the way takes LD_PRELOAD away.
    pub drops_preload: bool,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.interpreters.last() {
            Some(interpreter) => write!(f, "script run by {}", interpreter.display()),
            None => self.kind.fmt(f),
        }
    }
}

/// Examines what this process would run by executing `path`, a file that [`resolve`](super::resolve) found.
pub fn classify(path: &Path) -> Result<Program> {
    classify_for(path, &Caller::current(), std::env::var_os("PATH").as_deref())
}

/// The same for any caller and any `PATH` (which env lines search).
pub fn classify_for(path: &Path, caller: &Caller, path_var: Option<&OsStr>) -> Result<Program> {
    let attempted = format!("run {}", path.display());
    let mut interpreters: Vec<PathBuf> = Vec::new();
    let mut by_shell_fallback = false;
    let mut drops_preload = false;
    loop {
        let file = interpreters.last().map_or(path, PathBuf::as_path);
        let (mut opened, head) = open(&attempted, file)?;
        if elf::is_elf(&head) {
            let rights = FileRights::of(&opened).map_err(|err| unreadable(&attempted, file, &err))?;
            let _ = opened.rewind();
            let image = elf::read(&ReadCache::new(opened)).map_err(|err| {
                let why = format!("{} is a damaged ELF file: {err}", file.display());
                Error::new(ErrorKind::CannotExecute, &attempted, why).remedy("build or install it anew")
            })?;
            return Ok(Program {
                command: path.to_path_buf(),
                file: file.to_path_buf(),
                kind: image.kind,
                loader: image.loader,
                sanitizer: image.sanitizer,
                sanitizer_runtime: image.sanitizer_runtime,
                raised: raised(&rights, caller),
                may_be_traced: caller.may_trace,
                interpreters,
                by_shell_fallback,
                drops_preload,
            });
        }
        if interpreters.len() >= MAX_INTERPRETERS {
            let why = format!("its interpreters are themselves scripts, more than {MAX_INTERPRETERS} deep");
            return Err(Error::new(ErrorKind::CannotExecute, attempted, why)
                .remedy("name a program in its first line"));
        }
        let next = if let Some(shebang) = script::shebang(&head) {
            follow(&attempted, file, &shebang, path_var, &mut drops_preload)?
        } else if interpreters.is_empty() && script::is_text(&head) {
            by_shell_fallback = true;
            PathBuf::from(SHELL)
        } else {
            let why = format!("{} is neither an ELF program nor a script", file.display());
            return Err(Error::new(ErrorKind::CannotExecute, attempted, why)
                .remedy("name the program that runs it, as in: java -jar FILE"));
        };
        interpreters.push(next);
    }
}

/// What an ELF file is, without looking for a sanitizer: for files that run already. `None` where it cannot be read.
#[must_use]
pub fn kind(path: &Path) -> Option<Kind> {
    elf::kind(&ReadCache::new(File::open(path).ok()?)).ok()
}

/// Opens a file without waiting on it, and reads as much of its start as the kernel looks at.
fn open(attempted: &str, path: &Path) -> Result<(File, Vec<u8>)> {
    let failed = |err: std::io::Error| match err.kind() {
        IoErrorKind::NotFound => Denied::Missing.into_error(attempted, "there is no such file"),
        _ => unreadable(attempted, path, &err),
    };
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        let why = format!("{} is not a regular file", path.display());
        return Err(Error::new(ErrorKind::CannotExecute, attempted, why).remedy("name a program"));
    }
    let mut head = Vec::with_capacity(script::HEAD);
    file.by_ref().take(script::HEAD as u64).read_to_end(&mut head).map_err(failed)?;
    Ok((file, head))
}

fn unreadable(attempted: &str, path: &Path, err: &std::io::Error) -> Error {
    let why =
        format!("{} cannot be read, so whether the shim can get into it is unknown: {err}", path.display());
    Error::not_applied(attempted, why).remedy("make the file readable for this user, or run as its owner")
}

/// The program that a `#!` line leads to.
fn follow(
    attempted: &str,
    file: &Path,
    shebang: &Shebang,
    path_var: Option<&OsStr>,
    drops_preload: &mut bool,
) -> Result<PathBuf> {
    let interpreter = &shebang.interpreter;
    if let Err(denied) = command::examine(interpreter) {
        let (why, remedy) = match denied {
            Denied::Missing if interpreter.as_os_str().as_encoded_bytes().ends_with(b"\r") => (
                "does not exist, since the first line ends in a carriage return".to_owned(),
                "give the script Unix line ends".to_owned(),
            ),
            Denied::Missing => (
                "does not exist".to_owned(),
                format!("install it, or correct the first line of {}", file.display()),
            ),
            Denied::Hidden => {
                (format!("cannot be executed: {}", command::HIDDEN), command::UNHIDE.to_owned())
            }
            Denied::Refused { why, remedy } => (format!("cannot be executed: {why}"), remedy),
        };
        // Escaped, since a carriage return would hide what stands before it.
        let name = interpreter.to_string_lossy().escape_debug().to_string();
        let why = format!("{}: its interpreter {name} {why}", file.display());
        return Err(Error::new(ErrorKind::CannotExecute, attempted, why).remedy(remedy));
    }
    if !script::is_env(interpreter) {
        return Ok(interpreter.clone());
    }
    let EnvLine { program, path_var: own_path, drops_preload: drops } =
        script::env_line(shebang.argument.as_deref());
    *drops_preload |= drops;
    let Some(program) = program else {
        let why = format!("the first line of {} names env and no program for it", file.display());
        return Err(Error::new(ErrorKind::CannotExecute, attempted, why)
            .remedy("name one, as in: #!/usr/bin/env python3"));
    };
    let path: Option<OsString> = own_path.or(path_var.map(OsStr::to_owned));
    command::resolve(&program, path.as_deref()).map_err(|err| {
        let why = format!("the first line of {} names {}: {}", file.display(), program.display(), err.why());
        Error::new(err.kind(), attempted, why)
            .remedy(format!("install {}, or correct PATH or that line", program.display()))
    })
}

#[cfg(test)]
mod tests;
