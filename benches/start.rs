//! How soon things happen: a command's start, a jump's first effect.
//!
//! `cargo bench --bench start`
//!
//! - `true`, from before its start until its end has been seen: bare, under `falseticker run`, under `faketime`.
//! - From `jump` to the first skewed read: a child of this executable spins on libc's `clock_gettime`, and says at which
//!   instant of the host's CLOCK_MONOTONIC it first saw its clock step. The rival is libfaketime's file of offsets.
#![allow(unsafe_code)]
// Sound because the one call is of `clock_gettime` with a live timespec.

mod support;

use std::ffi::OsString;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::Criterion;
use falseticker::fault::{Clocks, Jump};
use falseticker::{HostInstant, Node, Span, host_clock};
use tempfile::NamedTempFile;

use support::again::is_child;
use support::child::Answering;
use support::figures::{Figures, Table};
use support::way::{Way, rivals};
use support::{installed, nanos, only_lists, timed};

/// The argument that makes this executable the child.
const CHILD: &str = "spin-until-the-clock-steps";
const START_ROUNDS: usize = 100;
const JUMP_ROUNDS: usize = 60;
/// libfaketime looks at its file every ten seconds unless it is told to look at each read.
const CACHED_ROUNDS: usize = 2;

fn main() {
    if is_child(CHILD) {
        return child();
    }
    start_by_criterion();
    if !only_lists() {
        start_by_rounds();
        jump();
    }
}

// The start of a command

fn start_ways() -> Vec<Way> {
    let mut ways = vec![
        Way::bare(),
        Way::falseticker("falseticker run", &[]),
        Way::falseticker("falseticker run --jump -1h", &["--jump", "-1h"]),
    ];
    ways.extend(rivals());
    ways
}

fn run_true(way: &Way) {
    let status = way.command("true").status().unwrap_or_else(|error| panic!("{}: {error}", way.name));
    assert!(status.success(), "{}: {status}", way.name);
}

fn start_by_criterion() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut group = criterion.benchmark_group("true");
    for way in start_ways() {
        group.bench_function(way.name, |bencher| bencher.iter(|| run_true(&way)));
    }
    group.finish();
    criterion.final_summary();
}

fn start_by_rounds() {
    let mut measured: Vec<(Way, Figures)> =
        start_ways().into_iter().map(|way| (way, Figures::default())).collect();
    for _ in 0..START_ROUNDS {
        for (way, figures) in &mut measured {
            figures.push(timed(|| run_true(way)).0);
        }
    }
    let mut table = Table::new(
        format!("`true`, ms from start to end, {START_ROUNDS} interleaved rounds"),
        &["way", "median", "least", "more than bare (median)"],
    );
    let bare = measured[0].1.median();
    for (way, figures) in &measured {
        table.row([
            way.name.to_owned(),
            format!("{:.2}", figures.median() / 1e6),
            format!("{:.2}", figures.least() / 1e6),
            format!("{:.2}", (figures.median() - bare) / 1e6),
        ]);
    }
    table.print();
}

// From a jump to the first skewed read

/// A child that spins on its clock.
struct Spinner(Answering);

impl Spinner {
    fn start(command: &mut Command) -> Self {
        Spinner(Answering::start(command.arg(CHILD)))
    }

    /// Lets it spin, steps its clock, and tells when it first saw the step, in nanoseconds after `step` began; and
    /// what `step` returned.
    fn see<T>(&mut self, step: impl FnOnce() -> T) -> (f64, HostInstant, T) {
        self.0.numbers("begin");
        host_clock::sleep(Span::from_millis(5));
        let begin = host_clock::monotonic();
        let done = step();
        let seen: i64 = self.0.answer().parse().expect("an instant");
        (nanos(seen - begin.as_nanos()), HostInstant::from_nanos(seen), done)
    }
}

fn child() {
    let mut output = std::io::stdout();
    for _ in std::io::stdin().lock().lines() {
        let began = seconds();
        writeln!(output, "{began}").expect("the bench reads the answer");
        while seconds().abs_diff(began) < 1800 {}
        writeln!(output, "{}", host_clock::monotonic().as_nanos()).expect("the bench reads the answer");
    }
}

/// What libc's function shows, or whatever has been put in its place.
fn seconds() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    black_box(now).tv_sec
}

/// An hour back and forth in turn.
fn hour(round: usize) -> i64 {
    if round.is_multiple_of(2) { -3600 } else { 3600 }
}

fn jump() {
    let this = std::env::current_exe().expect("this executable has a path");
    let node = Node::create(&format!("bench-jump-{}", std::process::id())).expect("a node is made");
    let mut spinner = Spinner::start(&mut node.command(&this));
    let (mut until_seen, mut planned, mut after_at, mut by_command) =
        <(Figures, Figures, Figures, Figures)>::default();
    for round in 0..JUMP_ROUNDS {
        let by = Span::from_secs(hour(round));
        let (took, seen, applied) = spinner.see(|| node.fault(Jump { by }, Clocks::Wall, None));
        let applied = applied.expect("the clock jumps");
        until_seen.push(took);
        let after = nanos(seen.as_nanos() - applied.at.as_nanos());
        after_at.push(after);
        planned.push(took - after);
    }
    for round in 0..JUMP_ROUNDS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_falseticker"));
        command
            .arg("jump")
            .arg(node.name().to_string())
            .arg(format!("{}s", hour(round)))
            .stdout(Stdio::null());
        let (took, _, status) = spinner.see(|| command.status().expect("the command runs"));
        assert!(status.success(), "{command:?}: {status}");
        by_command.push(took);
    }
    let mut table = Table::new(
        format!("from a jump to the first skewed read of a program that spins, ms, {JUMP_ROUNDS} rounds"),
        &["from", "median", "least", "most"],
    );
    table.row(spread("the call of Node::fault", &until_seen));
    table.row(spread("... of which until the instant that it chose", &planned));
    table.row(spread("... and from that instant on", &after_at));
    table.row(spread("the start of `falseticker jump`", &by_command));
    if let Some(library) = libfaketime() {
        let each = [("1", "libfaketime's file, written, looked at on each read", JUMP_ROUNDS)];
        let cached = [("0", "libfaketime's file, written", CACHED_ROUNDS)];
        for (no_cache, name, rounds) in each.into_iter().chain(cached) {
            let file = NamedTempFile::new().expect("a temporary file");
            let write = |round| std::fs::write(file.path(), if hour(round) < 0 { "-3600\n" } else { "+0\n" });
            write(1).expect("it can be written");
            let mut command = Command::new(&this);
            command.env("LD_PRELOAD", &library).env("FAKETIME_TIMESTAMP_FILE", file.path());
            let mut spinner = Spinner::start(command.env("FAKETIME_NO_CACHE", no_cache));
            let mut figures = Figures::default();
            for round in 0..rounds {
                let (took, _, written) = spinner.see(|| write(round));
                written.expect("it can be written");
                figures.push(took);
            }
            table.row(spread(name, &figures));
        }
    }
    table.print();
}

fn spread(name: &str, figures: &Figures) -> [String; 4] {
    let cells =
        [figures.median(), figures.least(), figures.most()].map(|figure| format!("{:.4}", figure / 1e6));
    let [median, least, most] = cells;
    [name.to_owned(), median, least, most]
}

/// The library that `faketime` preloads.
fn libfaketime() -> Option<OsString> {
    let faketime = installed("faketime")?;
    let mut output = Command::new(faketime).args(["-f", "+0", "printenv", "LD_PRELOAD"]).output().ok()?;
    output.stdout.truncate(output.stdout.trim_ascii_end().len());
    Some(OsString::from_vec(output.stdout))
}
