//! Many armed timers while the clock jumps ten times a second: each expires when the node's clock shows its time.
//!
//! What is expected is computed from the node's own schedule, noted after each jump: every jump adds to the clock's offset from an
//! instant on. A timer may be late as far as a wait may, see [`crate::waits`].

use falseticker::fault::{Clocks, Jump};
use falseticker::{Clock, HostInstant, Node, NodeInstant, Span, host_clock};
use libtest_mimic::Trial;

use crate::harness::{Lab, Live, MILLISECOND, count_of, spec};
use crate::waits::starved::{Sentinels, Starved};

/// Within which of its time each expires.
const ALLOWED: i64 = 20 * MILLISECOND;
/// What clocks are rounded by.
const ROUNDING: i64 = 1_000;
/// How far apart deadlines are, in the node's time.
const APART: i64 = 20 * MILLISECOND;
/// Between two jumps.
const PERIOD: Span = Span::from_millis(100);
/// Small and large, there and back, over and over; a second of them leads the clock 2.5 s forward. In between it is an hour
/// back, when nothing is due.
const JUMPS: [i64; 10] = [5, -3, 2_000, -3_600_000, 3_600_000, -500, 7, -10, 1_000, 1];

pub fn trials() -> Vec<Trial> {
    let sentence =
        "armed timers: FALSETICKER_TIMERS of them expire in time while the clock jumps ten times a second";
    vec![spec(sentence).needs("cc", "gcc").shown_by(many)]
}

/// From an instant on the clock is so far ahead of the host's CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: i64,
    ahead: i64,
    late_by: i64,
}

/// An expiry as the target tells it.
struct Expiry {
    deadline: i64,
    before: i64,
    after: i64,
    shown: i64,
}

fn many(lab: &Lab) {
    let count = count_of("FALSETICKER_TIMERS", 500);
    let spread = i64::try_from(count).expect("a count") * APART;
    let target = lab.target("many_timers");
    let words = [target.path().display().to_string(), count.to_string(), spread.to_string()];
    // A clock that follows the host's own could be slewed by it: this one is a straight line from the beginning.
    let mut live = lab.run("a", &["--jump", "+1h"], &words).live();
    assert_eq!(live.line(), "armed");
    let node = lab.node("a");
    let begun = host_clock::monotonic();
    let sentinels = Sentinels::post();
    let (pieces, told) = jump_until_told(&node, &mut live);
    let starved = sentinels.withdraw();
    let took = host_clock::monotonic().saturating_since(begun);
    let mut expiries: Vec<Expiry> = vec![told];
    let cpu = loop {
        let line = live.line();
        match line.strip_prefix("cpu ") {
            Some(cpu) => break cpu.parse().expect("a number"),
            None => expiries.push(parse(&line)),
        }
    };
    assert_eq!(expiries.len(), count);
    let mut late: Vec<i64> = expiries.iter().map(|expiry| judge(expiry, &pieces, &starved)).collect();
    late.sort_unstable();
    let at = |part: usize| late[(count - 1) * part / 100] as f64 / 1e6;
    eprintln!(
        "{count} timers, {} jumps in {:.1} s: late by {:.2} ms (median), {:.2} (99 of 100), {:.2} (the latest); {:.3} of a core",
        pieces.len() - 1,
        seconds(took.as_nanos()),
        at(50),
        at(99),
        at(100),
        seconds(cpu) / seconds(took.as_nanos())
    );
    live.finish();
}

/// Jumps until the target has nothing left to wait for and tells of the first; the pieces of the clock meanwhile.
fn jump_until_told(node: &Node, live: &mut Live) -> (Vec<Piece>, Expiry) {
    let mut pieces = vec![Piece { from: i64::MIN, ahead: ahead(node), late_by: 0 }];
    let mut next = host_clock::monotonic();
    for by in JUMPS.iter().cycle() {
        let left = next.saturating_since(host_clock::monotonic()).max(Span::ZERO).as_nanos();
        if let Some(line) = live.line_within(std::time::Duration::from_nanos(left.unsigned_abs())) {
            return (pieces, parse(&line));
        }
        let applied = node.fault(Jump { by: Span::from_millis(*by) }, Clocks::Wall, None);
        let applied = applied.expect("it is applied");
        let late_by = applied.late_by.as_nanos();
        pieces.push(Piece { from: applied.at.as_nanos(), ahead: ahead(node), late_by });
        next = next.saturating_add(PERIOD);
    }
    unreachable!("the jumps have no end")
}

/// How far the node's wall clock is ahead of the host's CLOCK_MONOTONIC by what was published last.
fn ahead(node: &Node) -> i64 {
    let shows = NodeInstant::from_nanos(i64::MAX / 2);
    let reached = node.reaches(Clock::Wall, shows, HostInstant::from_nanos(0));
    let reached = reached.expect("the schedule can be read").expect("the clock gets there");
    shows.as_nanos() - reached.as_nanos()
}

fn parse(line: &str) -> Expiry {
    let numbers: Vec<i64> = line.split(' ').map(|word| word.parse().expect("numbers")).collect();
    let [deadline, before, after, shown] = numbers[..] else { panic!("the target says {line:?}") };
    Expiry { deadline, before, after, shown }
}

/// How late it was; panics if it was early, or later than the machine excuses.
fn judge(expiry: &Expiry, pieces: &[Piece], starved: &Starved) -> i64 {
    let ends = pieces.iter().skip(1).map(|piece| piece.from).chain([i64::MAX]);
    let due = |(piece, end): (Piece, i64)| {
        let at = expiry.before.max(piece.from).max(expiry.deadline - piece.ahead);
        (at < end).then_some((at, piece))
    };
    let (expected, piece) =
        pieces.iter().copied().zip(ends).find_map(due).expect("the last piece has no end");
    let late = expiry.after - expected;
    let told = || {
        let near: Vec<&Piece> = pieces
            .iter()
            .filter(|piece| piece.from.saturating_sub(expected).saturating_abs() < 10 * ALLOWED)
            .collect();
        format!("due at {expected}, expired at {}, showing {} ms more; {near:?}", expiry.after, {
            (expiry.shown - expiry.deadline) / MILLISECOND
        })
    };
    // A timer that would have expired just after a step back has to be moved by then, for which the helper must run.
    let since = HostInstant::from_nanos(piece.from).saturating_add(Span::from_millis(-1));
    let kept_from_it = 2 * starved.between(since, HostInstant::from_nanos(expiry.after)) + piece.late_by;
    let in_time = expiry.after - piece.from > kept_from_it;
    assert!(late >= -ROUNDING || !in_time, "early by {} us: {}", -late / 1000, told());
    let machine = starved.between(HostInstant::from_nanos(expected), HostInstant::from_nanos(expiry.after));
    // Who is woken through another waits for the processor twice.
    let excuse = 2 * machine + piece.late_by;
    assert!(
        late <= ALLOWED + excuse,
        "late by {} ms, the machine by {} ms: {}",
        late / MILLISECOND,
        excuse / MILLISECOND,
        told()
    );
    late
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}
