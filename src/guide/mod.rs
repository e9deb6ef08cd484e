//! The guide: how clocks lie, which fault to choose, and how to find out what it broke.
//!
//! Begin with [`clocks`]; [`scenarios`] and [`checks`] are what most people use every day. The commands' own `--help` has all flags.
//! The same pages stand as text in `src/guide/`. Each command line, scenario and program in them is tried by the tests.
//!
//! Where a page names another, its last line says where that stands among the files, and the line before the page here says where it
//! is among the documents: the first definition of a name is the one that counts.

#[doc = "[reach]: crate::guide::reach"]
#[doc = ""]
#[doc = include_str!("clocks.md")]
pub mod clocks {}

#[doc = include_str!("pauses.md")]
pub mod pauses {}

#[doc = "[systems]: crate::guide::systems"]
#[doc = ""]
#[doc = include_str!("scenarios.md")]
pub mod scenarios {}

#[doc = include_str!("checks.md")]
#[allow(clippy::test_attr_in_doctest, reason = "a test is what is shown")]
pub mod checks {}

#[doc = include_str!("reports.md")]
pub mod reports {}

#[doc = include_str!("shrinking.md")]
pub mod shrinking {}

#[doc = include_str!("watching.md")]
pub mod watching {}

#[doc = "[checks]: crate::guide::checks"]
#[doc = ""]
#[doc = include_str!("testing.md")]
#[allow(clippy::test_attr_in_doctest, reason = "a test is what is shown")]
pub mod testing {}

#[doc = include_str!("running.md")]
pub mod running {}

#[doc = include_str!("reach.md")]
pub mod reach {}

#[doc = include_str!("systems.md")]
pub mod systems {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("speed.md")]
pub mod speed {}
