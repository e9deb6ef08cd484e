//! The node's two files in the controller's memory.
//!
//! What must hold: a file is mapped only after [`open_file`] has found it whole, of the right owner and on tmpfs, and
//! for as long as anything refers to it; all of it is atomic words, so that what others do to it is never undefined.
#![expect(unsafe_code, reason = "mapping files, and referring to what is mapped")]

use std::fs::File;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::path::Path;
use std::ptr::NonNull;

use falseticker_page::evidence::{EVIDENCE_SIZE, Evidence};
use falseticker_page::layout::{PAGE_SIZE, Page, Unfit, VERSION};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::dir::NodeDir;
use super::files::open_file;
use crate::error::{Error, Result};

/// A type that may be read out of any bytes, at any moment.
///
/// # Safety
/// Only for types made of atomic words, of a size that is [`Shared::SIZE`].
pub unsafe trait Shared: Sync {
    /// Its size in bytes.
    const SIZE: usize;
}

// SAFETY: the layout is atomic words throughout, asserted at its definition.
unsafe impl Shared for Page {
    const SIZE: usize = PAGE_SIZE;
}

// SAFETY: as above.
unsafe impl Shared for Evidence {
    const SIZE: usize = EVIDENCE_SIZE;
}

/// A mapped file.
#[derive(Debug)]
pub struct Mapped<T: Shared> {
    at: NonNull<T>,
}

// SAFETY: it owns its mapping, and what is mapped is `Sync`.
unsafe impl<T: Shared> Send for Mapped<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for Mapped<T> {}

impl<T: Shared> Mapped<T> {
    /// Maps a file that has its whole size, for reading and writing.
    pub fn new(file: &File) -> nix::Result<Self> {
        let size = NonZeroUsize::new(T::SIZE).ok_or(nix::Error::EINVAL)?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let at = unsafe {
            mmap(
                None,
                size,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                file.as_fd(),
                0,
            )?
        };
        Ok(Mapped { at: at.cast() })
    }
}

impl<T: Shared> Deref for Mapped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: mapped at the type's size until this is dropped, and any bytes are a value of it.
        unsafe { self.at.as_ref() }
    }
}

impl<T: Shared> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: this mapping is its own, and the borrows of `deref` have ended.
        let _ = unsafe { munmap(self.at.cast(), T::SIZE) };
    }
}

/// The page of a node, if it is one of this version.
pub fn open_page(dir: &NodeDir) -> Result<Mapped<Page>> {
    let attempted = format!("use the page of node {}", dir.name());
    let page: Mapped<Page> = open(&dir.page(), dir, &attempted)?;
    let remedy = format!("falseticker remove {}, and make it anew", dir.name());
    page.check().map_err(|unfit| {
        let why = match unfit {
            Unfit::Version(other) => {
                format!("it is of version {other}, and this falseticker knows version {VERSION}")
            }
            Unfit::Magic | Unfit::Size => "it is corrupt".to_owned(),
        };
        Error::bad_input(&attempted, why).remedy(&remedy)
    })?;
    Ok(page)
}

/// The evidence file of a node.
pub fn open_evidence(dir: &NodeDir) -> Result<Mapped<Evidence>> {
    let attempted = format!("use the evidence file of node {}", dir.name());
    let evidence: Mapped<Evidence> = open(&dir.evidence(), dir, &attempted)?;
    if !evidence.check() {
        return Err(Error::bad_input(attempted, "it is corrupt, or of another version")
            .remedy(format!("falseticker remove {}, and make it anew", dir.name())));
    }
    Ok(evidence)
}

fn open<T: Shared>(path: &Path, dir: &NodeDir, attempted: &str) -> Result<Mapped<T>> {
    let file = open_file(path, T::SIZE as u64, dir.owner(), true)?;
    Mapped::new(&file).map_err(|why| Error::not_applied(attempted, why))
}
