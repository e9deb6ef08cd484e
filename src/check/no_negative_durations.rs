//! `no-negative-durations`: a length of time that a program has measured, and that is less than nothing.

use super::{Found, Outcome, Past, Rule, With};

pub(super) struct NoNegativeDurations;

impl Rule for NoNegativeDurations {
    fn name(&self) -> &'static str {
        "no-negative-durations"
    }

    fn reads(&self) -> &'static str {
        "no length that was measured is below zero: duration with a number, of any unit"
    }

    fn judge(&self, past: &Past, _: &With) -> Found {
        let mut found = Found::nothing("duration with a number");
        for op in past.of(&["duration"]).filter(|op| op.outcome == Outcome::Ok) {
            let Some(number) = op.value.as_f64() else { continue };
            if number < 0.0 {
                let why = format!("{} has measured {}", op.process, op.value);
                return Found::violated(why).shown_by(&[op]);
            }
            found = Found::holds();
        }
        found
    }
}
