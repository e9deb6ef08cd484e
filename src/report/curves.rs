//! What the nodes' wall clocks were off by and at which rates they ran, as lines.
//!
//! Samples are a tenth of a second apart, changes are known to the nanosecond: a clock is straight between changes, so on both
//! sides of one its value follows from the nearest sample. What lies on a straight line between its neighbours is left out, and
//! nothing is lost by it. A strobe goes there and back faster than it is sampled, and is shown as it was sampled.

use super::gather::{Gathered, Sample};
use super::{Axis, How, thin};

/// How many parts of the axis a curve is thinned to: where a strobe leaves nothing straight.
const PARTS: usize = 1_500;

/// By how many nanoseconds a point may be off the line and still lie on it: two readings are rounded.
const ROUNDED: f64 = 2.5;

/// Curves that share their instants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// The instants.
    pub at: Vec<i64>,
    /// Of each node what its wall clock was off by then, in nanoseconds; `None` before its first sample, and after its last.
    pub off: Vec<Vec<Option<f64>>>,
    /// Of each node by how many parts per million it was too fast.
    pub ppm: Vec<Vec<Option<f64>>>,
}

impl Curves {
    pub(super) fn of(nodes: &[String], gathered: &Gathered, axis: &Axis) -> Curves {
        let of = |node: &String| {
            let samples = gathered.samples.get(node).map(Vec::as_slice).unwrap_or_default();
            thinned(straightened(&with_changes(samples, &changes(gathered, node))), axis)
        };
        let lines: Vec<Vec<Sample>> = nodes.iter().map(of).collect();
        let mut at: Vec<i64> = lines.iter().flatten().map(|sample| sample.at).collect();
        at.sort_unstable();
        at.dedup();
        let off = lines.iter().map(|line| at.iter().map(|at| off_at(line, *at)).collect()).collect();
        let ppm =
            lines.iter().map(|line| at.iter().map(|at| Some(before(line, *at)?.ppm)).collect()).collect();
        Curves { at, off, ppm }
    }

    /// Whether a clock ran at another rate than the machine's.
    pub fn has_rates(&self) -> bool {
        self.ppm.iter().flatten().flatten().any(|ppm| ppm.abs() > 0.0)
    }
}

/// The instants at which a node's clock changed.
fn changes(gathered: &Gathered, node: &str) -> Vec<i64> {
    let taken = gathered.faults.list.iter().flat_map(|fault| &fault.taken);
    let clocks = taken.filter(|taken| taken.how == How::Clock && taken.node == node);
    let mut all: Vec<i64> = clocks.flat_map(|taken| [Some(taken.from), taken.until]).flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The samples, and on both sides of each change what the clock was.
fn with_changes(samples: &[Sample], changes: &[i64]) -> Vec<Sample> {
    let mut all: Vec<Sample> = Vec::with_capacity(samples.len());
    let mut changes = changes.iter().copied().peekable();
    for next in samples {
        let mut between: Option<(i64, i64)> = None;
        while let Some(at) = changes.next_if(|at| *at <= next.at) {
            between = Some((between.map_or(at, |(first, _)| first), at));
        }
        if let (Some((first, last)), Some(before)) = (between, all.last().copied()) {
            if first - 1 > before.at {
                all.push(moved(before, first - 1));
            }
            if last < next.at {
                all.push(moved(*next, last));
            }
        }
        all.push(*next);
    }
    all
}

/// What a clock that runs straight on shows at another instant.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "for drawing")]
fn moved(sample: Sample, at: i64) -> Sample {
    let gained = (at - sample.at) as f64 * sample.ppm / 1e6;
    Sample { at, off: sample.off.saturating_add(gained.round() as i64), ppm: sample.ppm }
}

/// Without the points that lie on the line between those that stay.
#[expect(clippy::cast_precision_loss, reason = "for drawing")]
fn straightened(samples: &[Sample]) -> Vec<Sample> {
    let mut kept: Vec<Sample> = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        let (Some(last), Some(next)) = (kept.last(), samples.get(index + 1)) else {
            kept.push(*sample);
            continue;
        };
        let length = (next.at - last.at).max(1) as f64;
        let share = (sample.at - last.at) as f64 / length;
        let expected = last.off as f64 + (next.off - last.off) as f64 * share;
        let is_straight = (sample.off as f64 - expected).abs() <= ROUNDED;
        if !is_straight || sample.ppm.to_bits() != last.ppm.to_bits() {
            kept.push(*sample);
        }
    }
    kept
}

fn thinned(samples: Vec<Sample>, axis: &Axis) -> Vec<Sample> {
    let points: Vec<(i64, i64)> = samples.iter().map(|sample| (sample.at, sample.off)).collect();
    thin::kept(&points, axis, PARTS).into_iter().map(|index| samples[index]).collect()
}

/// The last sample not after an instant, of those that reach as far.
fn before(line: &[Sample], at: i64) -> Option<&Sample> {
    let index = line.partition_point(|sample| sample.at <= at).checked_sub(1)?;
    line.get(index).filter(|_| line.last().is_some_and(|last| at <= last.at))
}

#[expect(clippy::cast_precision_loss, reason = "for drawing")]
fn off_at(line: &[Sample], at: i64) -> Option<f64> {
    let last = before(line, at)?;
    let next = line.get(line.partition_point(|sample| sample.at <= at));
    let Some(next) = next.filter(|_| at > last.at) else { return Some(last.off as f64) };
    let share = (at - last.at) as f64 / (next.at - last.at) as f64;
    Some((next.off - last.off) as f64 * share + last.off as f64)
}
