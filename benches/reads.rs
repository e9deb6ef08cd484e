//! What a clock read costs: bare, under `falseticker run`, attached, and under libfaketime.
//!
//! `cargo bench --bench reads`
//!
//! The measured loop runs in children: this same executable, started again each way. They stay alive and answer one
//! request at a time, so that no two measure at once and rounds go through them in turn. A child calls libc's
//! `clock_gettime`; it is timed by CLOCK_MONOTONIC_RAW from a syscall instruction of its own, which nothing skews; with
//! each figure it says by how much its clock is wrong, and the figure counts only if that is what its fault makes it.
//!
//! Criterion measures each by itself; the table at the end has the interleaved rounds and their ratios to bare.
#![allow(unsafe_code)]
// Sound because the one call is of `clock_gettime` with a live timespec.

mod support;

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use falseticker::fault::{Clocks, Drift, Jump};
use falseticker::{Node, Rate, Span, host_clock};
use libc::{CLOCK_MONOTONIC, CLOCK_REALTIME, clockid_t};

use support::again::{self, Timed};
use support::child::Answering;
use support::figures::Table;
use support::way::{Way, rivals};
use support::{nanos, only_lists, raw_nanos};

/// The argument that makes this executable the child.
const CHILD: &str = "answer-reads";
const HOUR_BACK: f64 = -3600e9;
const ROUNDS: usize = 200;
const READS: u64 = 20_000;
/// Which clocks are read, by how many threads at once.
const READS_OF: [(clockid_t, usize); 4] =
    [(CLOCK_REALTIME, 1), (CLOCK_REALTIME, 2), (CLOCK_MONOTONIC, 1), (CLOCK_MONOTONIC, 2)];

fn main() {
    if again::is_child(CHILD) {
        return child();
    }
    let mut children = start();
    again::by_criterion(again::criterion(20, 100, 600), &READS_OF.map(name_of), &mut children);
    if !only_lists() {
        by_rounds(&mut children);
    }
}

/// A child, and what its wall clock must show.
struct Reader {
    way: Way,
    child: Answering,
    /// By how much the wall clock is wrong at first, and how fast that grows.
    offset: f64,
    rate: f64,
    /// The most that a read may cost, in bare ones, that the project has set itself.
    target: Option<f64>,
    started: i64,
    /// Its node, if it was attached; it goes with this.
    _node: Option<Node>,
    /// When its wall clock was first asked, and by how much it was wrong.
    first: Option<(f64, f64)>,
}

fn start() -> Vec<Reader> {
    let of = |name, flags: &[&str], offset, rate, target| {
        (Way::falseticker(name, flags), offset, rate, Some(target))
    };
    let mut ways = vec![
        (Way::bare(), 0.0, 0.0, None),
        of("idle", &[], 0.0, 0.0, 1.10),
        of("jump -1h", &["--jump", "-1h"], HOUR_BACK, 0.0, 1.15),
        of("jump -1h, drift 1000ppm", &["--jump", "-1h", "--drift", "1000ppm"], HOUR_BACK, 1e-3, 1.15),
        of("jump -1h, drift 2x", &["--jump", "-1h", "--drift", "2x"], HOUR_BACK, 1.0, 1.30),
    ];
    let of_vdso = |name, more: &[&str], rate| {
        let flags = [&["--reach", "vdso", "--jump", "-1h"], more].concat();
        (Way::falseticker(name, &flags), HOUR_BACK, rate, Some(1.15))
    };
    ways.push(of_vdso("vdso, jump -1h", &[], 0.0));
    ways.push(of_vdso("vdso, jump, drift 1000ppm", &["--drift", "1000ppm"], 1e-3));
    ways.extend(rivals().into_iter().map(|rival| (rival, HOUR_BACK, 0.0, None)));
    let start = |(way, offset, rate, target): (Way, f64, f64, Option<f64>)| {
        let started = raw_nanos();
        let child = again::start(&way, CHILD);
        Reader { way, child, offset, rate, target, started, _node: None, first: None }
    };
    let mut readers: Vec<Reader> = ways.into_iter().map(start).collect();
    let last = readers.len() - rivals().len();
    readers.splice(
        last..last,
        [attached("attach, jump -1h", 0.0), attached("attach, jump, drift 1000ppm", 1e-3)],
    );
    readers
}

/// A bare child that is attached once it runs, an hour back.
fn attached(name: &'static str, rate: f64) -> Reader {
    let way = Way::attached(name);
    let mut child = again::start(&way, CHILD);
    child.numbers(&format!("{CLOCK_REALTIME} 1 1"));
    let node = Node::create(&format!("reads-{}", child.id())).expect("a node can be made");
    node.attach(child.pid()).expect("a child can be attached");
    let mut faults = vec![node.fault(Jump { by: Span::from_secs(-3600) }, Clocks::Wall, None)];
    if rate != 0.0 {
        let rate = Rate::from_ppm(rate * 1e6).expect("a rate");
        faults.push(node.fault(Drift { rate }, Clocks::Wall, None));
    }
    let at = faults.into_iter().map(|fault| fault.expect("the fault is in force").at).max();
    host_clock::sleep_until(at.expect("there is one"));
    let (started, target) = (raw_nanos(), Some(1.15));
    Reader { way, child, offset: HOUR_BACK, rate, target, started, _node: Some(node), first: None }
}

impl Timed for Reader {
    fn way(&self) -> &Way {
        &self.way
    }

    fn does(&self, thing: usize) -> bool {
        // A drift of the wall clock is no news for the other.
        READS_OF[thing].0 == CLOCK_REALTIME || self.rate == 0.0
    }

    /// Each of the threads reads so often.
    fn time(&mut self, thing: usize, reads: u64) -> f64 {
        let (clock, threads) = READS_OF[thing];
        let answer = self.child.numbers(&format!("{clock} {threads} {reads}"));
        let [took, at, wrong_by] = answer[..] else { panic!("{} answered {answer:?}", self.way.name) };
        self.check(clock, nanos(at), nanos(wrong_by));
        nanos(took)
    }
}

impl Reader {
    /// Whether the fault is in force, and no other.
    fn check(&mut self, clock: clockid_t, at: f64, wrong_by: f64) {
        const SLACK: f64 = 1e6;
        const START: f64 = 2e9;
        let name = self.way.name;
        if clock == CLOCK_MONOTONIC {
            // libfaketime moves this clock too.
            let undisturbed = self.way.is_rival() || wrong_by.abs() < SLACK;
            assert!(undisturbed, "{name}: CLOCK_MONOTONIC is wrong by {wrong_by} ns");
            return;
        }
        // From about its start, which is not known to the nanosecond; from the first answer, which is.
        let expected = self.offset + (at - nanos(self.started)) * self.rate;
        assert!(
            (wrong_by - expected).abs() < SLACK + START * self.rate,
            "{name}: wrong by {wrong_by} ns, not by about {expected}"
        );
        let &mut (first_at, first) = self.first.get_or_insert((at, wrong_by));
        let expected = first + (at - first_at) * self.rate;
        assert!((wrong_by - expected).abs() < SLACK, "{name}: wrong by {wrong_by} ns, not by {expected}");
    }
}

fn clock_name(clock: clockid_t) -> &'static str {
    if clock == CLOCK_REALTIME { "REALTIME" } else { "MONOTONIC" }
}

fn name_of((clock, threads): (clockid_t, usize)) -> String {
    format!("{}, {threads} thread{}", clock_name(clock), if threads == 1 { "" } else { "s" })
}

fn by_rounds(children: &mut [Reader]) {
    let figures = again::by_rounds(ROUNDS, &[READS; READS_OF.len()], children);
    let mut table = Table::new(
        format!("clock_gettime, ns a read, over {ROUNDS} interleaved rounds of {READS} reads"),
        &["clock", "threads", "way", "median", "least", "median / bare", "least / bare", "target"],
    );
    for ((thing, number), measured) in &figures {
        let (clock, threads) = READS_OF[*thing];
        let bare = &figures[&(*thing, 0)];
        let reader = &children[*number];
        let target = reader.target.map(|target| if clock == CLOCK_MONOTONIC { 1.10 } else { target });
        table.row([
            clock_name(clock).to_owned(),
            threads.to_string(),
            reader.way.name.to_owned(),
            format!("{:.1}", measured.median()),
            format!("{:.1}", measured.least()),
            format!("{:.2}", measured.by(bare).median()),
            format!("{:.2}", measured.least() / bare.least()),
            target.map_or(String::new(), |target| format!("≤ {target:.2}")),
        ]);
    }
    table.print();
}

/// Answers `CLOCK THREADS READS` with how long the reads took, when that was, and by how much the clock is wrong.
fn child() {
    again::answer_each(|asked| {
        let [clock, threads, reads] = *asked else { panic!("asked {asked:?}") };
        let clock = clockid_t::try_from(clock).expect("a clock's number");
        let took = on_threads(clock, usize::try_from(threads).expect("a few threads"), reads);
        let (at, wrong_by) = false_minus_true(clock);
        format!("{took} {at} {wrong_by}")
    });
}

/// How long it takes `threads` threads that begin at once, on average.
fn on_threads(clock: clockid_t, threads: usize, reads: u64) -> i64 {
    let ready = AtomicUsize::new(0);
    let thread = || {
        ready.fetch_add(1, Ordering::AcqRel);
        while ready.load(Ordering::Acquire) < threads {
            std::hint::spin_loop();
        }
        read_for(clock, reads)
    };
    let took: i64 = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(thread)).collect();
        thread() + others.into_iter().map(|other| other.join().expect("it only reads")).sum::<i64>()
    });
    took / i64::try_from(threads).expect("a few threads")
}

fn read_for(clock: clockid_t, reads: u64) -> i64 {
    for _ in 0..1000 {
        black_box(read(clock));
    }
    let begin = raw_nanos();
    for _ in 0..reads {
        black_box(read(clock));
    }
    raw_nanos() - begin
}

/// libc's own function, or whatever has been put in its place.
#[inline(always)]
fn read(clock: clockid_t) -> libc::timespec {
    let mut now = std::mem::MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: room for a timespec; the clocks read here always succeed.
    unsafe {
        libc::clock_gettime(clock, now.as_mut_ptr());
        now.assume_init()
    }
}

/// By how much libc's answer differs from the kernel's, and when that was.
fn false_minus_true(clock: clockid_t) -> (i64, i64) {
    let look = |_| {
        let before = host_clock::read(clock);
        let shown = read(clock);
        let after = host_clock::read(clock);
        let shown = shown.tv_sec * 1_000_000_000 + shown.tv_nsec;
        let middle = before + (after - before) / 2;
        (after - before, raw_nanos(), shown - middle)
    };
    // The one that was least interrupted.
    let (_, at, wrong_by) = (0..8).map(look).min().expect("eight looks");
    (at, wrong_by)
}
