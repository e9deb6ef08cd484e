//! Real programs through a stop-the-world pause: each under the tool, and beside it bare, its processes stopped and continued by
//! plain signals. What a program must do is asserted of both. What it did besides, on waking above all, is printed for both:
//! that is what a pause is for.

mod etcd;
mod java;
mod postgresql;
mod redis;
mod unreached;

use std::time::{Duration, Instant};

use falseticker::process::{PidFd, ProcessId, Table, stillness};
use libtest_mimic::Trial;
use nix::sys::signal::Signal;

pub use crate::harness::free_ports;
use crate::harness::{Lab, Live, eventually};

pub fn trials() -> Vec<Trial> {
    [redis::trials(), etcd::trials(), postgresql::trials(), java::trials(), unreached::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// What the two are called, in this order.
const SIDES: [&str; 2] = ["bare", "in a node"];

/// A pause of both: it begins when all of both stand still.
struct Pause<'a> {
    lab: &'a Lab,
    node: &'a str,
    stopped: Stopped,
    /// The command in the foreground, and how long its pause is; without one the pause is for the test to end.
    planned: Option<(Live, Duration)>,
    /// Before anybody was stopped.
    begun: Instant,
}

/// Processes that were stopped by plain signals. Dropping it continues them.
struct Stopped(Vec<ProcessId>);

impl<'a> Pause<'a> {
    /// A pause that lasts until [`Pause::end`].
    #[track_caller]
    fn begin(lab: &'a Lab, bare: i32, node: &'a str) -> Self {
        let begun = Instant::now();
        let stopped = Stopped::tree(bare);
        lab.falseticker(["freeze", node]).expect_code(0);
        Pause { lab, node, stopped, planned: None, begun }
    }

    /// A pause so long by plan.
    #[track_caller]
    fn lasting(lab: &'a Lab, bare: i32, node: &'a str, length: Duration) -> Self {
        // Before the command, so that the length counts from no earlier.
        let begun = Instant::now();
        let stopped = Stopped::tree(bare);
        let span = format!("{}ms", length.as_millis());
        let mut live = lab.bare_live(crate::harness::binary(), ["freeze", node, "--for", &span]);
        live.line_where(|line| line.contains("frozen"));
        Pause { lab, node, stopped, planned: Some((live, length)), begun }
    }

    /// How long it has been going on.
    fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Asserts that what has just been seen was seen during the pause.
    #[track_caller]
    fn expect_on(&self) {
        if let Some((_, length)) = &self.planned {
            assert!(self.age() < *length, "the pause of {length:?} is over after {:?}", self.age());
        }
    }

    /// Ends it, or waits for its planned end: the instants before which neither can have run again.
    #[track_caller]
    fn end(self) -> [Instant; 2] {
        let under = match self.planned {
            None => {
                let before = Instant::now();
                self.lab.falseticker(["thaw", self.node]).expect_code(0);
                before
            }
            Some((mut live, length)) => {
                live.line_where(|line| line.contains("thawed"));
                assert_eq!(live.end(), 0, "{}", live.transcript().report());
                self.begun + length
            }
        };
        let bare = Instant::now();
        drop(self.stopped);
        [bare, under]
    }
}

impl Stopped {
    /// Stops a process and all that descends from it.
    #[track_caller]
    fn tree(root: i32) -> Self {
        let root = ProcessId::of(root).expect("it runs");
        let mut stopped = Stopped(Vec::new());
        loop {
            let table = Table::scan().expect("/proc can be read");
            let new = table.family(&[root]).into_iter().map(|process| process.id);
            let new: Vec<ProcessId> = new.filter(|id| !stopped.0.contains(id)).collect();
            if new.is_empty() {
                return stopped;
            }
            stopped.0.extend(&new);
            for id in new {
                signal(id, Signal::SIGSTOP);
                eventually(&format!("process {id} is stopped"), || stillness(id).is_still().then_some(()));
            }
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for id in &self.0 {
            signal(*id, Signal::SIGCONT);
        }
    }
}

fn signal(id: ProcessId, signal: Signal) {
    if let Ok(Some(process)) = PidFd::open(id) {
        let _ = process.signal(signal);
    }
}
