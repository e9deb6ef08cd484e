//! From a command to a running program: keeper, target, registration, exec.
//!
//! What must hold: the target is on the node's record before it executes anything, and executes nothing before the
//! last fault is in force; whatever fails before that leaves no process and, through the keeper, no node.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, pipe2};

use super::capture::{Capture, Held};
use super::following::{Following, Need, Spare};
use super::fork::{fork, require_one_thread};
use super::home::Home;
use super::keeper::{Charge, keep};
use super::message::{LENGTH, Message};
use super::signals;
use super::target::{ROOT_VARIABLE, Target, become_program, set};
use crate::error::{Error, ErrorKind, Result};
use crate::node::{self, Node};
use crate::process::{PidFd, ProcessId};
use crate::reach::{self, Choice, Means, Program, Wanted};
use crate::{HostInstant, host_clock, raw};

/// The shell that execvp gives a file to that the kernel does not know.
const SHELL: &str = "/bin/sh";

/// A command that can be reached, or need not be.
#[derive(Debug)]
pub struct Command {
    words: Vec<OsString>,
    program: Program,
    wanted: Wanted,
    /// By which means it is reached, and why; `None` if the node's choice among programs leaves it out.
    choice: Option<Choice>,
}

impl Command {
    /// Finds and examines what the words name; refuses what cannot run with a false clock.
    pub fn examine(words: &[OsString], wanted: Wanted, programs: &node::Choice) -> Result<Self> {
        let Some(first) = words.first() else {
            return Err(Error::bad_input("run a command", "none is given")
                .remedy("write it last, as in: falseticker run -- date"));
        };
        let path = reach::resolve(first, std::env::var_os("PATH").as_deref())?;
        let program = reach::classify(&path)?;
        let mut command = Command { words: words.to_vec(), program, wanted, choice: None };
        if command.is_among(programs) {
            command.choice = Some(reach::choose(&command.program, wanted)?);
        }
        Ok(command)
    }

    /// By which means it is reached, and why; `None` if it is left out.
    pub fn choice(&self) -> Option<&Choice> {
        self.choice.as_ref()
    }

    /// Whether a choice among programs selects what is executed.
    fn is_among(&self, programs: &node::Choice) -> bool {
        let (executed, _) = self.exec_words();
        let file = &self.program.file;
        let canonical = file.canonicalize().unwrap_or_else(|_| file.clone());
        programs.selects_any(&[Path::new(&executed), file, &canonical])
    }

    fn means(&self) -> Option<Means> {
        self.choice.as_ref().map(|choice| choice.means)
    }

    /// How much it matters to follow its execs.
    pub fn need(&self, strict: bool) -> Need {
        match (self.means(), self.wanted) {
            (Some(Means::Vdso), _) => Need::Program,
            // It needs nothing for itself, and without that nobody would be reached.
            (None, Wanted::Vdso) => Need::Program,
            _ if strict => Need::Program,
            (_, Wanted::Preload) => Need::None,
            _ => Need::Children,
        }
    }

    /// Whether the shim is put into its environment, for itself or for those that it executes: but not where it would be in
    /// the way.
    fn is_preloaded(&self) -> bool {
        match self.means() {
            Some(Means::Preload) => true,
            Some(_) => self.wanted == Wanted::Auto && self.program.loader.is_none(),
            None => self.wanted != Wanted::Vdso,
        }
    }

    /// As it was given.
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// The file to execute, and its arguments.
    fn exec_words(&self) -> (OsString, Vec<OsString>) {
        let file = self.program.command.clone().into_os_string();
        if self.program.by_shell_fallback {
            let rest = self.words.iter().skip(1).cloned();
            let args = [OsString::from(SHELL), file].into_iter().chain(rest).collect();
            (SHELL.into(), args)
        } else {
            (file, self.words.clone())
        }
    }

    fn attempted(&self) -> String {
        format!("run {}", self.program.command.display())
    }
}

/// A program that runs, and its keeper.
#[derive(Debug)]
pub struct Launched {
    /// The program's process.
    pub target: PidFd,
    /// Its keeper.
    pub keeper: ProcessId,
    /// What the keeper tells.
    pub messages: File,
    /// Its output, where it is captured.
    pub held: Held,
    /// What is needed to follow its execs, should the keeper be killed.
    pub spare: Spare,
}

/// How a command is started.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Whether its output is passed on.
    pub captured: bool,
    /// Whether nothing below it may run that is not reached.
    pub strict: bool,
}

/// Starts the command in the node; its first instruction comes after `not_before`.
pub fn launch(command: &Command, home: &mut Home, not_before: HostInstant, how: How) -> Result<Launched> {
    require_one_thread()?;
    let attempted = command.attempted();
    let failed = |errno: Errno| Error::not_applied(&attempted, errno.desc());
    let mut target = prepare(command, &home.node)?;
    let following = Following::prepare(command.need(how.strict), command.wanted, how.strict)?;
    let capture = how.captured.then(|| Capture::prepare(home.node.dir())).transpose()?.unwrap_or_default();
    target.streams = capture.program.iter().map(|(fd, number)| (fd.as_raw_fd(), *number)).collect();
    let (told, tell) = pipe()?;
    let (gate, go) = pipe()?;
    let (failure, fail) = pipe()?;
    // So that the program is this process's child, and can be waited for, should the keeper be killed.
    prctl::set_child_subreaper(true).map_err(failed)?;
    target.mask = raw::block_signals(signals::ALL);
    target.ignores_children = set(Signal::SIGCHLD, SigHandler::SigDfl) == Some(SigHandler::SigIgn);
    let dir = home.node.dir().clone();
    let keeper = match fork() {
        Ok(ForkResult::Parent { child }) => child,
        Ok(ForkResult::Child) => {
            let charge = Charge {
                dir: &dir,
                pipe: tell.as_raw_fd(),
                run: ProcessId::of(std::os::unix::process::parent_id().try_into().unwrap_or(0)),
                streams: capture.streams,
                following,
            };
            let (gate, fail) = (gate.as_raw_fd(), fail.as_raw_fd());
            // The pipes' other ends go, or the end of one would never be seen.
            let others = [told.as_raw_fd(), go.as_raw_fd(), failure.as_raw_fd(), tell.as_raw_fd()];
            keep(charge, |following| {
                for fd in others {
                    let _ = raw::close(fd);
                }
                become_program(&target, following, gate, fail)
            })
        }
        Err(errno) => {
            raw::block_signals(target.mask);
            return Err(failed(errno));
        }
    };
    drop((tell, gate, fail, capture.streams, capture.program));
    raw::block_signals(signals::watched());
    let mut birth = Birth { command, home, keeper, messages: File::from(told), not_before };
    birth
        .complete(File::from(go), File::from(failure))
        .inspect_err(|_| {
            // Without its word the target has ended, and the keeper after it; it has seen to the node.
            birth.outlast();
            raw::block_signals(target.mask);
        })
        .map(|(target, keeper)| {
            let (messages, held) = (birth.messages, capture.held);
            Launched { target, keeper, messages, held, spare: following.accept() }
        })
}

/// A keeper that was forked, and a target that perhaps was.
struct Birth<'a> {
    command: &'a Command,
    home: &'a mut Home,
    keeper: Pid,
    messages: File,
    not_before: HostInstant,
}

impl Birth<'_> {
    fn complete(&mut self, mut go: File, mut failure: File) -> Result<(PidFd, ProcessId)> {
        let attempted = self.command.attempted();
        let lost = || Error::not_applied(&attempted, "its keeper was killed").remedy("run it again");
        let pid = match next(&mut self.messages) {
            Some(Message::Started(pid)) => pid,
            Some(Message::NotForked(errno)) => return Err(Error::not_applied(&attempted, errno.desc())),
            _ => return Err(lost()),
        };
        let keeper = ProcessId::of(self.keeper.as_raw()).ok_or_else(lost)?;
        let target = ProcessId::of(pid).ok_or_else(lost)?;
        let handle = PidFd::open(target)?.ok_or_else(lost)?;
        self.home.node.add_root(target)?;
        self.command.choice().map(|choice| self.home.node.note_choice(target, choice)).transpose()?;
        self.home.node.add_keeper(keeper, self.home.is_made_here())?;
        self.home.entrust();
        host_clock::sleep_until_all_show(self.not_before);
        go.write_all(b"!").map_err(|why| Error::not_applied(&attempted, why))?;
        drop(go);
        let mut errno = [0_u8; 4];
        match failure.read_exact(&mut errno) {
            // The end of the pipe: exec has closed it.
            Err(_) => Ok((handle, keeper)),
            Ok(()) => Err(not_executed(&attempted, Errno::from_raw(i32::from_le_bytes(errno)))),
        }
    }

    /// Waits until the keeper has ended.
    fn outlast(&mut self) {
        while next(&mut self.messages).is_some() {}
        while waitpid(self.keeper, None) == Err(Errno::EINTR) {}
    }
}

/// The keeper's next message; `None` once it is no more.
pub fn next(messages: &mut File) -> Option<Message> {
    let mut bytes = [0; LENGTH];
    messages.read_exact(&mut bytes).ok()?;
    Message::decode(bytes)
}

fn not_executed(attempted: &str, errno: Errno) -> Error {
    match errno {
        Errno::ENOENT => {
            Error::new(ErrorKind::NotFound, attempted, "it, or its interpreter, was removed meanwhile")
        }
        Errno::E2BIG => Error::new(ErrorKind::CannotExecute, attempted, errno.desc())
            .remedy("give it fewer arguments, or a smaller environment"),
        errno => Error::new(ErrorKind::CannotExecute, attempted, errno.desc()),
    }
}

/// What is executed in a node, with which environment.
pub fn prepare(command: &Command, node: &Node) -> Result<Target> {
    let (file, args) = command.exec_words();
    let attempted = command.attempted();
    let terminated = |word: &OsStr| {
        CString::new(word.as_bytes())
            .map_err(|_| Error::bad_input(&attempted, "an argument has a NUL byte in it"))
    };
    let current = std::env::var_os("LD_PRELOAD");
    let changed = if command.is_preloaded() { node.env(current.as_deref()) } else { Vec::new() };
    let is_changed = |name: &OsStr| name == ROOT_VARIABLE || changed.iter().any(|(other, _)| name == other);
    let kept = std::env::vars_os().filter(|(name, _)| !is_changed(name));
    let env = kept.chain(changed.iter().cloned()).map(|(name, value)| {
        terminated(&OsString::from_vec([name.as_bytes(), b"=", value.as_bytes()].concat()))
    });
    Ok(Target {
        file: terminated(&file)?,
        args: args.iter().map(|arg| terminated(arg)).collect::<Result<_>>()?,
        env: env.collect::<Result<_>>()?,
        mask: 0,
        ignores_children: false,
        streams: Vec::new(),
    })
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC).map_err(|errno| Error::not_applied("make a pipe", errno.desc()))
}
