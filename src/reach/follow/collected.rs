//! What whoever follows has collected of another thread's children, and hands over to it.
//!
//! Why: a process that is traced by one thread of its parent tells its news to that thread alone, its end included.
//!
//! What must hold: a child is gone for its parent's other threads only once its end can be taken here. So an end is collected
//! and added under one lock, and who finds no child left ([`Collected::take`] once more) has missed none.
//!
//! Source: `wait_consider_task` in the kernel's `kernel/exit.c`.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::super::trace::{News, await_news, news_now};
use crate::{Error, Result};

/// News of processes, as wait(2) reports it, for the thread whose children they are. Its descriptor is readable while
/// there is any.
#[derive(Debug)]
pub(crate) struct Collected {
    news: Mutex<VecDeque<(i32, i32)>>,
    event: EventFd,
}

impl Collected {
    /// Nothing yet.
    pub(crate) fn new() -> Result<Collected> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let event = event.map_err(|errno| Error::not_applied("make an event counter", errno.desc()))?;
        Ok(Collected { news: Mutex::default(), event })
    }

    /// Adds the raw status of a process that goes on.
    pub(crate) fn push(&self, pid: i32, status: i32) {
        self.add(&mut self.lock(), pid, status);
    }

    /// The next news of whatever the calling thread traces, as [`news_of_any`](super::super::trace::news_of_any) has it; of
    /// which an end is added here.
    pub(crate) fn next_of_traced(&self) -> Option<(i32, News, i32)> {
        while await_news().ok()? {
            let mut news = self.lock();
            // What was there may be gone: an exec ends other threads without a word.
            let Some((tid, what, status)) = news_now().ok()? else { continue };
            if matches!(what, News::Ended) {
                self.add(&mut news, tid, status);
            }
            return Some((tid, what, status));
        }
        None
    }

    fn add(&self, news: &mut VecDeque<(i32, i32)>, pid: i32, status: i32) {
        news.push_back((pid, status));
        let _ = self.event.write(1);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(i32, i32)>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest.
    pub(crate) fn take(&self) -> Option<(i32, i32)> {
        let mut news = self.lock();
        let _ = self.event.read();
        let oldest = news.pop_front();
        if !news.is_empty() {
            let _ = self.event.write(1);
        }
        oldest
    }
}

impl AsFd for Collected {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn news_comes_in_order_and_is_readable_while_there_is_any() {
        let collected = Collected::new().unwrap();
        let is_readable = || {
            let mut fds =
                [libc::pollfd { fd: collected.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 }];
            crate::raw::poll(&mut fds, Some(0)) == Ok(1)
        };
        assert!(!is_readable());
        collected.push(1, 0);
        collected.push(2, 9);
        assert!(is_readable());
        assert_eq!(collected.take(), Some((1, 0)));
        assert!(is_readable());
        assert_eq!(collected.take(), Some((2, 9)));
        assert!(!is_readable());
        assert_eq!(collected.take(), None);
    }

    #[test]
    fn who_finds_no_child_left_finds_its_end_here() {
        use nix::errno::Errno;
        use nix::sys::wait::{Id, WaitPidFlag, waitid};
        use std::process::{Command, Stdio};

        for _ in 0..300 {
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let pid = i32::try_from(child.id()).unwrap();
            let collected = Collected::new().unwrap();
            let (say, hear) = std::sync::mpsc::channel();
            let told = std::thread::scope(|scope| {
                scope.spawn(|| {
                    crate::raw::ptrace(libc::PTRACE_SEIZE, pid, 0).unwrap();
                    say.send(()).unwrap();
                    while collected.next_of_traced().is_some() {}
                });
                hear.recv().unwrap();
                drop(child.stdin.take());
                // Looks, and collects nothing: any thread of the parent could.
                let flags = WaitPidFlag::WNOHANG
                    | WaitPidFlag::WNOWAIT
                    | WaitPidFlag::WEXITED
                    | WaitPidFlag::__WNOTHREAD;
                let is_gone =
                    || waitid(Id::Pid(nix::unistd::Pid::from_raw(pid)), flags) == Err(Errno::ECHILD);
                loop {
                    let told = collected.take();
                    if told.is_some() || is_gone() {
                        break told.or_else(|| collected.take());
                    }
                }
            });
            assert_eq!(told, Some((pid, 0)));
            assert!(child.wait().is_err(), "it was collected");
        }
    }
}
