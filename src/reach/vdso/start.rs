//! What a program finds on its stack when it begins: arguments, environment, auxiliary vector.
//!
//! What must hold: the program has run no instruction yet, so the kernel has written all of it; it is believed as far as it can be
//! read, and no further than the longest that a kernel makes.
//!
//! Source: `create_elf_tables` in the kernel's `fs/binfmt_elf.c`, getauxval(3).

use super::super::trace::Memory;
use crate::{Error, Result};

const AT_NULL: u64 = 0;
const AT_BASE: u64 = 7;
const AT_SECURE: u64 = 23;
const AT_SYSINFO_EHDR: u64 = 33;
/// More words than any kernel's limits let a stack begin with: a quarter of 6 MiB of pointers, and as many again.
const MOST_WORDS: usize = 1 << 20;
/// The longest value of LD_PRELOAD that is looked at.
const LONGEST: usize = 64 << 10;

/// An entry of the auxiliary vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Where its value stands.
    pub at: u64,
    /// The value.
    pub value: u64,
}

/// The beginning of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Start {
    /// Where its vDSO is.
    pub vdso: Option<Slot>,
    /// Whether its loader ignores LD_PRELOAD.
    pub is_secure: bool,
    /// Whether it has a dynamic loader.
    pub has_loader: bool,
    /// Its LD_PRELOAD.
    pub preload: Option<Vec<u8>>,
}

impl Start {
    /// Reads what stands from the stack's top on.
    pub(crate) fn read(memory: &Memory, top: u64) -> Result<Start> {
        let mut words = Words { memory, at: top, read: 0, buffer: Vec::new() };
        let refused =
            || Error::not_applied("read the stack of a new program", "it is not what a kernel makes");
        let arguments =
            usize::try_from(words.next().ok_or_else(refused)?).ok().filter(|count| *count < MOST_WORDS);
        for _ in 0..=arguments.ok_or_else(refused)? {
            words.next().ok_or_else(refused)?;
        }
        let mut start = Start::default();
        loop {
            match words.next().ok_or_else(refused)? {
                0 => break,
                at if start.preload.is_none() => start.preload = value_of(memory, at, b"LD_PRELOAD="),
                _ => {}
            }
        }
        loop {
            let kind = words.next().ok_or_else(refused)?;
            let at = words.at;
            let value = words.next().ok_or_else(refused)?;
            match kind {
                AT_NULL => return Ok(start),
                AT_SYSINFO_EHDR => start.vdso = Some(Slot { at, value }),
                AT_SECURE => start.is_secure = value != 0,
                AT_BASE => start.has_loader = value != 0,
                _ => {}
            }
        }
    }
}

/// What follows `name` in the string at an address, if it begins with that.
fn value_of(memory: &Memory, at: u64, name: &[u8]) -> Option<Vec<u8>> {
    let mut begin = vec![0; name.len()];
    if memory.read_some(at, &mut begin) < name.len() || begin != name {
        return None;
    }
    let mut value = vec![0; LONGEST];
    let there = memory.read_some(at + name.len() as u64, &mut value);
    value.truncate(there);
    value.truncate(value.iter().position(|byte| *byte == 0)?);
    Some(value)
}

/// Words from an address on, read a page at a time.
struct Words<'a> {
    memory: &'a Memory,
    at: u64,
    read: usize,
    buffer: Vec<u8>,
}

impl Words<'_> {
    fn next(&mut self) -> Option<u64> {
        if self.buffer.is_empty() {
            let mut page = vec![0; 4096];
            let there = self.memory.read_some(self.at, &mut page);
            page.truncate(there & !7);
            self.buffer = page;
            self.buffer.reverse();
        }
        self.read += 1;
        let rest = self.buffer.len().checked_sub(8).filter(|_| self.read < MOST_WORDS)?;
        let mut word = [0; 8];
        // It was reversed, so that the next word is taken off the end.
        word.iter_mut().zip(self.buffer.drain(rest..).rev()).for_each(|(to, from)| *to = from);
        self.at += 8;
        Some(u64::from_ne_bytes(word))
    }
}
