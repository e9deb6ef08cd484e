//! The last minutes of a clock's offset, as bars.
//!
//! What must hold: a bar stands for what the clock showed at the end of its part of the window; the lowest is the least
//! offset in the window and the highest the greatest, whatever lies between; nothing is drawn for when it was not looked at.

use std::collections::VecDeque;

use falseticker::Span;

/// So much of the past is shown.
pub const WINDOW: Span = Span::from_secs(120);

/// Offsets that differ by less are the same: an offset is taken from clocks that are read one after the other.
const NOISE_NS: i64 = 10_000;

/// Longer than this without a look, and nothing is known of what was between.
const GAP_NS: i64 = 10_000_000_000;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Samples of an offset: when, and how much, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Past(VecDeque<(i64, i64)>);

impl Past {
    /// Adds a sample, and forgets what is older than the window.
    pub fn push(&mut self, at_ns: i64, offset_ns: i64) {
        self.0.push_back((at_ns, offset_ns));
        let oldest = at_ns.saturating_sub(WINDOW.as_nanos());
        // One that is older still says what was so at the window's beginning.
        while self.0.get(1).is_some_and(|(at, _)| *at <= oldest) {
            self.0.pop_front();
        }
    }

    /// The least and the greatest offset; `None` without samples.
    pub fn range(&self) -> Option<(i64, i64)> {
        let offsets = || self.0.iter().map(|(_, offset)| *offset);
        Some((offsets().min()?, offsets().max()?))
    }

    /// So many bars, the last one for the last sample.
    pub fn bars(&self, columns: usize) -> String {
        let Some((last, _)) = self.0.back() else { return " ".repeat(columns) };
        let count = i64::try_from(columns).unwrap_or(i64::MAX);
        let step = WINDOW.as_nanos() / count.max(1);
        let shown: Vec<Option<i64>> =
            (0..count).rev().map(|back| self.at(last.saturating_sub(step.saturating_mul(back)))).collect();
        let known = || shown.iter().flatten().copied();
        let (low, high) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
        let bar = |offset: Option<i64>| offset.map_or(' ', |offset| bar(offset, low, high));
        shown.into_iter().map(bar).collect()
    }

    /// What it was at an instant, so far as that is known.
    fn at(&self, instant: i64) -> Option<i64> {
        let after = self.0.partition_point(|(at, _)| *at <= instant);
        let (at, offset) = self.0.get(after.checked_sub(1)?)?;
        (instant.saturating_sub(*at) < GAP_NS).then_some(*offset)
    }
}

/// The bar of an offset among others; in the middle if there are no others.
fn bar(offset: i64, low: i64, high: i64) -> char {
    let range = i128::from(high) - i128::from(low);
    if range < i128::from(NOISE_NS) {
        return BARS[3];
    }
    let steps = BARS.len() as i128 - 1;
    let height = ((i128::from(offset) - i128::from(low)) * steps + range / 2) / range;
    usize::try_from(height).ok().and_then(|height| BARS.get(height)).copied().unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn past(samples: impl IntoIterator<Item = (i64, i64)>) -> Past {
        let mut past = Past::default();
        samples.into_iter().for_each(|(second, offset)| past.push(second * SECOND, offset));
        past
    }

    #[test]
    fn a_step_is_a_step_and_a_slope_a_slope() {
        assert_eq!(past((1..=120).map(|s| (s, if s > 60 { -SECOND } else { 0 }))).bars(12), "██████▁▁▁▁▁▁");
        assert_eq!(past((1..=120).map(|s| (s, s * 200_000))).bars(8), "▁▂▃▄▅▆▇█");
    }

    #[test]
    fn what_does_not_change_stays_in_the_middle_and_noise_is_no_change() {
        assert_eq!(past((1..=120).map(|s| (s, -SECOND + s % 2 * 500))).bars(4), "▄▄▄▄");
    }

    #[test]
    fn what_was_not_looked_at_is_left_empty() {
        assert_eq!(Past::default().bars(3), "   ");
        assert_eq!(past((100..=130).map(|s| (s, 0))).bars(12), "        ▄▄▄▄");
        // Nobody looked for half a minute.
        assert_eq!(past((1..=60).chain(90..=120).map(|s| (s, 0))).bars(12), "▄▄▄▄▄▄  ▄▄▄▄");
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let past = past((0..=1_000).map(|s| (s, s)));
        assert!(past.0.len() <= 122, "{}", past.0.len());
        assert_eq!(past.range(), Some((880, 1_000)));
    }

    #[test]
    fn the_widest_offsets_do_not_overflow() {
        assert_eq!(past([(60, i64::MIN), (120, i64::MAX)]).bars(2).chars().last(), Some('█'));
    }
}
