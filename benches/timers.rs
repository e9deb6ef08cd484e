//! What it costs to set a timer, and to wait for a length of time: bare, under `falseticker run`, and under libfaketime.
//!
//! `cargo bench --bench timers`
//!
//! The calls are made in children, as in `waits`: this executable, started again each way, all alive, asked in turn. Each call
//! must return what it must. In nodes without `--monotonic` what is given a length goes to libc's own function, and must cost
//! what it does bare.
//!
//! Criterion measures each by itself; the table at the end has the interleaved rounds and their ratios to bare.
#![allow(unsafe_code)]
// Sound because each call is given descriptors of its own and live structures.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::time::Duration;

use criterion::Criterion;
use libc::{CLOCK_MONOTONIC, CLOCK_REALTIME, c_int, itimerspec, timespec};

use support::child::Answering;
use support::figures::{Figures, Table};
use support::way::{Way, rivals_at};
use support::{nanos, only_lists, raw_nanos};

/// The argument that makes this executable the child.
const CHILD: &str = "answer-timers";
const ROUNDS: usize = 60;

fn main() {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return child();
    }
    let mut children = start();
    by_criterion(&mut children);
    if !only_lists() {
        by_rounds(&mut children);
    }
}

/// A child.
struct Timed {
    way: Way,
    child: Answering,
}

fn start() -> Vec<Timed> {
    let mut ways = vec![
        Way::bare(),
        Way::falseticker("idle", &[]),
        Way::falseticker("jump +1h", &["--jump", "+1h"]),
        Way::falseticker("all at 2x", &["--monotonic", "--clock", "all", "--drift", "2x"]),
    ];
    ways.extend(rivals_at("+1h"));
    let this = std::env::current_exe().expect("this executable has a path");
    let start = |way: Way| Timed { child: Answering::start(way.command(&this).arg(CHILD)), way };
    ways.into_iter().map(start).collect()
}

impl Timed {
    /// How long so many calls take, in nanoseconds.
    fn time(&mut self, call: usize, calls: u64) -> f64 {
        let answer = self.child.numbers(&format!("{call} {calls}"));
        let [took, wrong] = answer[..] else { panic!("{} answered {answer:?}", self.way.name) };
        let (name, call) = (self.way.name, CALLS_OF[call].name);
        assert_eq!(wrong, 0, "{name}: {wrong} of {calls} calls of {call} do not return what they must");
        nanos(took)
    }
}

fn by_criterion(children: &mut [Timed]) {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(300))
        .configure_from_args();
    for (number, call) in CALLS_OF.iter().enumerate() {
        let mut group = criterion.benchmark_group(call.name);
        for timed in children.iter_mut() {
            group.bench_function(timed.way.name, |bencher| {
                bencher.iter_custom(|calls| Duration::from_secs_f64(timed.time(number, calls) / 1e9));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

fn by_rounds(children: &mut [Timed]) {
    let mut figures: BTreeMap<(usize, usize), Figures> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (number, call) in CALLS_OF.iter().enumerate() {
            for (of, timed) in children.iter_mut().enumerate() {
                let took = timed.time(number, call.calls) / nanos(call.calls.cast_signed());
                figures.entry((number, of)).or_default().push(took);
            }
        }
    }
    let mut table = Table::new(
        format!("timers and relative waits, ns a call, over {ROUNDS} interleaved rounds"),
        &["call", "way", "median", "least", "median / bare", "least - bare"],
    );
    for (number, call) in CALLS_OF.iter().enumerate() {
        for (of, timed) in children.iter().enumerate() {
            let (measured, bare) = (&figures[&(number, of)], &figures[&(number, 0)]);
            table.row([
                call.name.to_owned(),
                timed.way.name.to_owned(),
                format!("{:.0}", measured.median()),
                format!("{:.0}", measured.least()),
                format!("{:.2}", measured.by(bare).median()),
                format!("{:.1}", measured.least() - bare.least()),
            ]);
        }
    }
    table.print();
}

// In the child

/// A call: what it is, what it must return, how often it is made in a round, and how.
struct Call {
    name: &'static str,
    returns: c_int,
    calls: u64,
    make: fn(&Things) -> c_int,
}

const CALLS_OF: [Call; 10] = [
    Call { name: "timerfd_settime, absolute", returns: 0, calls: 2_000, make: settime_absolute },
    Call { name: "timerfd_settime, relative", returns: 0, calls: 2_000, make: settime_relative },
    Call { name: "timerfd_gettime", returns: 0, calls: 2_000, make: gettime },
    Call { name: "poll, 0 ms", returns: 0, calls: 5_000, make: |things| poll(things, 0) },
    Call { name: "poll, 1 ms", returns: 0, calls: 10, make: |things| poll(things, 1) },
    Call { name: "epoll_wait, 0 ms", returns: 0, calls: 5_000, make: |things| epoll(things, 0) },
    Call { name: "epoll_wait, 1 ms", returns: 0, calls: 10, make: |things| epoll(things, 1) },
    Call { name: "epoll_wait, something ready", returns: 1, calls: 5_000, make: epoll_ready },
    Call { name: "read of one byte", returns: 1, calls: 5_000, make: read },
    Call { name: "nanosleep, 0 ns", returns: 0, calls: 500, make: nanosleep },
];

/// What calls are given.
struct Things {
    /// One of CLOCK_REALTIME, one of CLOCK_MONOTONIC.
    timers: [c_int; 2],
    in_an_hour: itimerspec,
    hour: itimerspec,
    /// Sets of which nothing is ready, and something always is.
    epolls: [c_int; 2],
    /// Never readable.
    silent: c_int,
    zeros: c_int,
}

impl Things {
    fn new() -> Self {
        let none = timespec { tv_sec: 0, tv_nsec: 0 };
        let once = |at: timespec| itimerspec { it_interval: none, it_value: at };
        let mut now = none;
        // SAFETY: live structures; the descriptors are this process's own.
        unsafe {
            libc::clock_gettime(CLOCK_REALTIME, &raw mut now);
            now.tv_sec += 3600;
            let timers = [CLOCK_REALTIME, CLOCK_MONOTONIC].map(|clock| libc::timerfd_create(clock, 0));
            let [silent, loud] = [0, 1].map(|count| libc::eventfd(count, 0));
            let epolls = [silent, loud].map(|descriptor| {
                let epoll = libc::epoll_create1(0);
                let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
                assert_eq!(libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, descriptor, &raw mut event), 0);
                epoll
            });
            let zeros = libc::open(c"/dev/zero".as_ptr(), libc::O_RDONLY);
            let hour = once(timespec { tv_sec: 3600, tv_nsec: 0 });
            Things { timers, in_an_hour: once(now), hour, epolls, silent, zeros }
        }
    }
}

fn settime_absolute(things: &Things) -> c_int {
    let none = std::ptr::null_mut();
    // SAFETY: a live structure.
    unsafe {
        libc::timerfd_settime(things.timers[0], libc::TFD_TIMER_ABSTIME, &raw const things.in_an_hour, none)
    }
}

fn settime_relative(things: &Things) -> c_int {
    // SAFETY: a live structure.
    unsafe { libc::timerfd_settime(things.timers[1], 0, &raw const things.hour, std::ptr::null_mut()) }
}

fn gettime(things: &Things) -> c_int {
    let mut left = things.hour;
    // SAFETY: a live structure.
    unsafe { libc::timerfd_gettime(things.timers[1], &raw mut left) }
}

fn poll(things: &Things, millis: c_int) -> c_int {
    let mut one = libc::pollfd { fd: things.silent, events: libc::POLLIN, revents: 0 };
    // SAFETY: a live structure.
    unsafe { libc::poll(&raw mut one, 1, millis) }
}

fn epoll(things: &Things, millis: c_int) -> c_int {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: a live structure.
    unsafe { libc::epoll_wait(things.epolls[0], &raw mut event, 1, millis) }
}

fn epoll_ready(things: &Things) -> c_int {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: a live structure.
    unsafe { libc::epoll_wait(things.epolls[1], &raw mut event, 1, 1000) }
}

fn read(things: &Things) -> c_int {
    let mut byte = 0_u8;
    // SAFETY: a live byte.
    c_int::from(unsafe { libc::read(things.zeros, (&raw mut byte).cast(), 1) } == 1)
}

fn nanosleep(_: &Things) -> c_int {
    let none = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live structure; what is left is not asked for.
    unsafe { libc::nanosleep(&raw const none, std::ptr::null_mut()) }
}

/// Answers `CALL CALLS` with how long they took, and how many did not return what they must.
fn child() {
    let mut output = std::io::stdout();
    // In a process of one thread the kernel finds descriptors some 50 ns sooner. Most have more, and who arms a timer in a node
    // has the shim's: so that this difference is not taken for the shim's own.
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    let things = Things::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the bench asks in text");
        let words: Vec<u64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
        let [call, calls] = words[..] else { panic!("asked {line:?}") };
        let call = &CALLS_OF[usize::try_from(call).expect("a call's number")];
        let mut wrong = 0;
        let begin = raw_nanos();
        for _ in 0..calls {
            wrong += u64::from((call.make)(&things) != call.returns);
        }
        writeln!(output, "{} {wrong}", raw_nanos() - begin).expect("the bench reads the answer");
    }
}
