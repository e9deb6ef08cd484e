//! Whole numbers from a seed.
//!
//! What must hold: a seed draws the same on every machine; magnitudes are whole milliseconds.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::Span;

/// Which of a seed's streams is the nemesis's own; those of lengths and gaps are others.
const STREAM: u64 = 7;

/// A generator.
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// From a seed.
    pub fn new(seed: u64) -> Draw {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(STREAM);
        Draw(generator)
    }

    /// Below `count`, which is more than nothing.
    pub fn below(&mut self, count: usize) -> usize {
        // Drawn as 64 bits on every machine.
        let below = u64::try_from(count.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.0.random_range(0..below)).unwrap_or(0)
    }

    /// Evenly between the two, in whole milliseconds.
    pub fn between(&mut self, from: Span, to: Span) -> Span {
        let (from, to) = (millis(from), millis(to));
        Span::from_millis(self.0.random_range(from..=to.max(from)))
    }

    /// Spread over scales: a power of two, each as likely as the others, and then evenly up to the next one.
    pub fn spread(&mut self, from: Span, to: Span) -> Span {
        let (from, to) = (millis(from).max(1), millis(to).max(1));
        let (low, high) = (from.ilog2(), to.max(from).ilog2());
        let power = self.0.random_range(low..=high);
        let (least, most) = ((1_i64 << power).max(from), ((1_i64 << (power + 1)) - 1).min(to.max(from)));
        Span::from_millis(self.0.random_range(least..=most.max(least)))
    }

    /// One or the other.
    pub fn coin(&mut self) -> bool {
        self.0.random_range(0..2_u8) == 1
    }
}

fn millis(span: Span) -> i64 {
    span.as_nanos() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_equally_likely() {
        let (mut draw, mut counts) = (Draw::new(1), [0_u32; 17]);
        for _ in 0..17_000 {
            let drawn = millis(draw.spread(Span::from_millis(1), Span::from_millis(131_071)));
            assert!((1..=131_071).contains(&drawn));
            counts[drawn.ilog2() as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn bounds_hold_even_where_there_is_no_room() {
        let mut draw = Draw::new(2);
        for _ in 0..1_000 {
            assert_eq!(draw.spread(Span::from_millis(5), Span::from_millis(5)), Span::from_millis(5));
            let drawn = draw.spread(Span::from_millis(5), Span::from_millis(9));
            assert!((5..=9).contains(&millis(drawn)), "{drawn:?}");
            assert_eq!(draw.between(Span::from_millis(7), Span::from_millis(3)), Span::from_millis(7));
        }
    }
}
