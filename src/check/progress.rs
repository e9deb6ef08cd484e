//! `progress`: so many operations are done in every span of time, from the start to the end.
//!
//! A span with the fewest begins at the start, or right after an operation was done: so only these are looked at, once with
//! each operation done as soon as may be, and once as late.

use super::{Found, Op, Outcome, Past, Rule, With};
use crate::Span;
use crate::units::format_span;

pub(super) struct Progress;

impl Rule for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn reads(&self) -> &'static str {
        "in every SPAN at least N operations are done: any"
    }

    fn needs(&self) -> super::Needs {
        super::Needs::CountPerSpan
    }

    fn judge(&self, past: &Past, with: &With) -> Found {
        let span = with.span.unwrap_or(Span::ZERO);
        let count = with.count.unwrap_or(1);
        if past.is_order_only {
            return Found::unknown("its operations have no times");
        }
        let mut done: Vec<&Op> = past.ops.iter().filter(|op| op.outcome == Outcome::Ok).collect();
        if past.ops.is_empty() {
            return Found::nothing("operation");
        }
        let begin = past.start.or(past.ops.iter().map(Op::first).min()).unwrap_or(0);
        let Some(end) = past.end else {
            return Found::unknown("the history breaks off");
        };
        let length = span.as_nanos();
        if end.saturating_sub(begin) < length {
            return Found::unknown(format!("the history is shorter than {}", format_span(span)));
        }
        done.sort_by_key(|op| (op.done.until, op.done.line));
        let mut froms: Vec<i64> = done.iter().map(|op| op.done.from).collect();
        froms.sort_unstable();
        let untils: Vec<i64> = done.iter().map(|op| op.done.until).collect();
        let starts = |instants: &[i64]| {
            let fits = move |from: &i64| *from >= begin && from.saturating_add(length) <= end;
            // An operation that is done right at the start counts.
            std::iter::once(begin.saturating_sub(1))
                .chain(instants.iter().copied().filter(fits))
                .collect::<Vec<i64>>()
        };
        for from in starts(&untils) {
            // At most as many: those that may be done after the beginning, less those that surely are after the end.
            let may = untils.len() - untils.partition_point(|at| *at <= from);
            let later = froms.len() - froms.partition_point(|at| *at <= from.saturating_add(length));
            let most = may.saturating_sub(later);
            if most < count {
                let why =
                    format!("{most} were done in the {} from here on, and not {count}", format_span(span));
                let before = done.iter().copied().rfind(|op| op.done.until <= from);
                let after = done.iter().copied().find(|op| op.done.from > from.saturating_add(length));
                return Found::violated(why).shown_by(&before.into_iter().chain(after).collect::<Vec<_>>());
            }
        }
        let surely = |from: i64| {
            let until = from.saturating_add(length);
            // At least as many: those that are done before its end, less those that may be done before its beginning.
            let before_end = untils.partition_point(|at| *at <= until);
            before_end.saturating_sub(froms.partition_point(|at| *at <= from)) >= count
        };
        if starts(&froms).into_iter().chain(starts(&untils)).all(surely) {
            Found::holds()
        } else {
            Found::unknown("the bounds of the instants do not say whether enough were done in each span")
        }
    }
}
