//! The probe: a target program that reads its clocks when it is told to, and tells what it saw beside the truth.

use super::{Live, MILLISECOND, SECOND};

/// One reading of one clock.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The way by which it was read.
    pub name: String,
    /// What was shown, in nanoseconds.
    pub shown: i64,
    /// Shown less true.
    pub skew: i64,
    /// How far apart the true reads around it were.
    pub width: i64,
    /// The host's CLOCK_MONOTONIC just after it.
    pub mono: i64,
    /// 0: fine; 1: to a tick of the kernel; 2: to whole seconds.
    pub grain: i64,
}

impl Reading {
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let name = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some(Reading {
            name,
            shown: number()?,
            skew: number()?,
            width: number()?,
            mono: number()?,
            grain: number()?,
        })
    }

    /// Whether the skew is the expected one, as exactly as the reading can tell.
    pub fn shows(&self, expected: i64) -> bool {
        let (below, above) = match self.grain {
            0 => (MILLISECOND, MILLISECOND),
            1 => (20 * MILLISECOND, 20 * MILLISECOND),
            _ => (SECOND + 20 * MILLISECOND, 20 * MILLISECOND),
        };
        let off = self.skew - expected;
        off >= -below - self.width && off <= above + self.width
    }

    #[track_caller]
    pub fn expect_skew(&self, expected: i64) {
        assert!(
            self.shows(expected),
            "{}: the skew is {} ns and should be {expected} ns (off by {}, width {})",
            self.name,
            self.skew,
            self.skew - expected,
            self.width
        );
    }

    /// Whether this way reads a clock that only follows a fault of all clocks.
    pub fn is_monotonic(&self) -> bool {
        ["monotonic", "boottime"].iter().any(|part| self.name.contains(part))
    }

    /// Whether it is a clock that nothing touches.
    pub fn is_cpu_time(&self) -> bool {
        self.name.contains("cputime")
    }
}

/// A probe that runs.
pub struct Probe {
    pub live: Live,
    /// What it read first of all.
    pub first: Reading,
}

impl Probe {
    #[track_caller]
    pub fn new(mut live: Live) -> Self {
        let line = live.line();
        let first = Reading::parse(&line).unwrap_or_else(|| panic!("the probe says {line:?}"));
        Probe { live, first }
    }

    /// Gives a command to be done when the host's clock is past `after`, and returns its readings.
    #[track_caller]
    pub fn ask(&mut self, command: &str, after: i64) -> Vec<Reading> {
        self.live.say(&format!("{command} {after}"));
        let mut readings = Vec::new();
        loop {
            let line = self.live.line();
            if line == "done" {
                return readings;
            }
            readings.push(Reading::parse(&line).unwrap_or_else(|| panic!("the probe says {line:?}")));
        }
    }

    /// Reads the wall clock once the host's clock is past `after`.
    #[track_caller]
    pub fn wall_after(&mut self, after: i64) -> Reading {
        self.ask("wall", after).remove(0)
    }

    /// Reads the wall clock.
    #[track_caller]
    pub fn wall(&mut self) -> Reading {
        self.wall_after(0)
    }

    /// Reads every clock in every way, past an instant and the tick after it.
    #[track_caller]
    pub fn all_after(&mut self, after: i64) -> Vec<Reading> {
        self.ask("all", after + 20 * MILLISECOND)
    }

    /// Ends it: the exit code of the program, or of the `run` that passes it on.
    #[track_caller]
    pub fn quit(mut self) -> i32 {
        self.live.finish()
    }
}
