//! The minimizing delta debugging algorithm, as in Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input"
//! (2002): `ddmin`, with its subsets, complements and granularity.
//!
//! What must hold: what comes back fails, whatever the test says of anything else; it is 1-minimal as far as the test's answers
//! are always the same: without any one of its elements it does not fail. Only what fails is ever taken for the next
//! configuration, so that unresolved tests cost time and are never wrong.

use crate::Result;
use crate::campaign::Outcome;

/// Minimizes a configuration that fails; the empty one, which is not tested, is taken to pass.
pub fn ddmin<T: Clone>(configuration: &[T], mut test: impl FnMut(&[T]) -> Result<Outcome>) -> Result<Vec<T>> {
    let mut failing = configuration.to_vec();
    let mut granularity = 2;
    while failing.len() >= 2 {
        let deltas = split(failing.len(), granularity);
        let pick = |wanted: &dyn Fn(usize) -> bool| -> Vec<T> {
            let numbered = failing.iter().enumerate();
            numbered.filter(|(index, _)| wanted(*index)).map(|(_, element)| element.clone()).collect()
        };
        let subsets = deltas.iter().map(|delta| pick(&|index| delta.contains(&index)));
        if let Some(subset) = first_failing(subsets, &mut test)? {
            (failing, granularity) = (subset, 2);
            continue;
        }
        // Of two halves each is the other one's complement.
        let complements =
            deltas.iter().filter(|_| granularity > 2).map(|delta| pick(&|index| !delta.contains(&index)));
        if let Some(complement) = first_failing(complements, &mut test)? {
            (failing, granularity) = (complement, (granularity - 1).max(2));
            continue;
        }
        if granularity >= failing.len() {
            break;
        }
        granularity = (granularity * 2).min(failing.len());
    }
    Ok(failing)
}

fn first_failing<T>(
    configurations: impl Iterator<Item = Vec<T>>,
    test: &mut impl FnMut(&[T]) -> Result<Outcome>,
) -> Result<Option<Vec<T>>> {
    for configuration in configurations {
        if test(&configuration)? == Outcome::Fail {
            return Ok(Some(configuration));
        }
    }
    Ok(None)
}

/// So many parts, as alike in size as they can be.
fn split(length: usize, parts: usize) -> Vec<std::ops::Range<usize>> {
    (0..parts).map(|part| length * part / parts..length * (part + 1) / parts).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of(fails: bool) -> Outcome {
        if fails { Outcome::Fail } else { Outcome::Pass }
    }

    fn without(all: &[usize], index: usize) -> Vec<usize> {
        let mut rest = all.to_vec();
        rest.remove(index);
        rest
    }

    proptest! {
        #[test]
        fn what_all_of_some_elements_cause_is_brought_down_to_them(
            length in 1_usize..80, guilty in prop::collection::btree_set(0_usize..80, 1..6),
        ) {
            let guilty: BTreeSet<usize> = guilty.into_iter().map(|element| element % length).collect();
            let all: Vec<usize> = (0..length).collect();
            let found = ddmin(&all, |some| Ok(of(guilty.iter().all(|element| some.contains(element))))).unwrap();
            prop_assert_eq!(found, guilty.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn of_several_causes_one_is_left_and_it_is_1_minimal(
            length in 2_usize..40,
            causes in prop::collection::vec(prop::collection::btree_set(0_usize..40, 1..5), 1..5),
        ) {
            let inside = |cause: &BTreeSet<usize>| cause.iter().map(|element| element % length).collect::<BTreeSet<_>>();
            let causes: Vec<BTreeSet<usize>> = causes.iter().map(inside).collect();
            let fails = |some: &[usize]| causes.iter().any(|cause| cause.iter().all(|element| some.contains(element)));
            let all: Vec<usize> = (0..length).collect();
            let found = ddmin(&all, |some| Ok(of(fails(some)))).unwrap();
            prop_assert!(fails(&found));
            for index in 0..found.len() {
                prop_assert!(found.len() == 1 || !fails(&without(&found, index)));
            }
        }

        #[test]
        fn whatever_a_test_says_the_result_fails_and_is_1_minimal(length in 1_usize..24, salt in any::<u64>()) {
            // Neither monotone nor resolved: anything but the whole may pass, fail or be unresolved.
            let answer = |some: &[usize]| {
                let mut hasher = std::hash::DefaultHasher::new();
                std::hash::Hash::hash(&(salt, some), &mut hasher);
                match std::hash::Hasher::finish(&hasher) % 5 {
                    _ if some.len() == length => Outcome::Fail,
                    0 | 1 => Outcome::Fail,
                    2 => Outcome::Unresolved,
                    _ => Outcome::Pass,
                }
            };
            let all: Vec<usize> = (0..length).collect();
            let found = ddmin(&all, |some| Ok(answer(some))).unwrap();
            prop_assert_eq!(answer(&found), Outcome::Fail);
            for index in 0..found.len() {
                prop_assert!(found.len() == 1 || answer(&without(&found, index)) != Outcome::Fail);
            }
        }

        #[test]
        fn a_configuration_is_tested_in_its_order_and_in_part(length in 2_usize..30) {
            let all: Vec<usize> = (0..length).collect();
            ddmin(&all, |some| {
                assert!(some.is_sorted() && !some.is_empty() && some.len() < length);
                Ok(Outcome::Pass)
            }).unwrap();
        }
    }

    #[test]
    fn one_guilty_of_many_takes_two_tests_a_halving() {
        let mut tests = 0;
        let all: Vec<usize> = (0..1_024).collect();
        let found = ddmin(&all, |some| {
            tests += 1;
            Ok(of(some.contains(&700)))
        });
        assert_eq!(found.unwrap(), [700]);
        assert!(tests <= 20, "{tests}");
    }

    #[test]
    fn a_failure_to_test_ends_it() {
        let why = || crate::Error::not_applied("play", "the port is taken");
        assert!(ddmin(&[1, 2], |_| Err(why())).is_err());
    }
}
