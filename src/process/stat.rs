//! /proc/PID/stat, read and parsed without allocating.
//!
//! By hand and not by the procfs crate, because the guard of a freeze verifies start times where allocating is
//! forbidden; everyone else uses the same few lines. What must hold: a name with spaces and parentheses parses, as
//! does one with bytes that are not UTF-8; anything unexpected is `None`.

use std::ffi::CStr;

use super::ProcessId;
use crate::raw;

/// The state letter of a process or a thread, as /proc shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct State(u8);

impl State {
    /// Stopped by a signal.
    pub const STOPPED: State = State(b'T');
    /// Held by a tracer.
    pub const TRACED: State = State(b't');
    /// In an uninterruptible sleep, which a parent in `vfork` is in as well.
    pub const DISK: State = State(b'D');

    /// Stopped, by a signal or by a tracer.
    pub fn is_stopped(self) -> bool {
        self == State::STOPPED || self == State::TRACED
    }

    /// Ended, if perhaps not yet collected.
    pub fn is_gone(self) -> bool {
        matches!(self.0, b'Z' | b'X' | b'x')
    }

    /// The letter.
    pub fn letter(self) -> char {
        char::from(self.0)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.letter(), f)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.letter(), f)
    }
}

/// What one line says about a process, or about one thread of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat<'a> {
    pub pid: i32,
    pub comm: &'a [u8],
    pub state: State,
    pub ppid: i32,
    pub session: i32,
    pub threads: u32,
    pub start_ticks: u64,
}

impl Stat<'_> {
    pub(crate) fn id(&self) -> ProcessId {
        ProcessId { pid: self.pid, start_ticks: self.start_ticks }
    }
}

/// Room for one line: 52 numbers of at most 20 digits would not fit, but none of the first 22 is that long.
pub(crate) struct Buffer([u8; 1024]);

impl Buffer {
    pub(crate) const fn new() -> Self {
        Buffer([0; 1024])
    }
}

/// What the kernel says about a process now; `None` when there is none.
pub(crate) fn read(pid: i32, buffer: &mut Buffer) -> Option<Stat<'_>> {
    read_path(Path::new().text(b"/proc/").number(pid).text(b"/stat"), buffer)
}

/// What the kernel says about one thread of a process now.
pub(crate) fn read_task(pid: i32, tid: i32, buffer: &mut Buffer) -> Option<Stat<'_>> {
    read_path(Path::new().text(b"/proc/").number(pid).text(b"/task/").number(tid).text(b"/stat"), buffer)
}

fn read_path(path: Path, buffer: &mut Buffer) -> Option<Stat<'_>> {
    let fd = raw::open(path.as_cstr()?, libc::O_RDONLY | libc::O_CLOEXEC).ok()?;
    let length = raw::read(fd, &mut buffer.0);
    let _ = raw::close(fd);
    parse(buffer.0.get(..length.ok()?)?)
}

fn parse(line: &[u8]) -> Option<Stat<'_>> {
    let open = line.iter().position(|&byte| byte == b'(')?;
    let close = line.iter().rposition(|&byte| byte == b')')?;
    let pid = number(line.get(..open)?.strip_suffix(b" ")?)?;
    let comm = line.get(open + 1..close)?;
    // From the state, field 3, on.
    let mut fields = line.get(close + 1..)?.split(|&byte| byte == b' ').filter(|field| !field.is_empty());
    let state = State(*fields.next()?.first()?);
    let ppid = number(fields.next()?)?;
    let session = number(fields.nth(1)?)?;
    let threads = number(fields.nth(13)?)?;
    let start_ticks = number(fields.nth(1)?)?;
    Some(Stat { pid, comm, state, ppid, session, threads, start_ticks })
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A path that is put together on the stack.
struct Path {
    bytes: [u8; 64],
    length: usize,
}

impl Path {
    fn new() -> Self {
        Path { bytes: [0; 64], length: 0 }
    }

    fn text(mut self, text: &[u8]) -> Self {
        // The last byte stays zero; text that does not fit is left out, and the path then names nothing.
        if let Some(room) = self.bytes[..63].get_mut(self.length..self.length + text.len()) {
            room.copy_from_slice(text);
            self.length += text.len();
        }
        self
    }

    fn number(self, number: i32) -> Self {
        let mut digits = [0_u8; 20];
        self.text(decimal(u64::from(number.unsigned_abs()), &mut digits))
    }

    fn as_cstr(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.bytes).ok()
    }
}

/// `number` in decimal, at the end of `digits`, which keeps whatever is before it.
pub(crate) fn decimal(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = number;
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b"0123456789"[usize::try_from(rest % 10).unwrap_or(0)];
        rest /= 10;
        if rest == 0 {
            return &digits[from..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_parses() {
        let line = b"42 (a) R 1 (b\xff) T 7 8 9 0 -1 0 1 2 3 4 5 6 7 8 20 0 3 0 12345 1 2\n";
        let stat = parse(line).unwrap();
        assert_eq!((stat.pid, stat.ppid, stat.session, stat.threads, stat.start_ticks), (42, 7, 9, 3, 12345));
        assert_eq!(stat.state, State::STOPPED);
        assert_eq!(stat.comm, b"a) R 1 (b\xff");
    }

    #[test]
    fn what_is_no_stat_line_is_refused() {
        for line in [&b""[..], b"42", b"42 (", b"42 )(", b"42 (a)", b"42 (a) R 1 2 3", b"x (a) R 1 2 3 4 5 6"]
        {
            assert!(parse(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn agrees_with_procfs_about_this_process() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let mut buffer = Buffer::new();
        let here = read(pid, &mut buffer).unwrap();
        let there = procfs::process::Process::myself().unwrap().stat().unwrap();
        assert_eq!((here.ppid, here.session, here.start_ticks), (there.ppid, there.session, there.starttime));
        assert_eq!(here.comm, there.comm.as_bytes());
        assert!(read_task(pid, pid, &mut Buffer::new()).is_some());
    }

    #[test]
    fn decimal_writes_every_size() {
        for number in [0, 7, 10, 4_194_304, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
