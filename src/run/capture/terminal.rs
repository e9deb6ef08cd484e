//! A terminal for the program, where it would have had the real one.
//!
//! What must hold: bytes come out of it as they went in (the real terminal makes of them what it always does); its modes
//! and its size are the real one's at the start, and its size stays so. It is nobody's controlling terminal: that stays
//! the real one, and with it standard input, signals and job control. So modes that the program sets through its standard
//! output reach this terminal only.
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

fn size_of(terminal: RawFd) -> Result<Winsize> {
    let mut size = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: a live record, which the kernel fills; a number that is no descriptor is refused.
    Errno::result(unsafe { libc::ioctl(terminal, libc::TIOCGWINSZ, &raw mut size) })?;
    Ok(size)
}
