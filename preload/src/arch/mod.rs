//! The processor: all that another one would have to bring.
//!
//! A port is a folder beside `x86_64` with the same files, and `falseticker_page::detour`'s decoder and jumps.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("the shim does not know this processor: write its folder in preload/src/arch");
