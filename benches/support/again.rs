//! Things that are timed in children: this executable, started again each way, all alive together, asked in turn. So no two
//! measure at once, and rounds go through them one after another, whatever else the machine does meanwhile.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::time::Duration;

use criterion::Criterion;

use super::child::Answering;
use super::figures::Figures;
use super::nanos;
use super::way::Way;

/// Whether this process was started as the child of this name.
pub fn is_child(name: &str) -> bool {
    std::env::args().nth(1).as_deref() == Some(name)
}

/// Starts that child, this way.
pub fn start(way: &Way, name: &str) -> Answering {
    let this = std::env::current_exe().expect("this executable has a path");
    Answering::start(way.command(this).arg(name))
}

/// In the child: answers lines of numbers with lines, until there are no more.
pub fn answer_each(mut answer: impl FnMut(&[u64]) -> String) {
    let mut output = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the bench asks in text");
        let words: Vec<u64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
        writeln!(output, "{}", answer(&words)).expect("the bench reads the answer");
    }
}

/// A child, as a bench has it.
pub trait Timed {
    /// How it was started.
    fn way(&self) -> &Way;

    /// How long it takes to do one of the things so many times, in nanoseconds.
    fn time(&mut self, thing: usize, times: u64) -> f64;

    /// Whether it can do it at all.
    fn does(&self, _thing: usize) -> bool {
        true
    }
}

/// Each of the things by itself, by criterion.
pub fn by_criterion(mut criterion: Criterion, things: &[String], children: &mut [impl Timed]) {
    for (number, name) in things.iter().enumerate() {
        let mut group = criterion.benchmark_group(name);
        for child in children.iter_mut().filter(|child| child.does(number)) {
            group.bench_function(child.way().name, |bencher| {
                bencher.iter_custom(|times| Duration::from_secs_f64(child.time(number, times) / 1e9));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

/// How many samples, and how long they take in all, in milliseconds.
pub fn criterion(samples: usize, warm_up: u64, measurement: u64) -> Criterion {
    Criterion::default()
        .sample_size(samples)
        .warm_up_time(Duration::from_millis(warm_up))
        .measurement_time(Duration::from_millis(measurement))
        .configure_from_args()
}

/// Nanoseconds a time, by thing and child, of rounds in which each child does each thing so many times.
pub fn by_rounds(
    rounds: usize,
    times: &[u64],
    children: &mut [impl Timed],
) -> BTreeMap<(usize, usize), Figures> {
    let mut figures: BTreeMap<(usize, usize), Figures> = BTreeMap::new();
    for _ in 0..rounds {
        for (number, &times) in times.iter().enumerate() {
            for (of, child) in children.iter_mut().enumerate().filter(|(_, child)| child.does(number)) {
                let took = child.time(number, times) / nanos(times.cast_signed());
                figures.entry((number, of)).or_default().push(took);
            }
        }
    }
    figures
}
