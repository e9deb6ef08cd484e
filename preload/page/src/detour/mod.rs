//! A detour of the vDSO, as bytes: what goes into the island, and what is written over each function's first five bytes.
//!
//! A detoured function begins with `jmp rel32` to an *island*, a page within 2 GiB of the vDSO, where a jump without
//! limit goes on to the hook. The island also holds the *trampoline*: clock_gettime's displaced first instructions and a
//! jump to the rest, which is how the true clock is still read. The other functions are computed from it.
//!
//! What must hold: this is arithmetic on bytes that someone else read and someone else writes; it touches no memory, does
//! not panic, and refuses what it does not understand. The shim detours its own process with it, the controller a stopped one.
//! What breaks it: a function that is entered at other than its first byte, in a way that no relative branch shows.

mod decode;
mod island;
mod place;
mod plan;

#[cfg(test)]
mod tests;

pub use decode::{Instruction, Kind, decode};
pub use island::{ISLAND_SIZE, Island, MAGIC, Record, SLOTS, Slot, hook_of, island_of_jump};
pub use place::{near, stack_room};
pub use plan::{Functions, Hooks, PATCH, Patch, Plan, plan};

/// Why a vDSO was not detoured: the process is then reached by its symbols alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no vDSO, or it is not what a kernel makes.
    NoVdso,
    /// The process's clock reads go to falseticker's own image already.
    Replaced,
    /// Another instance has detoured it.
    AlreadyDetoured,
    /// Other threads run, which may be inside the bytes to be overwritten.
    OtherThreads,
    /// Without /proc/self/task it is not known whether other threads run.
    NoProc(i32),
    /// No free page within reach of the vDSO.
    NoIsland,
    /// A function's first instructions cannot be moved, or something jumps back into them.
    Undecodable,
    /// Neither /proc/self/mem nor mprotect may write code; nothing was changed.
    CannotWrite(i32),
    /// What was read back is not what was written; it was restored.
    NotAsWritten,
}

impl Refusal {
    /// As one word, to be published: the reason in the low byte, the errno above it. Never 0.
    pub const fn code(self) -> u32 {
        match self {
            Self::NoVdso => 1,
            Self::Replaced => 2,
            Self::AlreadyDetoured => 3,
            Self::OtherThreads => 4,
            Self::NoProc(errno) => 5 | Self::pack(errno),
            Self::NoIsland => 6,
            Self::Undecodable => 7,
            Self::CannotWrite(errno) => 8 | Self::pack(errno),
            Self::NotAsWritten => 9,
        }
    }

    /// The reason that a published word stands for; `None` for what no version has written.
    pub const fn from_code(code: u32) -> Option<Self> {
        let errno = (code >> 8).cast_signed();
        Some(match code & 0xff {
            1 => Self::NoVdso,
            2 => Self::Replaced,
            3 => Self::AlreadyDetoured,
            4 => Self::OtherThreads,
            5 => Self::NoProc(errno),
            6 => Self::NoIsland,
            7 => Self::Undecodable,
            8 => Self::CannotWrite(errno),
            9 => Self::NotAsWritten,
            _ => return None,
        })
    }

    const fn pack(errno: i32) -> u32 {
        (errno.unsigned_abs() & 0x00ff_ffff) << 8
    }
}
