//! Who follows the program's execs: the keeper, and should it be killed, `run`.
//!
//! The program puts the filter on itself just before it executes, and sends the listener's end over a socket, once for each of
//! the two. So the keeper has it before the first exec is asked about, and waits for it in the thread that follows. Where no
//! filter can be, and the program could not be reached otherwise, it says so there, and the keeper follows by ptrace.
//!
//! What must hold: the socket's sending end is the program's alone, so that its end is seen if the program never comes so far.
#![expect(unsafe_code, reason = "a descriptor that the kernel has just given")]

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};

use crate::Span;
use crate::error::{Error, Result};
use crate::node::{Node, NodeDir};
use crate::process::ProcessId;
use crate::reach::Wanted;
use crate::reach::follow::{self, Charge, Collected, NotInstalled, Told, by_ptrace};

/// How long the program waits for the keeper to trace it.
const LIMIT: Span = Span::from_secs(5);

/// How much following matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Not at all.
    None,
    /// Children are reached by it that would escape else; but no privilege is given up for it.
    Children,
    /// Without it the program does not run.
    Program,
}

/// How a program is followed.
#[derive(Debug)]
pub struct Following {
    need: Need,
    wanted: Wanted,
    strict: bool,
    /// Why something did not run.
    pub told: Told,
    receiver: OwnedFd,
    sender: OwnedFd,
}

impl Following {
    /// Prepares it, before anything is forked.
    pub fn prepare(need: Need, wanted: Wanted, strict: bool) -> Result<Self> {
        let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
        let (receiver, sender) =
            pair.map_err(|errno| Error::not_applied("make a pair of sockets", errno.desc()))?;
        Ok(Following { need, wanted, strict, told: Told::new()?, receiver, sender })
    }

    /// What the keeper keeps open, for as long as this lives.
    pub fn descriptors(&self) -> [RawFd; 4] {
        let [reader, writer] = self.told.descriptors();
        [self.receiver.as_raw_fd(), self.sender.as_raw_fd(), reader, writer]
    }

    /// In the program, as the last thing before it executes. False if it must not.
    pub fn begin(&self) -> bool {
        if self.need == Need::None {
            return true;
        }
        let begun = match follow::install(self.need == Need::Program) {
            Ok(listener) => {
                let send = || say(&self.sender, Some(&listener));
                send().and_then(|()| send()).map_err(|errno| errno.desc().to_owned())
            }
            Err(why) if self.need == Need::Program => self.have_traced(why),
            Err(_) => Ok(()),
        };
        match begun {
            Err(why) if self.need == Need::Program => {
                self.told.say(&why);
                false
            }
            Ok(()) | Err(_) => true,
        }
    }

    /// Asks the keeper to trace this process, and waits until it does.
    fn have_traced(&self, why: NotInstalled) -> std::result::Result<(), String> {
        let told = |errno: Errno| format!("{}; and it cannot be traced: {}", said(why), errno.desc());
        say(&self.sender, None).and_then(|()| say(&self.sender, None)).map_err(told)?;
        // Not for ever: the keeper may be dead.
        let mut fds = [libc::pollfd { fd: self.sender.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        let is_there = crate::raw::poll(&mut fds, Some(LIMIT.as_nanos())).is_ok_and(|ready| ready > 0);
        match is_there.then(|| hear(&self.sender)).flatten() {
            Some(Heard { word: TRACED, .. }) => Ok(()),
            _ => Err(told(Errno::EPERM)),
        }
    }

    /// In the keeper: follows in a thread of its own. What that collects of the keeper's children is told by what comes back.
    pub fn keep(self, dir: &NodeDir, root: i32) -> Result<Arc<Collected>> {
        let collected = Arc::new(Collected::new()?);
        drop(self.sender);
        if self.need == Need::None {
            return Ok(collected);
        }
        let node = Node::of_dir(dir.clone())?;
        let (wanted, strict, told, receiver) = (self.wanted, self.strict, self.told, self.receiver);
        let root_is_reached = AtomicBool::new(false);
        let charge =
            Charge { node, wanted, root, strict, root_is_reached, told, collected: Arc::clone(&collected) };
        let follow = move || match hear(&receiver) {
            Some(Heard { listener: Some(listener), .. }) => {
                drop(receiver);
                follow::follow(&listener, &charge);
            }
            Some(_) => {
                let traced =
                    crate::raw::ptrace(libc::PTRACE_SEIZE, root, by_ptrace::OPTIONS.unsigned_abs() as usize);
                let answered = answer(&receiver, if traced.is_ok() { TRACED } else { b'n' });
                drop(receiver);
                if traced.is_ok() && answered.is_ok() {
                    by_ptrace::follow(&charge);
                }
            }
            None => {}
        };
        spawn(follow)?;
        Ok(collected)
    }

    /// In `run`: its own end of the listener, once the program has begun.
    pub fn accept(self) -> Spare {
        drop(self.sender);
        let heard = (self.need != Need::None).then(|| hear(&self.receiver)).flatten();
        if heard.as_ref().is_some_and(|heard| heard.listener.is_none()) {
            tracing::warn!(
                "no seccomp filter is to be had: execs are followed by ptrace, which slows threads and signals"
            );
        }
        let listener = heard.and_then(|heard| heard.listener);
        Spare { listener, wanted: self.wanted, strict: self.strict, told: self.told, collected: None }
    }
}

/// What `run` has, to follow in the keeper's stead.
#[derive(Debug)]
pub struct Spare {
    listener: Option<OwnedFd>,
    wanted: Wanted,
    strict: bool,
    told: Told,
    collected: Option<Arc<Collected>>,
}

impl Spare {
    /// News of the program that this process has collected while it followed.
    pub fn collected(&self, pid: i32) -> Option<i32> {
        let collected = self.collected.as_ref()?;
        std::iter::from_fn(|| collected.take()).find_map(|(of, status)| (of == pid).then_some(status))
    }

    /// Why something did not run.
    pub fn heard(&self) -> Option<String> {
        self.told.heard()
    }

    /// Follows from here on, since the keeper is no more.
    pub fn take_over(&mut self, dir: &NodeDir, root: ProcessId) {
        let Some(listener) = self.listener.take() else { return };
        let followed = Told::new().and_then(|told| {
            let collected = Arc::new(Collected::new()?);
            let charge = Charge {
                node: Node::of_dir(dir.clone())?,
                wanted: self.wanted,
                root: root.pid,
                strict: self.strict,
                root_is_reached: AtomicBool::new(true),
                told: std::mem::replace(&mut self.told, told),
                collected: Arc::clone(&collected),
            };
            self.collected = Some(collected);
            spawn(move || {
                follow::call_again(root);
                follow::follow(&listener, &charge);
            })
        });
        if let Err(why) = followed {
            tracing::warn!("execs are followed no more: {why}");
        }
    }
}

fn spawn(follow: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = std::thread::Builder::new().name("ft-follow".to_owned()).spawn(follow);
    spawned.map(drop).map_err(|why| Error::not_applied("start a thread that follows execs", why))
}

/// The keeper's word that it traces.
const TRACED: u8 = b't';

/// What comes over the socket.
struct Heard {
    word: u8,
    listener: Option<OwnedFd>,
}

fn say(socket: &OwnedFd, listener: Option<&OwnedFd>) -> std::result::Result<(), Errno> {
    let files: Vec<RawFd> = listener.iter().map(|listener| listener.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&files)];
    let control = if files.is_empty() { &[] } else { &rights[..] };
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(b"!")], control, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

fn answer(socket: &OwnedFd, word: u8) -> std::result::Result<(), Errno> {
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&[word])], &[], MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

/// The next message; `None` if none comes any more.
fn hear(socket: &OwnedFd) -> Option<Heard> {
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut room = nix::cmsg_space!(RawFd);
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC) {
            Err(Errno::EINTR) => {}
            other => break other.ok()?,
        }
    };
    let fd = message.cmsgs().ok()?.find_map(|part| match part {
        ControlMessageOwned::ScmRights(files) => files.first().copied(),
        _ => None,
    });
    // SAFETY: the kernel has just given it to us, and to nobody else.
    let listener = fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    (message.bytes == 1).then_some(Heard { word: byte[0], listener })
}

fn said(NotInstalled(errno): NotInstalled) -> String {
    match errno {
        Errno::EBUSY => {
            "another program follows its system calls already (a seccomp listener), and there can be one\n\
                         run falseticker outside of it"
                .to_owned()
        }
        Errno::EINVAL | Errno::ENOSYS => "this kernel has no seccomp filters with a listener\n\
                                          Linux 5.5 or newer, with CONFIG_SECCOMP_FILTER"
            .to_owned(),
        errno => format!("its execs cannot be followed: {}", errno.desc()),
    }
}
