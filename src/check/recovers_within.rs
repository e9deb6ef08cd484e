//! `recovers-within`: after the heal, an operation is begun and done within a span.
//!
//! The heal is that of the scenario; an imported history names none. A history that breaks off before the span is over says nothing, unless
//! it has recovered by then.

use super::{Found, Op, Outcome, Past, Rule, With};
use crate::Span;
use crate::units::format_span;

pub(super) struct RecoversWithin;

impl Rule for RecoversWithin {
    fn name(&self) -> &'static str {
        "recovers-within"
    }

    fn reads(&self) -> &'static str {
        "an operation begins after the heal and is done within SPAN of it: any"
    }

    fn needs(&self) -> super::Needs {
        super::Needs::Span
    }

    fn judge(&self, past: &Past, with: &With) -> Found {
        let span = with.span.unwrap_or(Span::ZERO);
        if past.ops.is_empty() {
            return Found::nothing("operation");
        }
        let Some(heal) = past.heal else { return Found::nothing("heal") };
        let limit = heal.saturating_add(span.as_nanos());
        let done: Vec<&Op> = past.ops.iter().filter(|op| op.outcome == Outcome::Ok).collect();
        if done.iter().any(|op| op.begun.from >= heal && op.done.until <= limit) {
            return Found::holds();
        }
        if let Some(op) = done.iter().find(|op| op.begun.until >= heal && op.done.from <= limit) {
            let line = op.begun.line;
            return Found::unknown(format!(
                "whether line {line} lies in it, the bounds of its instants do not say"
            ));
        }
        if past.end.is_none_or(|end| end < limit) {
            return Found::unknown(format!("the history ends before {} after the heal", format_span(span)));
        }
        let why = format!("nothing was begun and done in the {} after the heal", format_span(span));
        let last = done.iter().copied().filter(|op| op.begun.until < heal).max_by_key(|op| op.last());
        let next = done.iter().copied().filter(|op| op.done.from > limit).min_by_key(|op| op.first());
        Found::violated(why).shown_by(&last.into_iter().chain(next).collect::<Vec<_>>())
    }
}
