//! For how long a process stands still when it is attached, and when it is detached.
//!
//! `cargo bench --bench attach`
//!
//! The process is this executable, started again: it waits for input; or each of its threads, one for each processor and one more, reads the
//! clock as fast as it can. What is said is what the library reports, from just before the first thread is asked to stop until
//! the last one was let go.

mod support;

use std::hint::black_box;

use falseticker::{Node, host_clock};

use support::again;
use support::child::Answering;
use support::figures::Table;
use support::way::Way;
use support::{nanos, only_lists};

/// The argument that makes this executable the child.
const CHILD: &str = "answer-attach";
const CYCLES: usize = 200;

fn main() {
    if again::is_child(CHILD) {
        return again::answer_each(|asked| {
            for _ in 0..asked[0] {
                std::thread::spawn(|| {
                    loop {
                        black_box(std::time::SystemTime::now());
                    }
                });
            }
            "1".to_owned()
        });
    }
    if only_lists() {
        return;
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut table = Table::new(
        format!("ms that a process stands still, over {CYCLES} cycles"),
        &["process", "threads", "what", "median", "p90", "p99", "most"],
    );
    for (name, busy) in
        [("it waits", 0), ("every processor busy", processors), ("and one thread more", processors + 1)]
    {
        let (attached, detached) = cycles(busy);
        for (what, lengths) in [("attach", attached), ("detach", detached)] {
            let [median, p90, p99, most] = quantiles(lengths);
            table.row([name.to_owned(), (busy + 1).to_string(), what.to_owned(), median, p90, p99, most]);
        }
    }
    table.print();
}

fn cycles(busy: usize) -> (Vec<f64>, Vec<f64>) {
    let mut child: Answering = again::start(&Way::bare(), CHILD);
    child.numbers(&busy.to_string());
    let node = Node::create(&format!("attach-{}", child.id())).expect("a node can be made");
    let (mut attached, mut detached) = (Vec::new(), Vec::new());
    for _ in 0..CYCLES {
        let joined = node.attach(child.pid()).expect("it can be attached");
        attached.push(nanos(joined.stopped.as_nanos()) / 1e6);
        host_clock::sleep(falseticker::Span::from_millis(3));
        let left = node.detach(child.pid()).expect("it can be detached");
        detached.push(nanos(left.stopped.as_nanos()) / 1e6);
        host_clock::sleep(falseticker::Span::from_millis(3));
    }
    (attached, detached)
}

fn quantiles(mut lengths: Vec<f64>) -> [String; 4] {
    lengths.sort_by(f64::total_cmp);
    let last = lengths.len().saturating_sub(1);
    [50, 90, 99, 100].map(|part| {
        format!("{:.2}", lengths.get((lengths.len() * part / 100).min(last)).copied().unwrap_or(0.0))
    })
}
