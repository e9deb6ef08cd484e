//! A magnitude made smaller: by bisection between nothing and what fails, over round numbers.
//!
//! What must hold: what comes back fails and is no greater; a number of two digits at most unless no such one fails; where
//! failing is monotone, nothing that is smaller by a tenth of it or more fails.

use crate::Result;
use crate::campaign::Outcome;
use crate::campaign::numbers::{between, digits, roundest};

/// So many digits are worth a test.
const DIGITS: u32 = 2;

/// The smallest amount that was found to fail, of the same sign; nothing is taken to pass.
pub fn reduce(amount: i64, mut test: impl FnMut(i64) -> Result<Outcome>) -> Result<i64> {
    let (mut passing, mut failing) = (0, amount);
    while let Some(next) = next(passing, failing) {
        if test(next)? == Outcome::Fail {
            failing = next;
        } else {
            passing = next;
        }
    }
    Ok(failing)
}

/// What is worth a test between what passes and what fails.
fn next(passing: i64, failing: i64) -> Option<i64> {
    let gap = failing.saturating_sub(passing).unsigned_abs();
    if gap <= failing.unsigned_abs() / 10 && digits(failing) <= DIGITS {
        return None;
    }
    let middle = between(passing, failing).filter(|middle| digits(*middle) <= DIGITS);
    middle.or_else(|| {
        let toward = if failing < 0 { 1 } else { -1 };
        let any = (gap > 1).then(|| roundest(passing.saturating_sub(toward), failing.saturating_add(toward)));
        any.filter(|any| digits(*any) <= DIGITS)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reduced(amount: i64, fails: impl Fn(i64) -> bool) -> (i64, Vec<i64>) {
        let mut tested = Vec::new();
        let found = reduce(amount, |some| {
            tested.push(some);
            Ok(if fails(some) { Outcome::Fail } else { Outcome::Pass })
        });
        (found.unwrap(), tested)
    }

    #[test]
    fn round_numbers_are_tried() {
        let (found, tested) = reduced(4_808_000_000, |some| some >= 700_000_000);
        assert!((700_000_000..=770_000_000).contains(&found), "{found}");
        assert!(tested.iter().all(|some| digits(*some) <= 2), "{tested:?}");
        assert!(tested.len() <= 10, "{tested:?}");
        assert_eq!(reduced(-5_000, |some| some <= -5_000).0, -5_000);
        assert_eq!(reduced(1, |_| true), (1, vec![]));
        assert_eq!(reduced(0, |_| true), (0, vec![]));
    }

    proptest! {
        #[test]
        fn the_result_fails_and_is_about_the_least_that_does(
            amount in 1_i64..1 << 60, part in 1_u64..=1_000_000, back in any::<bool>(),
        ) {
            let sign = if back { -1 } else { 1 };
            let least = (i128::from(amount) * i128::from(part) / 1_000_000).max(1);
            let least = i64::try_from(least).unwrap();
            let (found, tested) = reduced(amount * sign, |some| some.abs() >= least);
            let found = found * sign;
            prop_assert!(least <= found && found <= amount);
            prop_assert!(tested.len() <= 60);
            let greatest_passing = tested.iter().map(|some| some * sign).filter(|some| *some < least).max().unwrap_or(0);
            prop_assert!(digits(found) <= 2 || found == amount);
            if digits(found) <= 2 {
                // Between them there is no number of two digits, or less than a tenth.
                let gap = found - greatest_passing;
                prop_assert!(gap <= found / 10 || gap <= 1 || digits(roundest(greatest_passing + 1, found - 1)) > 2);
            }
        }

        #[test]
        fn whatever_a_test_says_the_result_fails(amount in any::<i64>(), salt in any::<u64>()) {
            let fails = |some: i64| some == amount || (some.unsigned_abs() ^ salt).count_ones().is_multiple_of(2);
            let (found, _) = reduced(amount, fails);
            prop_assert!(fails(found) && found.unsigned_abs() <= amount.unsigned_abs() && found.signum() == amount.signum());
        }
    }
}
