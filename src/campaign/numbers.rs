//! Round numbers: what is tried between two values is what a person would try.

/// The whole number with the fewest digits from `low` to `high`; of several that nearest to their middle, and of two as near the
/// lower.
pub fn roundest(low: i64, high: i64) -> i64 {
    let (low, high) = (i128::from(low.min(high)), i128::from(low.max(high)));
    if low <= 0 && high >= 0 {
        return 0;
    }
    let mut unit: i128 = 10_i128.pow(19);
    while unit > 1 && multiple(low, high, unit).is_none() {
        unit /= 10;
    }
    let chosen = multiple(low, high, unit).unwrap_or(low);
    i64::try_from(chosen).unwrap_or(i64::MAX)
}

/// The multiple of `unit` between two numbers that is nearest to their middle.
fn multiple(low: i128, high: i128, unit: i128) -> Option<i128> {
    let (first, last) = (low.div_euclid(unit) + i128::from(low.rem_euclid(unit) != 0), high.div_euclid(unit));
    // Half a unit less, rounded up: the lower of two that are as near.
    let nearest =
        (low + high - unit).div_euclid(2 * unit) + i128::from((low + high - unit).rem_euclid(2 * unit) != 0);
    (first <= last).then(|| nearest.clamp(first, last) * unit)
}

/// How many digits a number has without the zeros at its end.
pub(crate) fn digits(number: i64) -> u32 {
    let mut rest = number.unsigned_abs();
    while rest != 0 && rest.is_multiple_of(10) {
        rest /= 10;
    }
    rest.checked_ilog10().map_or(0, |digits| digits + 1)
}

/// A round number strictly between two, in the middle third of what lies between them; `None` if nothing does.
pub(crate) fn between(low: i64, high: i64) -> Option<i64> {
    let (low, high) = (low.min(high), low.max(high));
    let third = (i128::from(high) - i128::from(low) + 2) / 3;
    let third = i64::try_from(third).ok()?;
    let (from, to) = (low.checked_add(third)?, high.checked_sub(third)?);
    if from <= to {
        return Some(roundest(from, to));
    }
    // No third fits into a gap of three.
    (high > low.saturating_add(1)).then(|| low + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_roundest_is_what_a_person_would_say() {
        for (low, high, expected) in [
            (1_300_000_000, 1_900_000_000, 1_600_000_000),
            (1_490_000_000, 1_530_000_000, 1_500_000_000),
            (-6_700, -3_400, -5_000),
            (-5, 7, 0),
            (3, 3, 3),
            (17, 19, 18),
            (1, 4, 2),
            (i64::MAX - 1, i64::MAX, 9_223_372_036_854_775_806),
        ] {
            assert_eq!(roundest(low, high), expected, "{low} to {high}");
        }
        assert_eq!((digits(0), digits(1_500), digits(-1_234), digits(100)), (0, 2, 4, 1));
    }

    proptest! {
        #[test]
        fn the_roundest_is_between_and_none_has_fewer_digits(low in -5_000_i64..5_000, length in 0_i64..900) {
            let high = low + length;
            let chosen = roundest(low, high);
            prop_assert!((low..=high).contains(&chosen));
            let fewest = (low..=high).map(digits).min();
            // A multiple of a greater unit may have more digits than one of a lesser: 110 beside 9 (10, that is).
            prop_assert!(digits(chosen) <= fewest.unwrap_or(0) + 1, "{chosen} of {low} to {high}");
        }

        #[test]
        fn what_is_between_leaves_a_part_of_a_gap_on_either_side(low in any::<i64>(), length in 2_i64..i64::MAX) {
            let high = low.saturating_add(length);
            match between(low, high) {
                Some(chosen) => prop_assert!(low < chosen && chosen < high),
                None => prop_assert!(i128::from(high) - i128::from(low) < 2),
            }
        }

        #[test]
        fn a_gap_is_halved_in_as_many_steps_as_its_bits(low in -1_000_000_i64..1_000_000, length in 2_i64..1_000_000) {
            let (mut from, to, mut steps) = (low, low + length, 0);
            while let Some(next) = between(from, to) {
                from = next;
                steps += 1;
            }
            prop_assert!(steps <= 40, "{steps}");
        }
    }
}
