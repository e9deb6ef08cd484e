//! Tracing on standard error: `-v` says more, and `FALSETICKER_LOG` says exactly what.
//!
//! What must hold: nothing here starts a thread, and nothing is written to standard output. While a picture has the
//! terminal nothing is written at all, and nothing is lost: it is written afterwards.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::filter::EnvFilter;

/// The variable with a filter, such as `debug` or `falseticker::freeze=trace`.
const VARIABLE: &str = "FALSETICKER_LOG";

/// Begins to log, so many `-v` loud; [`VARIABLE`] counts for more.
pub fn begin(verbose: u8) {
    let asked = std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty());
    let (filter, flaw) = match asked.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(why)) => (EnvFilter::new(level(verbose)), Some(why)),
        None => (EnvFilter::new(level(verbose)), None),
    };
    let wants_no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let begun = tracing_subscriber::fmt()
        .with_writer(|| Writer)
        .with_ansi(std::io::stderr().is_terminal() && !wants_no_colour)
        .with_env_filter(filter)
        .without_time()
        .with_target(verbose > 1)
        .try_init();
    if let (Ok(()), Some(flaw)) = (begun, flaw) {
        tracing::warn!("{VARIABLE} is not understood and left aside: {flaw}");
    }
}

/// What is held back; of what is longer, the end.
static HELD: Mutex<Option<Vec<u8>>> = Mutex::new(None);
const MOST_HELD: usize = 64 << 10;

/// While it lives, what is logged is held back.
#[derive(Debug)]
pub struct HeldBack(());

/// Holds back what is logged.
pub fn hold_back() -> HeldBack {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    HeldBack(())
}

impl HeldBack {
    /// The last of it, if that is a warning or worse.
    pub fn last_warning(&self) -> Option<String> {
        let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(held.as_deref()?).into_owned();
        let line = without_colours(text.lines().last()?);
        let is_warning = ["WARN", "ERROR"].iter().any(|level| line.starts_with(level));
        is_warning.then_some(line)
    }
}

fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default();
    let rest = parts.filter_map(|part| part.split_once('m')).map(|(_, text)| text);
    (first.to_owned() + &rest.collect::<String>()).trim().to_owned()
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        let _ = std::io::stderr().write_all(&held);
    }
}

/// Standard error, or what is held back from it.
struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match HELD.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(held) => {
                held.extend_from_slice(bytes);
                let surplus = held.len().saturating_sub(MOST_HELD);
                held.drain(..surplus);
                Ok(bytes.len())
            }
            None => std::io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

fn level(verbose: u8) -> &'static str {
    match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_kept_to_its_end_and_its_warnings_are_known() {
        let held = hold_back();
        assert_eq!(held.last_warning(), None);
        Writer.write_all(&[b'x'; MOST_HELD]).unwrap();
        Writer.write_all(b"\n\x1b[33m WARN\x1b[0m node a was not ended\n").unwrap();
        assert_eq!(held.last_warning().as_deref(), Some("WARN node a was not ended"));
        assert_eq!(HELD.lock().unwrap().as_ref().map(Vec::len), Some(MOST_HELD));
        Writer.write_all(b" INFO nodes live in /dev/shm\n").unwrap();
        assert_eq!(held.last_warning(), None);
        // Else they would be written among the results of the tests.
        HELD.lock().unwrap().as_mut().unwrap().clear();
        drop(held);
        assert!(HELD.lock().unwrap().is_none());
    }
}
