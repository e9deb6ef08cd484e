//! The target `waits`: every call of one list, in a thread each, all at once.

use std::collections::BTreeMap;

use crate::harness::{Live, eventually, state_of};

/// CLOCK_REALTIME and CLOCK_TAI, which faults of the wall clock move.
pub const WALL: [i64; 2] = [0, 11];

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
    /// Whether it is given a length, and no instant.
    pub is_relative: bool,
    pub kind: Kind,
    /// By its own clock; of a relative wait by CLOCK_MONOTONIC.
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
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let name = words.next()?.to_owned();
        let numbers: Vec<i64> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [clock, form, kind, deadline, before, after, result, spurious, shown, used] = numbers[..] else {
            return None;
        };
        let kind = match kind {
            0 => Kind::Lock,
            1 => Kind::Loop,
            _ => Kind::Sleep,
        };
        let after = (after != 0).then_some(after);
        let is_relative = form != 0;
        Some(Row { name, clock, is_relative, kind, deadline, before, after, result, spurious, shown, used })
    }

    /// Whether faults move its deadline: those of the wall clock, or those of all clocks too.
    pub fn follows(&self, all_clocks: bool) -> bool {
        !self.is_relative && (all_clocks || WALL.contains(&self.clock))
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
