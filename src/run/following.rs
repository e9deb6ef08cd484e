//! Who follows the program's execs: the keeper, and should it be killed, `run`.
//!
//! The program puts the filter on itself just before it executes, and sends the listener's end over a socket, once for each of
//! the two. So the keeper has it before the first exec is asked about, and waits for it in the thread that follows.
//!
//! What must hold: the socket's sending end is the program's alone, so that its end is seen if the program never comes so far.
#![expect(unsafe_code, reason = "a descriptor that the kernel has just given")]

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicBool;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};

use crate::error::{Error, Result};
use crate::node::{Node, NodeDir};
use crate::process::ProcessId;
use crate::reach::Wanted;
use crate::reach::follow::{self, Charge, NotInstalled, Told};

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
        let sent = follow::install(self.need == Need::Program).map_err(said).and_then(|listener| {
            let files = [listener.as_raw_fd()];
            let message = [ControlMessage::ScmRights(&files)];
            let send = || {
                sendmsg::<()>(
                    self.sender.as_raw_fd(),
                    &[IoSlice::new(b"!")],
                    &message,
                    MsgFlags::empty(),
                    None,
                )
            };
            send().and_then(|_| send()).map(drop).map_err(|errno| errno.desc().to_owned())
        });
        match sent {
            Err(why) if self.need == Need::Program => {
                self.told.say(&why);
                false
            }
            Ok(()) | Err(_) => true,
        }
    }

    /// In the keeper: follows in a thread of its own.
    pub fn keep(self, dir: &NodeDir, root: i32) {
        drop(self.sender);
        if self.need == Need::None {
            return;
        }
        let Ok(node) = Node::of_dir(dir.clone()) else { return };
        let (wanted, strict, told, receiver) = (self.wanted, self.strict, self.told, self.receiver);
        let charge = Charge { node, wanted, root, strict, root_is_reached: AtomicBool::new(false), told };
        let follow = move || {
            if let Some(listener) = receive(&receiver) {
                drop(receiver);
                follow::follow(&listener, &charge);
            }
        };
        let _ = std::thread::Builder::new().name("ft-follow".to_owned()).spawn(follow);
    }

    /// In `run`: its own end of the listener, once the program has begun.
    pub fn accept(self) -> Spare {
        drop(self.sender);
        let listener = (self.need != Need::None).then(|| receive(&self.receiver)).flatten();
        Spare { listener, wanted: self.wanted, strict: self.strict, told: self.told }
    }
}

/// What `run` has, to follow in the keeper's stead.
#[derive(Debug)]
pub struct Spare {
    listener: Option<OwnedFd>,
    wanted: Wanted,
    strict: bool,
    told: Told,
}

impl Spare {
    /// Why something did not run.
    pub fn heard(&self) -> Option<String> {
        self.told.heard()
    }

    /// Follows from here on, since the keeper is no more.
    pub fn take_over(&mut self, dir: &NodeDir, root: ProcessId) {
        let Some(listener) = self.listener.take() else { return };
        let (Ok(node), Ok(told)) = (Node::of_dir(dir.clone()), Told::new()) else { return };
        let told = std::mem::replace(&mut self.told, told);
        let (wanted, strict) = (self.wanted, self.strict);
        let charge =
            Charge { node, wanted, root: root.pid, strict, root_is_reached: AtomicBool::new(true), told };
        let follow = move || {
            follow::call_again(root);
            follow::follow(&listener, &charge);
        };
        if let Err(why) = std::thread::Builder::new().name("ft-follow".to_owned()).spawn(follow) {
            tracing::warn!("execs are followed no more: {why}");
        }
    }
}

fn receive(socket: &OwnedFd) -> Option<OwnedFd> {
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut room = nix::cmsg_space!(RawFd);
    let message = loop {
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut room), flags) {
            Err(Errno::EINTR) => {}
            other => break other.ok()?,
        }
    };
    let fd = message.cmsgs().ok()?.find_map(|part| match part {
        ControlMessageOwned::ScmRights(files) => files.first().copied(),
        _ => None,
    })?;
    // SAFETY: the kernel has just given it to us, and to nobody else.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
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
