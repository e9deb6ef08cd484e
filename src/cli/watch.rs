//! `falseticker watch [NODE...]`.
//!
//! What must hold: reading changes nothing; the terminal is given back however this ends; whatever is done to a node is
//! done by the calls that the commands make, and outlives the watch.

mod act;
mod keys;
mod model;
mod past;
mod prompt;
mod sample;
mod screen;
mod summary;
mod view;

use std::io::IsTerminal;
use std::os::fd::AsFd;

use falseticker::node::NodeName;
use falseticker::{Error, ErrorKind, Node, Result, Span, host_clock};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::Signal;
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::logging::{self, HeldBack};
use super::output::Reply;
use super::signals::Signals;
use model::{Model, Said, Then};
use sample::Sampler;
use screen::Screen;
use view::Paint;

const EXAMPLES: &str = "\
Examples:
  falseticker watch                         all nodes, as they come and go
  falseticker watch a b                     these
  falseticker watch --no-color              as with NO_COLOR=1

Keys: j jump, d drift, f freeze, t thaw, h heal, H heal all, arrows choose a node, ? help, q quit.";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The nodes; without names, all
    #[arg(value_name = "NODE")]
    pub nodes: Vec<NodeName>,

    /// Use no colours
    #[arg(long)]
    pub no_color: bool,
}

/// Shows nodes until it is told to stop.
pub fn watch(args: &Args, json: bool) -> Result<Reply> {
    refuse(json)?;
    for name in &args.nodes {
        // A name that is mistyped would be waited for in vain.
        Node::open(name.as_str())?;
    }
    let no_color = args.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let signals = Signals::hold_with(&[Signal::SIGTSTP, Signal::SIGCONT, Signal::SIGWINCH])?;
    let log = logging::hold_back();
    let watch = Watch {
        model: Model::default(),
        sampler: Sampler::new(&args.nodes),
        screen: Screen::take()?,
        paint: Paint { colours: !no_color },
        warned: None,
        signals,
        log,
    };
    watch.go_on().map(Reply::silent)
}

/// Refuses what is no terminal to draw on.
fn refuse(json: bool) -> Result<()> {
    let why = if json {
        "a picture that moves is no JSON"
    } else if !std::io::stdout().is_terminal() {
        "standard output is no terminal"
    } else if !std::io::stdin().is_terminal() {
        "standard input is no terminal, so that there are no keys"
    } else if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        "the terminal cannot be drawn on (TERM)"
    } else {
        return Ok(());
    };
    let error = Error::bad_input("watch nodes", why);
    Err(error.remedy("falseticker status prints the same once, and falseticker status --json for programs"))
}

/// All that it has. The order is that of the end: the terminal first, then what was logged, then signals.
struct Watch {
    screen: Screen,
    model: Model,
    sampler: Sampler,
    paint: Paint,
    /// The warning that was shown last.
    warned: Option<String>,
    log: HeldBack,
    signals: Signals,
}

impl Watch {
    /// Until its end; the exit code.
    fn go_on(mut self) -> Result<u8> {
        loop {
            if self.sampler.due <= host_clock::monotonic() {
                self.look()?;
            }
            self.draw()?;
            let are_keys = self.wait()?;
            while let Some(signal) = self.signals.next() {
                match signal {
                    Signal::SIGTSTP => self.screen.stop()?,
                    Signal::SIGCONT => self.screen.again()?,
                    // The next picture has the new size.
                    Signal::SIGWINCH => {}
                    _ => return Ok(ErrorKind::Interrupted.exit_code()),
                }
            }
            if are_keys && let Some(code) = self.take_keys()? {
                return Ok(code);
            }
        }
    }

    fn look(&mut self) -> Result<()> {
        let seen = self.sampler.look()?;
        self.model.take_in(seen);
        // What was said of a key is not covered up, and a warning is shown once.
        let warning = self.log.last_warning();
        if self.model.said.is_none() && warning.is_some() && warning != self.warned {
            self.model.said = warning.clone().map(Said::Failed);
            self.warned = warning;
        }
        collect_guards();
        Ok(())
    }

    fn draw(&mut self) -> Result<()> {
        let (model, paint) = (&mut self.model, self.paint);
        self.screen.draw(|frame| view::draw(frame, model, paint))
    }

    /// Waits for a key, a signal, or the next look; whether there are keys.
    fn wait(&self) -> Result<bool> {
        let left = self.sampler.due.saturating_since(host_clock::monotonic()).max(Span::ZERO);
        let stdin = std::io::stdin();
        let mut fds = [stdin.as_fd(), self.signals.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        poll(&mut fds, left)?;
        Ok(fds.first().and_then(PollFd::any).unwrap_or(false))
    }

    /// Does what keys ask for; an exit code ends it.
    fn take_keys(&mut self) -> Result<Option<u8>> {
        let mut bytes = read_keys()?;
        while let Some(key) = keys::take_key(&mut bytes) {
            let Some(wish) = keys::meaning(key, self.model.prompt.is_some()) else { continue };
            match self.model.follow(wish) {
                Then::Nothing => {}
                Then::Quit => return Ok(Some(super::exit::DONE)),
                Then::Interrupt => return Ok(Some(ErrorKind::Interrupted.exit_code())),
                Then::Stop => self.screen.stop()?,
                Then::Do(deed) => {
                    let done = act::carry_out(&deed);
                    self.model.tell(&done);
                    self.look()?;
                }
            }
        }
        Ok(None)
    }
}

/// What the terminal has sent, to the end of a key.
fn read_keys() -> Result<Vec<u8>> {
    /// How long what follows Esc may take, if it is none.
    const REST: Span = Span::from_millis(50);
    let stdin = std::io::stdin();
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 256];
        match nix::unistd::read(stdin.as_fd(), &mut buffer) {
            Ok(0) | Err(Errno::EIO) => {
                return Err(Error::new(ErrorKind::Interrupted, "read keys", "the terminal is gone"));
            }
            Ok(length) => bytes.extend(buffer.iter().take(length)),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::not_applied("read keys", errno.desc())),
        }
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        if !keys::is_unfinished(&bytes) || poll(&mut fds, REST)? == 0 {
            return Ok(bytes);
        }
    }
}

/// How many are ready, within a span.
fn poll(fds: &mut [PollFd], span: Span) -> Result<i32> {
    match ppoll(fds, Some(TimeSpec::nanoseconds(span.as_nanos())), None) {
        Err(Errno::EINTR) => Ok(0),
        other => other.map_err(|errno| Error::not_applied("wait for keys", errno.desc())),
    }
}

/// Guards of pauses that are over: they are children of this process, and there are no others.
fn collect_guards() {
    let any = WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
    while matches!(waitpid(None, Some(any)), Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..))) {}
}
