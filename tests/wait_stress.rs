//! The stress of waits: what `wait_stress` checks of itself while its clock jumps to and fro as fast as changes are published,
//! and that none of its timeouts came before its clock had shown the deadline.

use std::time::Duration;

use falseticker::fault::{Clocks, Jump};
use falseticker::{Node, Span};
use libtest_mimic::Trial;

use crate::harness::{Lab, Live, MILLISECOND, SECOND, count_of, mono, spec};

/// Ahead of every deadline that is not ten years away.
const PAST_ALL: i64 = 2 * 3600 * SECOND;
/// What reading two host clocks one after the other may be off by, and what the host's own may be slewed by in between.
const CAPTURE_ERROR: i64 = 50_000;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("wait stress: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        trials.push(
            of("no wake-up is lost, no deadline missed and none too early, while the clock jumps at random")
                .shown_by(move |lab| stress(lab, libc)),
        );
        for (lost, what) in
            [("1", "token that is lost"), ("2", "wake-up that is lost"), ("3", "letter read twice")]
        {
            trials.push(
                of(&format!("its control: a {what} on purpose is found"))
                    .shown_by(move |lab| control(lab, libc, lost)),
            );
        }
    }
    trials
}

/// The wall clock as it was moved: from each instant on, ahead of the host's CLOCK_MONOTONIC by an amount.
struct Course(Vec<Step>);

#[derive(Clone, Copy)]
struct Step {
    from: i64,
    /// Until then, one who read the clock may have seen the step before.
    settled: i64,
    ahead: i64,
}

impl Step {
    /// For a report: when, and where the clock then was.
    fn tell(&self, zero: i64, deadline: i64) -> String {
        let (from, late) = (self.from - zero, self.settled - self.from);
        format!(
            "from {from} ns (published {late} ns late) {} ns before the deadline",
            deadline - zero - from.max(0) - self.ahead
        )
    }
}

impl Course {
    /// The host instant, not before `since`, at which the clock first showed `deadline`; `None` if it has not until `limit`.
    fn shows(&self, deadline: i64, since: i64, limit: i64) -> Option<i64> {
        let first = self.0.partition_point(|step| step.from <= since).saturating_sub(2);
        for (index, step) in self.0.iter().enumerate().skip(first) {
            if step.from > limit {
                return None;
            }
            let until = self.0.get(index + 1).map_or(i64::MAX, |next| next.settled.max(next.from)).min(limit);
            let at = (deadline - step.ahead - CAPTURE_ERROR).max(step.from).max(since);
            if at <= until {
                return Some(at);
            }
        }
        None
    }
}

/// A small generator of random numbers, so that a run can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    /// Where the clock is to be: true, off by what deadlines are ahead, or far off.
    fn offset(&mut self) -> i64 {
        let wobble = i64::try_from(self.below(12_000)).unwrap_or(0) * 1000 - 6 * MILLISECOND;
        match self.below(8) {
            0 => 0,
            1 => wobble - 3600 * SECOND,
            2 => wobble + 3600 * SECOND,
            _ => wobble,
        }
    }
}

/// The host's CLOCK_REALTIME less its CLOCK_MONOTONIC.
fn true_ahead() -> i64 {
    let reading = || {
        let (before, wall) = (mono(), falseticker::host_clock::realtime());
        let after = mono();
        (after - before, wall - before - (after - before) / 2)
    };
    (0..20).map(|_| reading()).min().map_or(0, |(_, ahead)| ahead)
}

/// Moves the clock until the program says that it is quiet, and again when the next round begins; to its end.
fn jump_to_and_fro(live: &mut Live, node: &Node, random: &mut Random) -> (Course, String) {
    let true_ahead = true_ahead();
    let mut course = vec![Step { from: 0, settled: 0, ahead: true_ahead }];
    let (mut offset, mut is_quiet, mut last_line) = (0, true, std::time::Instant::now());
    loop {
        let has_ended = live.has_ended();
        let patience = Duration::from_millis(if has_ended || is_quiet { 100 } else { 0 });
        let mut wanted = random.offset();
        if let Some(line) = live.line_within(patience) {
            last_line = std::time::Instant::now();
            match &*line {
                "begun" => is_quiet = false,
                "quiet" => (is_quiet, wanted) = (true, PAST_ALL),
                _ if line.starts_with("done ") => return (Course(course), line),
                _ => assert!(!line.contains("FAILED"), "{line}"),
            }
        } else {
            assert!(!has_ended, "it has ended");
        }
        assert!(last_line.elapsed() < Duration::from_secs(120), "a round does not end");
        if wanted == offset || is_quiet && wanted != PAST_ALL {
            continue;
        }
        let jump = Jump { by: Span::from_nanos(wanted - offset) };
        let applied = node.fault(jump, Clocks::Wall, None).expect("a jump is published");
        offset = wanted;
        let from = applied.at.as_nanos();
        course.push(Step { from, settled: from + applied.late_by.as_nanos(), ahead: true_ahead + offset });
    }
}

fn stress(lab: &Lab, libc: &str) {
    let waits = count_of("FALSETICKER_WAITS", 100_000);
    let seed = count_of("FALSETICKER_SEED", 1);
    let (program, file) = (lab.target("wait_stress").of(libc).path(), lab.path("records"));
    lab.falseticker(["create", "a"]).expect_code(0);
    let node = lab.node("a");
    let words = [waits.to_string(), "32".to_owned(), seed.to_string(), file.to_string_lossy().into_owned()];
    let begun = mono();
    let program = std::iter::once(program.as_os_str()).chain(words.iter().map(|word| word.as_ref()));
    let mut live = lab.in_node("a", program).live();
    let (course, done) = jump_to_and_fro(&mut live, &node, &mut Random(seed as u64 | 1 << 40));
    let seconds = (mono() - begun) as f64 / 1e9;
    assert_eq!(live.end(), 0);
    let (records, late) = check_records(&file, &course);
    let at =
        |part: usize| late.get(late.len().saturating_sub(1) * part / 1000).map_or(0.0, |ns| *ns as f64 / 1e6);
    eprintln!(
        "{libc}: {done}; {seconds:.0} s, {} jumps; {records} timeouts checked, late by {:.2} ms (median), {:.1} ms (99.9 %), \
         {:.1} ms (most)",
        course.0.len() - 1,
        at(500),
        at(999),
        at(1000)
    );
    drop(node);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

/// Every recorded timeout came after its clock had shown the deadline; how late those were that had to wait, in order.
fn check_records(file: &std::path::Path, course: &Course) -> (usize, Vec<i64>) {
    let bytes = std::fs::read(file).expect("the records");
    let mut late = Vec::new();
    let mut records = 0;
    for record in bytes.chunks_exact(32) {
        let field = |index: usize| {
            let bytes = record[8 * index..8 * index + 8].try_into().expect("eight bytes");
            i64::from_le_bytes(bytes)
        };
        let (kind, deadline, begun, ended) = (field(0), field(1), field(2), field(3));
        let shown = course.shows(deadline, begun, ended);
        let shown = shown.unwrap_or_else(|| {
            let near = course.0.iter().filter(|step| (begun - 20 * MILLISECOND..=ended).contains(&step.from));
            let steps: Vec<String> = near.map(|step| step.tell(begun, deadline)).collect();
            panic!(
                "a wait of kind {kind}, begun at 0, timed out after {} ns, before its clock showed the deadline:\n{}",
                ended - begun,
                steps.join("\n")
            );
        });
        records += 1;
        if shown > begun {
            late.push(ended - shown);
        }
    }
    assert!(records > 0, "no timeout was recorded");
    late.sort_unstable();
    (records, late)
}

/// The program's own checks find what is lost on purpose.
fn control(lab: &Lab, libc: &str, lost: &str) {
    let (program, file) = (lab.target("wait_stress").of(libc).path(), lab.path("records"));
    let arguments = ["40000", "16", "1", &file.to_string_lossy()].map(str::to_owned);
    let done = lab.command(program, arguments).env("FALSETICKER_LOSE", lost).done().expect_code(1);
    assert!(done.stdout.contains("FAILED"), "{}", done.report());
}
