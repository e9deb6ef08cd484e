//! Any text is a scenario or an error; a scenario is written and read back the same, and can be drawn.
//!
//! `cargo +nightly fuzz run scenario fuzz/corpus/scenario examples -- -max_total_time=60`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| falseticker::scenario::fuzz::one(bytes));
