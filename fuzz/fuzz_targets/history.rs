//! Any bytes are a history or an error, and each line of it can be told.
//!
//! `cargo +nightly fuzz run history fuzz/corpus/history -- -max_total_time=60`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| falseticker::history::fuzz::one(bytes));
