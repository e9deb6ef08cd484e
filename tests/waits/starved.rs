//! How late the machine lets threads run: a sentinel on each processor sleeps and notes by how much it overslept.
//!
//! What must hold: a wait is only ever excused by what was measured, at the time at which it was late, and no further than
//! that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use falseticker::{HostInstant, Span, host_clock};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::harness::MILLISECOND;

/// How long a sentinel sleeps each time.
const PERIOD: Span = Span::from_millis(1);
/// Being late by less than this is usual.
const USUAL: i64 = MILLISECOND;

/// An interval of the host's CLOCK_MONOTONIC in which a processor did not run whom it should.
type Interval = (i64, i64);

/// The sentinels, until they are asked.
pub struct Sentinels {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Interval>>>,
}

/// When the machine was late.
pub struct Starved(Vec<Interval>);

impl Sentinels {
    /// Posts one on each processor that this process may use.
    pub fn post() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let usable = sched_getaffinity(Pid::from_raw(0)).expect("a thread knows its processors");
        let processors = (0..CpuSet::count()).filter(|at| usable.is_set(*at).unwrap_or(false));
        let threads = processors
            .map(|processor| {
                let stop = Arc::clone(&stop);
                std::thread::spawn(move || watch(processor, &stop))
            })
            .collect();
        Sentinels { stop, threads }
    }

    /// Withdraws them.
    pub fn withdraw(self) -> Starved {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.threads.into_iter().flat_map(|thread| thread.join().expect("a sentinel ends"));
        Starved(seen.collect())
    }
}

fn watch(processor: usize, stop: &AtomicBool) -> Vec<Interval> {
    let mut only = CpuSet::new();
    only.set(processor)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &only))
        .expect("a thread may stay on one processor");
    let mut seen = Vec::new();
    let mut last = host_clock::monotonic();
    while !stop.load(Ordering::Relaxed) {
        let due = last.saturating_add(PERIOD);
        host_clock::sleep_until(due);
        last = host_clock::monotonic();
        if last.saturating_since(due).as_nanos() > USUAL {
            seen.push((due.as_nanos(), last.as_nanos()));
        }
    }
    seen
}

impl Starved {
    /// For how long in all, by all processors, the machine was late between two instants.
    pub fn between(&self, from: HostInstant, until: HostInstant) -> i64 {
        let overlap = |(begin, end): &Interval| (*end).min(until.as_nanos()) - (*begin).max(from.as_nanos());
        self.0.iter().map(overlap).filter(|length| *length > 0).sum()
    }
}
