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

use libc::{CLOCK_MONOTONIC, CLOCK_REALTIME, c_int, itimerspec, timespec};

use support::again::{self, Timed};
use support::child::Answering;
use support::figures::Table;
use support::way::{Way, rivals_at};
use support::{nanos, only_lists, raw_nanos};

/// The argument that makes this executable the child.
const CHILD: &str = "answer-timers";
const ROUNDS: usize = 60;

fn main() {
    if again::is_child(CHILD) {
        return child();
    }
    let mut children = start();
    let names = CALLS_OF.map(|call| call.name.to_owned());
    again::by_criterion(again::criterion(10, 50, 300), &names, &mut children);
    if !only_lists() {
        by_rounds(&mut children);
    }
}

/// A child.
struct Timer {
    way: Way,
    child: Answering,
}

fn start() -> Vec<Timer> {
    let mut ways = vec![
        Way::bare(),
        Way::falseticker("idle", &[]),
        Way::falseticker("jump +1h", &["--jump", "+1h"]),
        Way::falseticker("all at 2x", &["--monotonic", "--clock", "all", "--drift", "2x"]),
    ];
    ways.extend(rivals_at("+1h"));
    let start = |way: Way| Timer { child: again::start(&way, CHILD), way };
    ways.into_iter().map(start).collect()
}

impl Timed for Timer {
    fn way(&self) -> &Way {
        &self.way
    }

    fn time(&mut self, call: usize, calls: u64) -> f64 {
        let answer = self.child.numbers(&format!("{call} {calls}"));
        let [took, wrong] = answer[..] else { panic!("{} answered {answer:?}", self.way.name) };
        let (name, call) = (self.way.name, CALLS_OF[call].name);
        assert_eq!(wrong, 0, "{name}: {wrong} of {calls} calls of {call} do not return what they must");
        nanos(took)
    }
}

fn by_rounds(children: &mut [Timer]) {
    let figures = again::by_rounds(ROUNDS, &CALLS_OF.map(|call| call.calls), children);
    let mut table = Table::new(
        format!("timers and relative waits, ns a call, over {ROUNDS} interleaved rounds"),
        &["call", "way", "median", "least", "median / bare", "least - bare"],
    );
    for (number, call) in CALLS_OF.iter().enumerate() {
        for (of, timer) in children.iter().enumerate() {
            let (measured, bare) = (&figures[&(number, of)], &figures[&(number, 0)]);
            table.row([
                call.name.to_owned(),
                timer.way.name.to_owned(),
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
    // In a process of one thread the kernel finds descriptors some 50 ns sooner. Most have more, and who arms a timer in a node
    // has the shim's: so that this difference is not taken for the shim's own.
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    let things = Things::new();
    again::answer_each(|asked| {
        let [call, calls] = *asked else { panic!("asked {asked:?}") };
        let call = &CALLS_OF[usize::try_from(call).expect("a call's number")];
        let mut wrong = 0;
        let begin = raw_nanos();
        for _ in 0..calls {
            wrong += u64::from((call.make)(&things) != call.returns);
        }
        format!("{} {wrong}", raw_nanos() - begin)
    });
}
