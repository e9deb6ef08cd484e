//! A node's first process that cannot see its page does not run: it says why and ends, before the program begins.
//!
//! The controller names that process by its pid in the environment; any other process, a descendant perhaps, goes on
//! without the shim, and `status` lists it as not reached.

use crate::sys;

/// Why there is no page.
#[derive(Clone, Copy)]
pub enum Why {
    /// `/proc` is not there or not readable.
    NoProc(i32),
    /// This library is not in its own maps under a path.
    NoLocation,
    /// The page cannot be opened or mapped.
    NoPage(i32),
    /// The choice among programs cannot be read.
    NoChoice(i32),
    /// It is none.
    NotAChoice,
    /// Another file system.
    NotOnTmpfs,
    /// Too short, or of a size that its version does not have.
    Size,
    /// No page at all.
    NotAPage,
    /// A page of another version.
    Version,
}

impl Why {
    fn text(self) -> &'static [u8] {
        match self {
            Why::NoProc(_) => b"/proc is not readable in it\n  help: mount /proc there\n",
            Why::NoLocation => b"the shim does not find the node's directory in /proc/self/maps\n  help: make the directory visible to the program\n",
            Why::NoPage(_) => b"the node's page cannot be opened\n  help: does the program run as another user? then create the node with --share\n",
            Why::NoChoice(_) => b"the node's choice among programs cannot be read\n  help: does the program run as another user? then create the node with --share\n",
            Why::NotAChoice => b"the node's choice among programs is corrupt\n  help: remove the node and make it anew\n",
            Why::NotOnTmpfs => b"the node's page is not on tmpfs\n  help: set FALSETICKER_DIR to a directory on tmpfs\n",
            Why::Size => b"the node's page is truncated\n  help: remove the node and make it anew\n",
            Why::NotAPage => b"the node's page is corrupt\n  help: remove the node and make it anew\n",
            Why::Version => b"the node's page is of another version of falseticker\n  help: remove the node and make it anew with this version\n",
        }
    }
}

/// The variable that names the first process.
const VARIABLE: &[u8] = b"FALSETICKER_ROOT=";
/// `run`'s exit code for its own failures.
const EXIT: i32 = 125;

/// Ends the process if it is the node's first.
pub fn first_process(why: Why) {
    if !is_first() {
        return;
    }
    sys::write_stderr(b"falseticker: cannot reach the program: ");
    sys::write_stderr(why.text());
    if let Why::NoProc(errno) | Why::NoPage(errno) | Why::NoChoice(errno) = why {
        let number =
            [b'0' + (errno / 100 % 10) as u8, b'0' + (errno / 10 % 10) as u8, b'0' + (errno % 10) as u8];
        sys::write_stderr(b"  the kernel's errno: ");
        sys::write_stderr(&number);
        sys::write_stderr(b"\n");
    }
    sys::exit_group(EXIT);
}

/// Whether the initial environment names this process.
fn is_first() -> bool {
    let Ok(environment) = sys::open_read(c"/proc/self/environ") else { return false };
    let pid = sys::getpid().unsigned_abs();
    // How much of the variable's name has been matched; then the digits that follow it.
    let (mut matched, mut at_start, mut value) = (0, true, 0_u32);
    let mut buffer = [0_u8; 1024];
    while let Ok(read @ 1..) = sys::read(&environment, &mut buffer) {
        for byte in buffer.iter().take(read) {
            if matched == VARIABLE.len() && byte.is_ascii_digit() {
                value = value.wrapping_mul(10).wrapping_add(u32::from(byte - b'0'));
            } else if *byte == 0 {
                if matched == VARIABLE.len() && value == pid {
                    return true;
                }
                (matched, at_start, value) = (0, true, 0);
            } else if at_start && VARIABLE.get(matched) == Some(byte) {
                matched += 1;
            } else {
                at_start = false;
                matched = 0;
            }
        }
    }
    false
}
