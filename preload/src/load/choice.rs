//! Whether this program is one of those that get the node's false clock.
//!
//! What must hold: it needs no relocation, and no memory but the stack's; a name that cannot be told names nothing, and a choice
//! that cannot be read is told as a page that cannot.

use falseticker_page::choice::{CHOICE_SIZE, Choice};

use super::location::{PATH, Path};
use super::refuse::Why;
use crate::sys::{self, PAGE, errno};
use crate::vdso::auxiliary;

const AT_EXECFN: u64 = 31;

/// Whether the choice in this directory selects this program.
#[inline(never)]
pub fn selects(directory: &mut Path) -> Result<bool, Why> {
    let file = match directory.file(c"choice", sys::open_read).ok_or(Why::NoLocation)? {
        Err(errno::ENOENT) => return Ok(true),
        file => file.map_err(Why::NoChoice)?,
    };
    // One more, so that a longer file does not seem whole.
    let mut bytes = [0; CHOICE_SIZE + 1];
    let length = sys::read(&file, &mut bytes).map_err(Why::NoChoice)?;
    let choice = bytes.get(..length).and_then(Choice::parse).ok_or(Why::NotAChoice)?;
    let (mut executed, mut file) = ([0; PATH], [0; PATH]);
    Ok(choice == Choice::ALL || choice.selects_any(&[executed_as(&mut executed), file_that_runs(&mut file)]))
}

/// The path by which this program was executed: a script's, a link's.
fn executed_as(path: &mut [u8; PATH]) -> &[u8] {
    let Some(from) = auxiliary(AT_EXECFN).and_then(|from| usize::try_from(from).ok()) else { return &[] };
    let mut filled = 0;
    while let Some(room) = path.get_mut(filled..).filter(|room| !room.is_empty()) {
        let at = from.wrapping_add(filled);
        let length = room.len().min(PAGE - at % PAGE);
        let Some(room) = room.get_mut(..length) else { break };
        if sys::peek(at, room).is_err() {
            break;
        }
        if let Some(end) = room.iter().position(|byte| *byte == 0) {
            return path.get(..filled + end).unwrap_or(&[]);
        }
        filled += length;
    }
    &[]
}

/// The path of the file that runs: a script's interpreter, what a link leads to.
fn file_that_runs(path: &mut [u8; PATH]) -> &[u8] {
    let length = sys::read_link(c"/proc/self/exe", path).unwrap_or(0);
    path.get(..length).unwrap_or(&[])
}
