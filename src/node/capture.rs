//! What the machine's clocks are to one another at one moment.

use falseticker_page::time::{HostInstant, Rate, Span};

use crate::host_clock;
use crate::schedule::Captured;

/// Tries for the closest reading; the tightest one counts.
const TRIES: usize = 12;

/// Reads the host's clocks against CLOCK_MONOTONIC.
pub fn capture() -> Captured {
    let (wall, _) = against_monotonic(libc::CLOCK_REALTIME);
    let (boot, _) = against_monotonic(libc::CLOCK_BOOTTIME);
    let (tai, _) = against_monotonic(libc::CLOCK_TAI);
    let (raw, mono_at) = against_monotonic(libc::CLOCK_MONOTONIC_RAW);
    // Whole seconds by definition; what remains is the reading's own uncertainty.
    let tai_seconds = (tai - wall + 500_000_000).div_euclid(1_000_000_000);
    let ratio = mono_per_raw();
    Captured {
        wall: Span::from_nanos(wall),
        boot: Span::from_nanos(boot),
        tai: Span::from_secs(tai_seconds),
        raw_at: HostInstant::from_nanos(mono_at + raw),
        mono_at: HostInstant::from_nanos(mono_at),
        mono_per_raw: Rate::from_ppm((ratio - 1.0) * 1e6).unwrap_or(Rate::TRUE),
        raw_per_mono: Rate::from_ppm((1.0 / ratio - 1.0) * 1e6).unwrap_or(Rate::TRUE),
    }
}

/// A clock less CLOCK_MONOTONIC, and when that was. Too much by the time between the two readings, never too little: a
/// clock that is laid out from here on begins a little ahead of the host's own, and not behind it.
fn against_monotonic(clock: libc::clockid_t) -> (i64, i64) {
    let mut best = (i64::MAX, 0, 0);
    for _ in 0..TRIES {
        let before = host_clock::monotonic().as_nanos();
        let shown = host_clock::read(clock);
        let after = host_clock::monotonic().as_nanos();
        if after - before < best.0 {
            best = (after - before, shown - before, before);
        }
    }
    (best.1, best.2)
}

/// How fast CLOCK_MONOTONIC runs by CLOCK_MONOTONIC_RAW: the kernel's own correction (adjtimex(2): the tick in
/// microseconds of 10 ms, and a frequency in parts per million of 2^-16).
fn mono_per_raw() -> f64 {
    crate::raw::adjtimex().map_or(1.0, |(tick, frequency)| {
        #[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
        let (tick, frequency) = (tick as f64, frequency as f64);
        tick / 10_000.0 + frequency / 65_536.0 / 1e6
    })
}
