//! `no-cascade`: a healthy node is declared dead.
//!
//! A node is unhealthy from the beginning of each of its faults to its end, and for a span after it, if one is given; one that
//! had no fault until it was declared dead is healthy. What lies between cannot be told.

use super::{Found, Op, Outcome, Past, Rule, With, worst};

pub(super) struct NoCascade;

impl Rule for NoCascade {
    fn name(&self) -> &'static str {
        "no-cascade"
    }

    fn reads(&self) -> &'static str {
        "no node is declared dead that has had no fault, or none for SPAN: dead, alive with a node's name"
    }

    fn needs(&self) -> super::Needs {
        super::Needs::MaybeSpan
    }

    fn judge(&self, past: &Past, with: &With) -> Found {
        let of_node = |op: &Op| {
            let node = op.value.as_str().filter(|name| past.nodes.iter().any(|node| node == name))?;
            Some(if op.name == "dead" { declared(past, op, node, with) } else { Found::holds() })
        };
        let told = past.of(&["dead", "alive"]).filter(|op| op.outcome == Outcome::Ok);
        worst(told.filter_map(of_node))
            .unwrap_or_else(|| Found::nothing("dead or alive with the name of a node of the history"))
    }
}

fn declared(past: &Past, op: &Op, node: &str, with: &With) -> Found {
    let troubles = past.troubles.get(node).map(Vec::as_slice).unwrap_or_default();
    let mut begun = troubles.iter().filter(|trouble| trouble.from <= op.done.until).peekable();
    let healthy = |why: &str| {
        let why = format!("{} has declared {node} dead, which {why}", op.process);
        Found::violated(why).shown_by(&[op])
    };
    if begun.peek().is_none() {
        return healthy("had no fault until then");
    }
    let grace = with.span.map(|span| span.as_nanos());
    let over = begun.map(|trouble| trouble.until).max().unwrap_or(i64::MIN);
    let since = over.saturating_add(grace.unwrap_or(0));
    if op.done.until <= since {
        Found::holds()
    } else if grace.is_some() && op.done.from > since {
        healthy("had no fault for longer than that")
    } else {
        let line = op.begun.line;
        Found::unknown(format!("{node} had a fault before line {line}, and was perhaps healthy again"))
    }
}
