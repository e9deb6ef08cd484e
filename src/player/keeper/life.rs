//! A keeper's whole life, from the fork to its end.
//!
//! What must hold: it never returns into the code of the process that it was forked from, not even by a panic; it waits for
//! nobody: not for a player that does not listen, whose program is then slowed by its own output and by nothing else.
#![expect(unsafe_code, reason = "fork, and a descriptor that a system call has just made")]

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, Signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{ForkResult, Pid};

use super::Charge;
use super::lines::{Lines, Read1};
use super::message::{FromKeeper, ToKeeper};
use crate::process::{PidFd, ProcessId};
use crate::raw;
use crate::reach::follow::Collected;
use crate::run::following::Following;
use crate::run::target::{become_program, set};
use crate::{HostInstant, Span, freeze, host_clock, node};

/// By what name /proc shows it.
const NAME: &std::ffi::CStr = c"ft-keeper";
/// How much the player may have yet to hear, before the program's output is left in its pipe.
const UNHEARD: usize = 1 << 20;
/// How often whoever is left is killed again: he may just have been forked.
const AGAIN: Span = Span::from_millis(10);

/// Ends the process when a panic would otherwise lead it out of here.
struct Never;

impl Drop for Never {
    fn drop(&mut self) {
        raw::exit(125);
    }
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The program may run.
    Running,
    /// It was told to end; it is killed then.
    Stopping(HostInstant),
    /// Everybody is killed; next then.
    Killing(HostInstant),
}

struct Life {
    charge: Charge,
    socket: Option<UnixStream>,
    unheard: VecDeque<u8>,
    unread: Vec<u8>,
    children: OwnedFd,
    streams: [Lines; 2],
    /// The writing ends, for the program and those that come after it.
    ends: [std::io::PipeWriter; 2],
    program: Option<ProcessId>,
    phase: Phase,
    until: Option<HostInstant>,
    /// Whether somebody's exec stands before the ends of others.
    look_again: bool,
    /// What those collect who follow execs, one for each start.
    collected: Vec<Arc<Collected>>,
}

/// From the fork to the end.
pub fn live(charge: Charge, socket: UnixStream) -> ! {
    let _never = Never;
    let _ = raw::setsid();
    let _ = prctl::set_child_subreaper(true);
    set(Signal::SIGCHLD, SigHandler::SigDfl);
    raw::settle_as(NAME);
    // The pages are mapped already.
    leave_all_but(socket.as_raw_fd());
    if let Some(mut life) = Life::begin(charge, socket) {
        while life.step() {}
        life.end();
    }
    raw::exit(0)
}

/// Lets go of all that was inherited but this.
fn leave_all_but(kept: RawFd) {
    let kept = u32::try_from(kept).unwrap_or(u32::MAX);
    let _ = raw::close_range(3, kept.saturating_sub(1));
    let _ = raw::close_range(kept.saturating_add(1), u32::MAX);
    if let Ok(null) = raw::open(c"/dev/null", libc::O_RDWR) {
        for stream in 0..=2 {
            let _ = raw::dup2(null, stream);
        }
        if null > 2 {
            let _ = raw::close(null);
        }
    }
}

impl Life {
    fn begin(charge: Charge, socket: UnixStream) -> Option<Life> {
        let children = raw::signalfd(1 << (libc::SIGCHLD - 1)).ok()?;
        // SAFETY: the kernel has just made this descriptor.
        let children = unsafe { OwnedFd::from_raw_fd(children) };
        fcntl(&children, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).ok()?;
        let (out, out_end) = std::io::pipe().ok()?;
        let (err, err_end) = std::io::pipe().ok()?;
        Some(Life {
            charge,
            socket: Some(socket),
            unheard: VecDeque::new(),
            unread: Vec::new(),
            children,
            streams: [Lines::of(out).ok()?, Lines::of(err).ok()?],
            ends: [out_end, err_end],
            program: None,
            phase: Phase::Running,
            until: None,
            look_again: false,
            collected: Vec::new(),
        })
    }

    /// Waits for something and does it; false when all is done.
    fn step(&mut self) -> bool {
        let ready = self.wait();
        self.hear();
        if ready {
            self.read();
        }
        self.collect();
        self.tell();
        let now = host_clock::monotonic();
        match self.phase {
            Phase::Running if self.socket.is_none() => {
                let is_over = self.until.is_none_or(|until| now >= until);
                // Nobody would start it again.
                if is_over || self.members().is_empty() {
                    self.stop(now);
                }
                true
            }
            Phase::Running => true,
            Phase::Stopping(until) => {
                if self.program.is_none() || now >= until {
                    self.phase = Phase::Killing(now);
                }
                true
            }
            Phase::Killing(at) if now < at => true,
            Phase::Killing(_) => {
                let left = self.members();
                for id in &left {
                    if let Ok(Some(process)) = PidFd::open(*id) {
                        let _ = process.signal(Signal::SIGKILL);
                    }
                }
                self.phase = Phase::Killing(now.saturating_add(AGAIN));
                !left.is_empty()
            }
        }
    }

    /// Until something is there to be done; whether the program's output may be read.
    fn wait(&self) -> bool {
        let may_read = self.unheard.len() < UNHEARD;
        let entry = |fd: RawFd, events: i16| libc::pollfd { fd, events, revents: 0 };
        let words = if self.unheard.is_empty() { libc::POLLIN } else { libc::POLLIN | libc::POLLOUT };
        let mut fds = vec![
            entry(self.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd), words),
            entry(self.children.as_raw_fd(), libc::POLLIN),
            entry(if may_read { fd_of(&self.streams[0]) } else { -1 }, libc::POLLIN),
            entry(if may_read { fd_of(&self.streams[1]) } else { -1 }, libc::POLLIN),
        ];
        fds.extend(self.collected.iter().map(|collected| entry(collected.as_fd().as_raw_fd(), libc::POLLIN)));
        let due = match self.phase {
            Phase::Running if self.socket.is_none() => self.until,
            Phase::Running => None,
            Phase::Stopping(at) | Phase::Killing(at) => Some(at),
        };
        let soon = self.look_again.then(|| host_clock::monotonic().saturating_add(AGAIN));
        let due = [due, soon].into_iter().flatten().min();
        let left = due.map(|due| due.saturating_since(host_clock::monotonic()).as_nanos().max(0));
        let _ = raw::poll(&mut fds, left);
        may_read
    }

    fn hear(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        let mut buffer = [0; 4096];
        loop {
            match socket.read(&mut buffer) {
                Ok(length @ 1..) => self.unread.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                // The player is gone.
                _ => {
                    self.socket = None;
                    self.unheard.clear();
                    break;
                }
            }
        }
        while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(ToKeeper::Start) if self.phase == Phase::Running => self.start(),
                Ok(ToKeeper::Until { end_ns }) => self.until = Some(HostInstant::from_nanos(end_ns)),
                Ok(ToKeeper::Stop) => self.stop(host_clock::monotonic()),
                Ok(ToKeeper::Start) | Err(_) => {}
            }
        }
    }

    fn say(&mut self, message: &FromKeeper) {
        if self.socket.is_some() {
            self.unheard.extend(serde_json::to_vec(message).unwrap_or_default());
            self.unheard.push_back(b'\n');
        }
    }

    /// As much as the player takes.
    fn tell(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        while !self.unheard.is_empty() {
            match socket.write(self.unheard.as_slices().0) {
                Ok(length) => drop(self.unheard.drain(..length)),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn read(&mut self) {
        let mut all: Vec<(bool, Read1)> = Vec::new();
        for (stream, err) in self.streams.iter_mut().zip([false, true]) {
            stream.read(|line| all.push((err, line)));
        }
        self.pass_on(all);
    }

    fn pass_on(&mut self, lines: Vec<(bool, Read1)>) {
        for (err, Read1 { line, since_ns, at_ns }) in lines {
            self.say(&FromKeeper::Output { err, line, since_ns, at_ns });
        }
    }

    /// Waits for whoever has ended.
    fn collect(&mut self) {
        let _ = raw::read(self.children.as_raw_fd(), &mut [0; 1024]);
        self.look_again = false;
        let told: Vec<(i32, i32)> =
            self.collected.iter().flat_map(|collected| std::iter::from_fn(|| collected.take())).collect();
        for (pid, status) in told {
            if let Ok(status) = WaitStatus::from_raw(Pid::from_raw(pid), status) {
                self.ended(status);
            }
        }
        loop {
            // Looked at first and taken afterwards: the thread that follows execs traces children of this one, and the news of
            // their stops is its own, though the kernel has it for the whole process.
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::__WNOTHREAD;
            match waitid(Id::All, flags | WaitPidFlag::WNOWAIT) {
                Ok(status @ (WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..))) => {
                    let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WNOTHREAD));
                    self.ended(status);
                }
                Ok(WaitStatus::StillAlive) | Err(_) => break,
                Ok(_) => {
                    self.look_again = true;
                    break;
                }
            }
        }
    }

    /// Takes note of an end; the program's is told, after all that it had written.
    fn ended(&mut self, status: WaitStatus) {
        let (pid, code, signal) = match status {
            WaitStatus::Exited(pid, code) => (pid.as_raw(), Some(code), None),
            WaitStatus::Signaled(pid, signal, _) => (pid.as_raw(), None, Some(signal as i32)),
            _ => return,
        };
        if self.program.is_none_or(|program| program.pid != pid) {
            return;
        }
        self.program = None;
        let at_ns = host_clock::monotonic().as_nanos();
        self.read();
        let streams = self.streams.iter_mut().zip([false, true]);
        let rest: Vec<(bool, Read1)> =
            streams.filter_map(|(stream, err)| stream.rest().map(|rest| (err, rest))).collect();
        self.pass_on(rest);
        self.say(&FromKeeper::Exited { pid, code, signal, at_ns });
    }

    fn start(&mut self) {
        if self.program.is_some() {
            return;
        }
        match self.fork() {
            Ok((program, at_ns)) => {
                self.program = Some(program);
                self.say(&FromKeeper::Started { pid: program.pid, at_ns });
            }
            Err(why) => self.say(&FromKeeper::NotStarted { why }),
        }
    }

    /// The program is on the node's record before it executes anything.
    fn fork(&mut self) -> Result<(ProcessId, i64), String> {
        let said = |why: std::io::Error| why.to_string();
        let (gate, mut go) = std::io::pipe().map_err(said)?;
        let (mut failure, fail) = std::io::pipe().map_err(said)?;
        let (need, wanted) = self.charge.follow;
        let following = Following::prepare(need, wanted, false).map_err(|why| why.to_string())?;
        let ends = self.ends.each_ref().map(AsRawFd::as_raw_fd);
        self.charge.target.streams = ends.into_iter().zip([1, 2]).collect();
        // SAFETY: the child becomes the program, or ends; this process has no lock that it would need.
        let forked = unsafe { nix::unistd::fork() };
        if matches!(forked, Ok(ForkResult::Child)) {
            drop((go, failure));
            let _ = raw::setsid();
            if let Err(errno) = nix::unistd::chdir(self.charge.dir.as_c_str()) {
                let _ = raw::write(fail.as_raw_fd(), &(errno as i32).to_le_bytes());
                raw::exit(125);
            }
            become_program(&self.charge.target, &following, gate.as_raw_fd(), fail.as_raw_fd());
        }
        let child = match forked {
            Ok(ForkResult::Parent { child }) => child.as_raw(),
            Ok(ForkResult::Child) => raw::exit(125),
            Err(errno) => return Err(errno.desc().to_owned()),
        };
        drop((gate, fail));
        let dir = self.charge.node.dir();
        let program = ProcessId::of(child).ok_or("it was killed before it ran")?;
        self.charge.node.add_root(program).map_err(|why| why.to_string())?;
        self.collected.retain(|collected| Arc::strong_count(collected) > 1);
        self.collected.push(following.keep(dir, child).map_err(|why| why.to_string())?);
        let at_ns = host_clock::monotonic().as_nanos();
        go.write_all(b"!").map_err(said)?;
        drop(go);
        let mut errno = [0; 4];
        match failure.read_exact(&mut errno) {
            // The end of the pipe: exec has closed it.
            Err(_) => Ok((program, at_ns)),
            Ok(()) => Err(Errno::from_raw(i32::from_le_bytes(errno)).desc().to_owned()),
        }
    }

    fn stop(&mut self, now: HostInstant) {
        if self.phase != Phase::Running {
            return;
        }
        // Who is frozen would get the signal when he wakes.
        let _ = self.charge.node.thaw();
        let (signal, within) = self.charge.stop;
        if let Some(Ok(Some(program))) = self.program.map(PidFd::open) {
            let _ = program.signal(signal);
        }
        self.phase = Phase::Stopping(now.saturating_add(within));
    }

    fn members(&self) -> Vec<ProcessId> {
        self.charge.node.members().unwrap_or_default()
    }

    /// The node goes, and what was for it alone.
    fn end(mut self) {
        let dir = self.charge.node.dir().clone();
        let _ = freeze::thaw(dir.path());
        let _ = std::fs::remove_dir_all(&self.charge.scratch);
        drop(self.charge);
        let _ = node::sweep_node(&dir);
        // What the player has not heard yet, it hears now.
        if let Some(mut socket) = self.socket.take() {
            let _ = socket.set_nonblocking(false);
            let _ = socket.write_all(self.unheard.make_contiguous());
        }
    }
}

fn fd_of(lines: &Lines) -> RawFd {
    lines.as_fd().as_raw_fd()
}
