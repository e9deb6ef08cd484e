//! What whoever follows has collected of another thread's children, and hands over to it.
//!
//! Why: a process that is traced by one thread of its parent tells its news to that thread alone, its end included.
//!
//! Source: `wait_consider_task` in the kernel's `kernel/exit.c`.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

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

    /// Adds the raw status of a process.
    pub(crate) fn push(&self, pid: i32, status: i32) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).push_back((pid, status));
        let _ = self.event.write(1);
    }

    /// The oldest.
    pub(crate) fn take(&self) -> Option<(i32, i32)> {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
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
}
