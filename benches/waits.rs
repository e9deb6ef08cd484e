//! What a wait costs that is over at once: bare, under `falseticker run`, and under libfaketime.
//!
//! `cargo bench --bench waits`
//!
//! The calls are made in children, as in `reads`: this executable, started again each way, all alive, asked in turn. A
//! deadline is a second before what the child's own wall clock shows; where that is an hour ahead the kernel would wait
//! for it for an hour, so that each call that times out shows that the deadline was understood. With each figure a child
//! says by how much its clock is wrong; a figure counts only if that is as it must be, and each call returned what it must.
//!
//! Criterion measures each by itself; the table at the end has the interleaved rounds and their ratios to bare.
#![allow(unsafe_code)]
// Sound because each object that a call is given is initialised, never moved, and of one thread.

mod support;

use std::cell::UnsafeCell;

use falseticker::host_clock;
use libc::{CLOCK_REALTIME, ETIMEDOUT, c_int, timespec};

use support::again::{self, Timed};
use support::child::Answering;
use support::figures::Table;
use support::way::{Way, rivals_at};
use support::{nanos, only_lists, raw_nanos};

/// The argument that makes this executable the child.
const CHILD: &str = "answer-waits";
const HOUR_AHEAD: f64 = 3600e9;
const ROUNDS: usize = 60;
const CALLS: u64 = 2_000;
/// After how many seconds a child that gives no answer is taken to hang.
const PATIENCE: u32 = 5;

fn main() {
    if again::is_child(CHILD) {
        return child();
    }
    let mut children = start();
    let names = CALLS_OF.map(|call| call.name.to_owned());
    again::by_criterion(again::criterion(20, 100, 600), &names, &mut children);
    if !only_lists() {
        by_rounds(&mut children);
    }
}

/// A child, and what its wall clock must show.
struct Waiter {
    way: Way,
    child: Answering,
    offset: f64,
    /// What it cannot do: it never returns from it.
    hangs: [bool; CALLS_OF.len()],
}

fn start() -> Vec<Waiter> {
    let mut ways = vec![
        (Way::bare(), 0.0),
        (Way::falseticker("idle", &[]), 0.0),
        (Way::falseticker("jump +1h", &["--jump", "+1h"]), HOUR_AHEAD),
    ];
    ways.extend(rivals_at("+1h").into_iter().map(|rival| (rival, HOUR_AHEAD)));
    let start = |(way, offset): (Way, f64)| {
        let begin = || again::start(&way, CHILD);
        let mut child = begin();
        let mut hangs = [false; CALLS_OF.len()];
        for (call, hangs) in hangs.iter_mut().enumerate().filter(|_| way.is_rival()) {
            child.ask(&format!("{call} 1"));
            if child.answer_or_end().is_none() {
                *hangs = true;
                child = begin();
            }
        }
        Waiter { way, child, offset, hangs }
    };
    ways.into_iter().map(start).collect()
}

impl Timed for Waiter {
    fn way(&self) -> &Way {
        &self.way
    }

    fn does(&self, call: usize) -> bool {
        !self.hangs[call]
    }

    fn time(&mut self, call: usize, calls: u64) -> f64 {
        let answer = self.child.numbers(&format!("{call} {calls}"));
        let [took, wrong_by, wrong] = answer[..] else { panic!("{} answered {answer:?}", self.way.name) };
        let (name, call) = (self.way.name, CALLS_OF[call].name);
        assert!((nanos(wrong_by) - self.offset).abs() < 1e6, "{name}: wrong by {wrong_by} ns");
        assert_eq!(wrong, 0, "{name}: {wrong} of {calls} calls of {call} do not return what they must");
        nanos(took)
    }
}

fn by_rounds(children: &mut [Waiter]) {
    let figures = again::by_rounds(ROUNDS, &[CALLS; CALLS_OF.len()], children);
    let mut table = Table::new(
        format!("waits that are over at once, ns a call, over {ROUNDS} interleaved rounds of {CALLS} calls"),
        &["call", "way", "median", "least", "median / bare", "least / bare"],
    );
    for (number, call) in CALLS_OF.iter().enumerate() {
        for (of, waiter) in children.iter().enumerate() {
            let name = [call.name.to_owned(), waiter.way.name.to_owned()];
            let Some(measured) = figures.get(&(number, of)) else {
                table.row(name.into_iter().chain(["hangs".to_owned()]));
                continue;
            };
            let bare = &figures[&(number, 0)];
            table.row(name.into_iter().chain([
                format!("{:.0}", measured.median()),
                format!("{:.0}", measured.least()),
                format!("{:.2}", measured.by(bare).median()),
                format!("{:.2}", measured.least() / bare.least()),
            ]));
        }
    }
    table.print();
}

// In the child

/// A call: what it is, what it must return, and how it is made.
struct Call {
    name: &'static str,
    returns: c_int,
    make: fn(&Objects, &timespec) -> c_int,
}

const CALLS_OF: [Call; 5] = [
    Call { name: "pthread_cond_timedwait, passed", returns: ETIMEDOUT, make: condition },
    Call { name: "sem_timedwait, passed", returns: -1, make: semaphore },
    // With the sem_post and the unlocking that let it be free again.
    Call { name: "sem_timedwait, free", returns: 0, make: free_semaphore },
    Call { name: "pthread_mutex_timedlock, free", returns: 0, make: free_mutex },
    Call { name: "clock_nanosleep, passed", returns: 0, make: sleep },
];

/// What calls wait on.
struct Objects {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    condition: UnsafeCell<libc::pthread_cond_t>,
    semaphore: UnsafeCell<libc::sem_t>,
}

impl Objects {
    fn new() -> Box<Self> {
        let objects = Box::new(Objects {
            mutex: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
            condition: UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER),
            // SAFETY: bytes without meaning until it is initialised.
            semaphore: UnsafeCell::new(unsafe { std::mem::zeroed() }),
        });
        // SAFETY: it stays where it is, in its box.
        let done = unsafe { libc::sem_init(objects.semaphore.get(), 0, 0) };
        assert_eq!(done, 0, "a semaphore is initialised");
        objects
    }
}

fn condition(of: &Objects, deadline: &timespec) -> c_int {
    // SAFETY: see the head of this file; the mutex is this thread's while it waits.
    unsafe {
        libc::pthread_mutex_lock(of.mutex.get());
        let result = libc::pthread_cond_timedwait(of.condition.get(), of.mutex.get(), deadline);
        libc::pthread_mutex_unlock(of.mutex.get());
        result
    }
}

fn semaphore(of: &Objects, deadline: &timespec) -> c_int {
    // SAFETY: see the head of this file.
    unsafe { libc::sem_timedwait(of.semaphore.get(), deadline) }
}

fn free_semaphore(of: &Objects, deadline: &timespec) -> c_int {
    // SAFETY: see the head of this file.
    unsafe {
        libc::sem_post(of.semaphore.get());
        libc::sem_timedwait(of.semaphore.get(), deadline)
    }
}

fn free_mutex(of: &Objects, deadline: &timespec) -> c_int {
    // SAFETY: see the head of this file; it unlocks what it has locked.
    unsafe {
        let result = libc::pthread_mutex_timedlock(of.mutex.get(), deadline);
        libc::pthread_mutex_unlock(of.mutex.get());
        result
    }
}

fn sleep(_: &Objects, deadline: &timespec) -> c_int {
    // SAFETY: a live timespec; what is left is not asked for.
    unsafe { libc::clock_nanosleep(CLOCK_REALTIME, libc::TIMER_ABSTIME, deadline, std::ptr::null_mut()) }
}

/// Answers `CALL CALLS` with how long they took, by how much the clock is wrong, and how many did not return what they must.
fn child() {
    let objects = Objects::new();
    again::answer_each(|asked| {
        let [call, calls] = *asked else { panic!("asked {asked:?}") };
        let call = &CALLS_OF[usize::try_from(call).expect("a call's number")];
        // SAFETY: its default action ends the process.
        unsafe { libc::alarm(PATIENCE) };
        let (took, wrong) = repeat(call, calls, &objects);
        // SAFETY: no memory is involved.
        unsafe { libc::alarm(0) };
        format!("{took} {} {wrong}", false_minus_true())
    });
}

fn repeat(call: &Call, calls: u64, objects: &Objects) -> (i64, u64) {
    let mut deadline = now();
    deadline.tv_sec -= 1;
    let mut wrong = 0;
    let begin = raw_nanos();
    for _ in 0..calls {
        wrong += u64::from((call.make)(objects, &deadline) != call.returns);
    }
    (raw_nanos() - begin, wrong)
}

/// What libc's function shows, or whatever has been put in its place.
fn now() -> timespec {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live timespec.
    unsafe { libc::clock_gettime(CLOCK_REALTIME, &raw mut now) };
    now
}

/// By how much that differs from the kernel's answer.
fn false_minus_true() -> i64 {
    let look = |_| {
        let before = host_clock::read(CLOCK_REALTIME);
        let shown = now();
        let after = host_clock::read(CLOCK_REALTIME);
        (after - before, shown.tv_sec * 1_000_000_000 + shown.tv_nsec - before)
    };
    // The one that was least interrupted.
    (0..8).map(look).min().expect("eight looks").1
}
