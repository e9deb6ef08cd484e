//! The kernel's vDSO in another process: where it lies, its bytes, and a `syscall` instruction.
//!
//! What must hold: it is looked up in the process's mappings, not in its auxiliary vector, which may have been pointed at
//! another image.

use std::ops::Range;

use falseticker_page::vdso::{HEADER_PAGE, Image, image_size};
use procfs::process::{MMapPath, Process};

use super::memory::View;
use crate::{Error, Result};

/// `syscall`.
const INSTRUCTION: [u8; 2] = [0x0f, 0x05];

/// The vDSO of a process, as it is now.
#[derive(Debug)]
pub(crate) struct Vdso {
    base: u64,
    bytes: Vec<u8>,
}

impl Vdso {
    /// That of a process.
    pub(crate) fn of(pid: i32, memory: &View) -> Result<Vdso> {
        let attempted = format!("find the vDSO of process {pid}");
        let refused = |why: &dyn std::fmt::Display| Error::not_applied(&attempted, why);
        let maps = Process::new(pid).and_then(|process| process.maps()).map_err(|why| refused(&why))?;
        let map = maps.iter().find(|map| map.pathname == MMapPath::Vdso);
        let map = map.ok_or_else(|| {
            refused(&"it has none")
                .remedy("boot without vdso=0; without it there is nothing that could be detoured")
        })?;
        let (base, end) = map.address;
        let mut bytes = vec![0; HEADER_PAGE];
        memory.read(base, &mut bytes)?;
        let size = image_size(&bytes).filter(|size| base + *size as u64 <= end);
        bytes.resize(size.ok_or_else(|| refused(&"it is not what a kernel makes"))?, 0);
        memory.read(base, &mut bytes)?;
        Ok(Vdso { base, bytes })
    }

    /// Its address.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Its addresses: whole pages.
    pub(crate) fn range(&self) -> Range<u64> {
        self.base..self.base + (self.bytes.len() as u64).next_multiple_of(4096)
    }

    /// Whether its bytes are still what they were.
    pub(crate) fn is_unchanged(&self, memory: &View) -> bool {
        let mut now = vec![0; self.bytes.len()];
        memory.read(self.base, &mut now).is_ok() && now == self.bytes
    }

    /// The image.
    pub(crate) fn image(&self) -> Option<Image<'_>> {
        Image::parse(&self.bytes)
    }

    /// The address of a `syscall` instruction in the code of one of its functions: each falls back to one.
    pub(crate) fn syscall_instruction(&self) -> Option<u64> {
        let image = self.image()?;
        let mut places = image.functions().filter_map(|function| {
            let code = image.code(function)?;
            // Not among the first bytes, which a detour may have overwritten.
            let at = code.windows(INSTRUCTION.len()).rposition(|bytes| bytes == INSTRUCTION)?;
            Some(self.base + function.offset as u64 + at as u64)
        });
        places.next()
    }
}
