//! Tracing on standard error: `-v` says more, and `FALSETICKER_LOG` says exactly what.
//!
//! What must hold: nothing here starts a thread, and nothing is written to standard output.

use std::io::IsTerminal;

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
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !wants_no_colour)
        .with_env_filter(filter)
        .without_time()
        .with_target(verbose > 1)
        .try_init();
    if let (Ok(()), Some(flaw)) = (begun, flaw) {
        tracing::warn!("{VARIABLE} is not understood and left aside: {flaw}");
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
