//! A terminal for the program, where it would have had the real one.
//!
//! What must hold: bytes come out of it as they went in (the real terminal makes of them what it always does); its modes
//! and its size are the real one's at the start, and its size stays so. It is nobody's controlling terminal: that stays
//! the real one, and with it standard input, signals and job control. Modes that the program sets through its standard
//! output, as full-screen programs do, are set in the real one.
//!
//! Source: termios(3), tty_ioctl(4): the modes of the master's side are the other's.
#![expect(unsafe_code, reason = "ioctls on descriptors that are held")]

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{OutputFlags, tcgetattr};

type Result<T> = std::result::Result<T, Errno>;

/// A new terminal such as `real`: where the program's output comes out, and the program's end.
pub fn open(real: &OwnedFd) -> Result<(OwnedFd, OwnedFd)> {
    let mut modes = tcgetattr(real)?;
    modes.output_flags.remove(OutputFlags::OPOST);
    let OpenptyResult { master, slave } = openpty(Some(&size_of(real.as_raw_fd())?), Some(&modes))?;
    for fd in [&master, &slave] {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    Ok((master, slave))
}

/// Gives a terminal the size of the real one; whether it had another.
pub fn resize(master: RawFd, real: RawFd) -> bool {
    let (Ok(size), Ok(old)) = (size_of(real), size_of(master)) else { return false };
    // SAFETY: a live record, which the kernel reads; a number that is no descriptor is refused.
    size != old && unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &raw const size) == 0 }
}

/// The modes of a program's terminal, followed by the real one.
#[derive(Debug)]
pub struct Modes {
    first: libc::termios,
    last: libc::termios,
}

impl Modes {
    /// As they are now.
    pub fn of(master: RawFd) -> Option<Self> {
        modes_of(master).ok().map(|first| Modes { first, last: first })
    }

    /// Whether a program has set others, and may set them anew.
    pub fn are_set(&self) -> bool {
        !self.first.is_as(&self.last)
    }

    /// Sets in the real one what has been set since the last time. No signal tells of it, so it is looked for.
    pub fn follow(&mut self, master: RawFd, real: RawFd) {
        let Ok(mut now) = modes_of(master) else { return };
        if now.is_as(&self.last) {
            return;
        }
        if let Ok(mut modes) = modes_of(real) {
            let changed = |now: u32, last: u32, real: u32| real & !(now ^ last) | now & (now ^ last);
            modes.c_iflag = changed(now.c_iflag, self.last.c_iflag, modes.c_iflag);
            modes.c_oflag = changed(now.c_oflag, self.last.c_oflag, modes.c_oflag);
            modes.c_lflag = changed(now.c_lflag, self.last.c_lflag, modes.c_lflag);
            for ((real, now), last) in modes.c_cc.iter_mut().zip(now.c_cc).zip(self.last.c_cc) {
                if now != last {
                    *real = now;
                }
            }
            set_modes(real, &modes);
        }
        if now.c_oflag & libc::OPOST != 0 {
            // One of the two is enough.
            now.c_oflag &= !libc::OPOST;
            set_modes(master, &now);
        }
        self.last = now;
    }
}

trait Same {
    fn is_as(&self, other: &Self) -> bool;
}

impl Same for libc::termios {
    fn is_as(&self, other: &Self) -> bool {
        let flags = |modes: &Self| [modes.c_iflag, modes.c_oflag, modes.c_lflag];
        flags(self) == flags(other) && self.c_cc == other.c_cc
    }
}

fn modes_of(terminal: RawFd) -> Result<libc::termios> {
    // SAFETY: a record of numbers, for which zeroes are values.
    let mut modes: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: a live record, which is filled; a number that is no descriptor is refused.
    Errno::result(unsafe { libc::tcgetattr(terminal, &raw mut modes) })?;
    Ok(modes)
}

fn set_modes(terminal: RawFd, modes: &libc::termios) {
    // In the background, where the caller is, this would be SIGTTOU, were that not blocked.
    // SAFETY: a live record, which is read; a number that is no descriptor is refused.
    let _ = unsafe { libc::tcsetattr(terminal, libc::TCSANOW, modes) };
}

fn size_of(terminal: RawFd) -> Result<Winsize> {
    let mut size = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: a live record, which the kernel fills; a number that is no descriptor is refused.
    Errno::result(unsafe { libc::ioctl(terminal, libc::TIOCGWINSZ, &raw mut size) })?;
    Ok(size)
}
