//! The target `waits`: every call of one list, in a thread each, all at once.

use std::collections::BTreeMap;

use crate::harness::{Live, eventually, state_of};

/// The kernel's numbers of clocks.
pub const REALTIME: i64 = 0;
pub const MONOTONIC: i64 = 1;
pub const BOOTTIME: i64 = 7;
pub const TAI: i64 = 11;

/// How often a periodic timer has expired when its time is over.
const PERIODS: i64 = 16;

/// How a call ends, by the target's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// When its time is over, and for no other reason.
    Lock,
    /// It may also wake spuriously; the target looks again.
    Loop,
    /// As the first; the answer is no error.
    Sleep,
}

/// What came of one call.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub clock: i64,
    pub kind: Kind,
    /// By its own clock.
    pub deadline: i64,
    /// The host's CLOCK_MONOTONIC before it ...
    pub before: i64,
    /// ... and after; `None` when it still waits.
    pub after: Option<i64>,
    /// An error number.
    pub result: i64,
    /// How often it came back without reason.
    pub spurious: i64,
    /// What its clock showed when it was back.
    pub shown: i64,
    /// What its thread used of the CPU.
    pub used: i64,
    /// How many expiries a periodic timer has told of ...
    pub count: i64,
    /// ... and how long it is from one to the next, the last of them at the deadline; 0 for what is not periodic.
    pub every: i64,
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let name = words.next()?.to_owned();
        let numbers: Vec<i64> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [clock, _, kind, deadline, before, after, result, spurious, shown, used, count, every] =
            numbers[..]
        else {
            return None;
        };
        let kind = match kind {
            0 => Kind::Lock,
            1 => Kind::Loop,
            _ => Kind::Sleep,
        };
        let after = (after != 0).then_some(after);
        Some(Row { name, clock, kind, deadline, before, after, result, spurious, shown, used, count, every })
    }

    /// Whether faults move its deadline: those of the wall clock, or those of all clocks too.
    pub fn follows(&self, all_clocks: bool) -> bool {
        all_clocks || [REALTIME, TAI].contains(&self.clock)
    }

    /// How many expiries of a periodic timer its clock has come to.
    pub fn expiries(&self) -> i64 {
        (self.shown - self.deadline).div_euclid(self.every) + PERIODS
    }
}

/// The target while it runs.
pub struct Waiter {
    live: Live,
    threads: BTreeMap<String, i32>,
}

impl Waiter {
    /// Reads what it says until it is ready.
    #[track_caller]
    pub fn new(mut live: Live) -> Self {
        let mut threads = BTreeMap::new();
        loop {
            let line = live.line();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["ready"] => return Waiter { live, threads },
                ["thread", name, tid] => {
                    threads.insert(name.to_owned(), tid.parse().expect("a tid"));
                }
                _ => {}
            }
        }
    }

    /// Lets all of them wait, until or for so many nanoseconds from now.
    #[track_caller]
    pub fn go(&mut self, ahead: i64) {
        self.live.say(&format!("go {ahead}"));
    }

    /// Returns when no thread is on its way any more: each is blocked in the kernel, or back already.
    #[track_caller]
    pub fn all_wait(&mut self) {
        self.live.line_where(|line| line == "waiting");
        eventually("all threads wait in the kernel", || {
            self.threads.values().all(|tid| matches!(state_of(*tid), Some('S') | None)).then_some(())
        });
    }

    /// What came of each call, in the list's order.
    #[track_caller]
    pub fn rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        loop {
            match self.live.line() {
                line if line == "done" => return rows,
                line if line == "waiting" => {}
                line => rows.push(Row::parse(&line).unwrap_or_else(|| panic!("the target says {line:?}"))),
            }
        }
    }

    /// Ends it.
    #[track_caller]
    pub fn quit(mut self) {
        assert_eq!(self.live.finish(), 0, "the target's exit code");
    }
}
