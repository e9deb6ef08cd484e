//! The replacement image, as it is built into this program.
//!
//! What must hold: it is falseticker's own, and one that the page crate's parser believes; a test looks.

use falseticker_page::detour::{Functions, Hooks};
use falseticker_page::image::Layout;
use falseticker_page::vdso::{Image, image_size};

use crate::{Error, Result};

static FILE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/falseticker-vdso.so"));

/// What of it is mapped, where everything is, and where its functions are.
#[derive(Clone, Copy, Debug)]
pub struct Replacement {
    /// The bytes that are mapped.
    pub bytes: &'static [u8],
    /// What lies behind them.
    pub layout: Layout,
    functions: Functions,
}

impl Replacement {
    /// The image of this program.
    pub fn own() -> Result<Replacement> {
        let whole = || -> Option<Replacement> {
            let size = image_size(FILE)?;
            let bytes = FILE.get(..size)?;
            let image = Image::parse(bytes).filter(Image::is_ours)?;
            Some(Replacement { bytes, layout: Layout::of(size)?, functions: Functions::of(&image)? })
        };
        whole().ok_or_else(|| {
            Error::not_applied("read the replacement image of this program", "it was built wrongly")
                .remedy("build falseticker anew")
        })
    }

    /// Where the functions are that a detour leads to, in an image at `base`.
    pub fn hooks(&self, base: u64) -> Option<Hooks> {
        let at = |offset: usize| base.checked_add(offset as u64);
        Some(Hooks {
            clock_gettime: at(self.functions.clock_gettime.offset)?,
            gettimeofday: at(self.functions.gettimeofday?.offset)?,
            time: at(self.functions.time?.offset)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_of_this_program_is_one() {
        let own = Replacement::own().unwrap();
        assert!(own.bytes.len() < own.layout.memory + 1);
        let image = Image::parse(own.bytes).unwrap();
        for name in ["clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres", "getrandom"] {
            for name in [name.to_owned(), format!("__vdso_{name}")] {
                assert!(image.function(name.as_bytes()).is_some(), "{name}");
            }
        }
        assert!(own.hooks(0x7000_0000_0000).is_some());
        assert!(own.hooks(u64::MAX).is_none());
    }
}
