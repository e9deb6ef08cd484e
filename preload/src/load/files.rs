//! Maps the page and the evidence file.
//!
//! What must hold: only a file on tmpfs, of full size, is mapped, since a shorter one faults and a disk can block a
//! reader; the page is mapped read-only; without the evidence file the process goes on, its evidence unknown.
#![allow(unsafe_code)]
// Sound because a mapping is only taken for a page after its size was checked, is never unmapped once it is handed
// out, and holds nothing but atomic words.

use core::sync::atomic::Ordering;

use falseticker_page::evidence::{EVIDENCE_SIZE, Evidence};
use falseticker_page::layout::{PAGE_SIZE, Page, Unfit};

use super::location::Path;
use super::refuse::Why;
use crate::state::STATE;
use crate::sys::{self, Fd, mm};

/// `TMPFS_MAGIC`
const TMPFS: u64 = 0x0102_1994;

/// Maps both files of a node's directory; the page is handed out, the evidence file stored.
pub fn map(mut directory: Path) -> Result<&'static Page, Why> {
    let page = directory.file(c"page", sys::open_read).ok_or(Why::NoLocation)?.map_err(Why::NoPage)?;
    fit(&page, PAGE_SIZE)?;
    let address = sys::mmap_file(&page, PAGE_SIZE, mm::PROT_READ, mm::MAP_SHARED).map_err(Why::NoPage)?;
    // SAFETY: a mapping of the whole size, never unmapped from here on.
    let page: &'static Page = unsafe { &*(address as *const Page) };
    page.check().map_err(|unfit| match unfit {
        Unfit::Magic => Why::NotAPage,
        Unfit::Version(_) => Why::Version,
        Unfit::Size => Why::Size,
    })?;
    if let Some(Ok(file)) = directory.file(c"evidence", sys::open_read_write)
        && fit(&file, EVIDENCE_SIZE).is_ok()
        && let Ok(address) =
            sys::mmap_file(&file, EVIDENCE_SIZE, mm::PROT_READ | mm::PROT_WRITE, mm::MAP_SHARED)
    {
        // SAFETY: as above.
        let evidence: &'static Evidence = unsafe { &*(address as *const Evidence) };
        if evidence.check() {
            STATE.evidence.store(core::ptr::from_ref(evidence).cast_mut(), Ordering::Release);
        }
    }
    Ok(page)
}

/// Whether a file is on tmpfs and has its full size.
fn fit(file: &Fd, size: usize) -> Result<(), Why> {
    // `struct statfs` has 120 bytes, the type first; `struct stat` 144, the size at 48.
    let (mut filesystem, mut status) = ([0_u64; 15], [0_u64; 18]);
    // SAFETY: the kernel writes structures of these sizes to live arrays.
    let asked = unsafe {
        (
            sys::syscall2(sys::nr::FSTATFS, file.raw(), filesystem.as_mut_ptr() as usize),
            sys::syscall2(sys::nr::FSTAT, file.raw(), status.as_mut_ptr() as usize),
        )
    };
    if asked != (0, 0) || filesystem[0] != TMPFS {
        return Err(Why::NotOnTmpfs);
    }
    if status[6] < size as u64 { Err(Why::Size) } else { Ok(()) }
}
