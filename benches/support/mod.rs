//! What the benches share: ways of running a program, each beside its rivals, and figures as tables.
#![allow(dead_code, reason = "each bench uses its own part")]

pub mod again;
pub mod child;
pub mod figures;
pub mod server;
pub mod way;

use std::path::PathBuf;

use falseticker::host_clock;

/// The machine's own CLOCK_MONOTONIC_RAW in nanoseconds, by a syscall instruction of the library's own: the same bare
/// and under any shim.
pub fn raw_nanos() -> i64 {
    host_clock::read(libc::CLOCK_MONOTONIC_RAW)
}

/// How long `work` takes, in nanoseconds.
pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begin = raw_nanos();
    let done = work();
    (nanos(raw_nanos() - begin), done)
}

/// A span for arithmetic.
#[expect(clippy::cast_precision_loss, reason = "spans of a bench are far below 2^53 ns")]
pub fn nanos(span: i64) -> f64 {
    span as f64
}

/// Where a program is, if it is installed.
pub fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Whether criterion was asked for something else than to measure.
pub fn only_lists() -> bool {
    std::env::args().any(|word| word == "--list" || word == "--test")
}

/// Says that something is left out, and what would bring it in.
pub fn skip(what: &str, package: &str) {
    println!("left out: {what} is not installed (Debian: apt install {package})");
}
