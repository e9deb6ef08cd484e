//! The parts of the page that are words: verdicts, faults, evidence, nodes.

use maud::{Markup, html};

use super::{Report, sign, word};
use crate::Span;
use crate::history::Check;
use crate::report::{Fault, How, Kind, Sign, Taken};
use crate::units::format_span;

/// The verdicts, the worst first, with the operations that show them.
pub fn verdicts(report: &Report) -> Markup {
    html! {
        section id="verdicts" aria-labelledby="verdicts-title" {
            h2 id="verdicts-title" { "Verdicts" }
            @if report.checks.is_empty() { p { "Nothing was judged." } }
            @for (index, check) in report.checks.iter().enumerate() { (verdict(report, index + 1, check)) }
        }
    }
}

fn verdict(report: &Report, number: usize, check: &Check) -> Markup {
    html! {
        article class={ "verdict " (word(check.verdict)) } id={ "v" (number) } data-check=(check.check) {
            h3 {
                span.sign aria-hidden="true" { (sign(check.verdict)) } " "
                (check.check) ": " strong { (word(check.verdict)) }
            }
            @for why in &check.why { p { (why) } }
            @if !check.witness.is_empty() {
                ol.witness aria-label={ "The operations that show it, by true instants" } {
                    @for (index, seen) in check.witness.iter().enumerate() {
                        @let name = format!("{number}-{}", index + 1);
                        li id={ "w" (name) } {
                            a.number href={ "#m" (name) } data-check=(number) { (number) "." (index + 1) } " "
                            span.when { (report.axis.between(seen.from_ns, seen.until_ns)) } " "
                            span.what { (seen.what) } " "
                            span.line { "line " (seen.line) }
                        }
                    }
                }
            }
        }
    }
}

/// Every fault: planned against applied, and who has read it.
pub fn faults(report: &Report) -> Markup {
    html! {
        section id="faults" aria-labelledby="faults-title" {
            h2 id="faults-title" { "Faults, planned against applied" }
            @if report.faults.is_empty() { p { "The history has none." } } @else {
                div.scroll role="region" tabindex="0" aria-labelledby="faults-title" {
                    table {
                        thead { tr {
                            @for name in ["Fault", "Node", "What", "Planned", "Applied", "Late by", "Until", "Evidence"] {
                                th scope="col" { (name) }
                            }
                        } }
                        tbody { @for (index, each) in report.faults.iter().enumerate() { (fault(report, index, each)) } }
                    }
                }
            }
        }
    }
}

fn fault(report: &Report, index: usize, fault: &Fault) -> Markup {
    let axis = &report.axis;
    let first = fault.taken.first();
    let until = fault.taken.iter().filter_map(|taken| taken.until).max();
    let shown = first.map(|taken| (axis.at(taken.from), axis.at(until.unwrap_or(taken.from))));
    let late = fault.taken.iter().filter_map(|taken| taken.late_by).max();
    html! {
        tr id=(fault.id.map_or_else(|| format!("heal-{index}"), |id| format!("fault-{id}"))) {
            th scope="row" {
                @match shown {
                    Some((from, until)) => a href="#timeline" data-from=(from) data-until=(until) { (fault.name()) },
                    None => (fault.name()),
                }
            }
            td { (fault.node) }
            td { (fault.what) @if fault.optional { " (optional)" } }
            td { @match (fault.planned, &fault.awaited) {
                (Some(at), _) => (axis.told(at)),
                (None, Some(awaited)) => { "after " (awaited) },
                (None, None) => {},
            } }
            td { @match (first, &fault.failed) {
                (Some(taken), _) => { (axis.told(taken.from)) @if fault.taken.len() > 1 { ", " (fault.taken.len()) " times" } },
                (None, Some(why)) => { strong { "✖ failed" } ": " (why) },
                (None, None) => { strong { "✖ not applied" } },
            } }
            td { @if let Some(late) = late { (near(late)) } }
            td { @if let Some(until) = until { (axis.told(until)) } }
            td { (evidence_of(fault, first)) }
        }
    }
}

fn evidence_of(fault: &Fault, first: Option<&Taken>) -> String {
    match (fault.latency, first.map(|taken| taken.how)) {
        (Some((least, most)), _) if least == most => format!("read after {}", near(least)),
        (Some((least, most)), _) => {
            format!("read by {}, after {} to {}", processes(fault.readers.len()), near(least), near(most))
        }
        (None, Some(How::Clock)) => "nobody has read it".to_owned(),
        (None, Some(_)) => fault.taken.last().map_or_else(String::new, |taken| taken.what.clone()),
        (None, None) => String::new(),
    }
}

/// A length to the microsecond: nobody compares them any closer.
fn near(nanos: i64) -> String {
    let unit = if nanos.abs() < 10_000 { 1 } else { 1_000 };
    format_span(Span::from_nanos(nanos / unit * unit))
}

fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

/// How soon changes were read.
pub fn evidence(report: &Report) -> Markup {
    html! {
        section id="evidence" aria-labelledby="evidence-title" {
            h2 id="evidence-title" { "Evidence: how soon a change was read" }
            @if report.soon.is_empty() { p { "The history has none." } } @else {
                div.scroll role="region" tabindex="0" aria-labelledby="evidence-title" {
                    table {
                        thead { tr {
                            @for name in ["Node", "First reads", "Least", "Median", "Nine of ten within", "Greatest"] {
                                th scope="col" { (name) }
                            }
                        } }
                        tbody { @for soon in &report.soon { tr {
                            th scope="row" { (soon.node) }
                            td { (soon.count) }
                            @for latency in soon.latencies { td { (near(latency)) } }
                        } } }
                    }
                }
            }
        }
    }
}

/// The nodes: what runs in them, what was done to them.
pub fn nodes(report: &Report) -> Markup {
    let command = |name: &str| {
        let header = report.header.iter().flat_map(|header| &header.nodes);
        header.filter(|node| node.name == name).map(|node| node.command.join(" ")).next().unwrap_or_default()
    };
    html! {
        section id="nodes" aria-labelledby="nodes-title" {
            h2 id="nodes-title" { "Nodes" }
            @if report.nodes.is_empty() { p { "The history names none." } } @else {
                div.scroll role="region" tabindex="0" aria-labelledby="nodes-title" {
                    table {
                        thead { tr { @for name in ["Node", "Command", "Faults", "Stood still"] { th scope="col" { (name) } } } }
                        tbody { @for name in &report.nodes { tr data-node=(name) {
                            th scope="row" { (name) }
                            td { code { (command(name)) } }
                            td { (report.faults.iter().filter(|fault| fault.node == *name && fault.id.is_some()).count()) }
                            td { (near(stood_still(report, name))) }
                        } } }
                    }
                }
            }
        }
    }
}

fn stood_still(report: &Report, name: &str) -> i64 {
    let taken = report.faults.iter().flat_map(|fault| &fault.taken);
    let frozen = taken.filter(|taken| taken.how == How::Frozen && taken.node == name);
    frozen.map(|taken| taken.until.unwrap_or(report.axis.last).saturating_sub(taken.from)).sum()
}

/// What the bars and marks of the timeline mean, as far as they occur.
pub fn key(report: &Report) -> Markup {
    let kinds = [
        (Kind::Clock, "clock", "clock fault in force"),
        (Kind::Frozen, "frozen", "stands still"),
        (Kind::Held, "held", "a thread held"),
        (Kind::Lease, "lease", "lease surely held"),
        (Kind::MaybeLease, "maybe-lease", "lease perhaps held"),
        (Kind::Leader, "leader", "leader, term"),
        (Kind::Ok, "ok", "operation done"),
        (Kind::Fail, "fail", "not done"),
        (Kind::Unknown, "unknown", "nobody knows"),
        (Kind::Many, "many", "many operations"),
    ];
    let signs = [
        (Sign::Planned, "▽", "planned"),
        (Sign::Applied, "▼", "applied"),
        (Sign::Failed, "⊘", "could not be applied"),
        (Sign::Started, "▷", "started"),
        (Sign::Ended, "◻", "ended"),
        (Sign::Died, "✖", "ended unexpectedly"),
        (Sign::Killed, "✚", "killed"),
    ];
    html! {
        ul.key aria-label="What bars and marks mean" {
            @for (_, class, name) in kinds.iter().filter(|(kind, ..)| report.bars.iter().any(|bar| bar.kind == *kind)) {
                li { span.swatch data-kind=(class) aria-hidden="true" {} " " (name) }
            }
            @for (_, sign, name) in signs.iter().filter(|(sign, ..)| report.marks.iter().any(|mark| mark.sign == *sign)) {
                li { span aria-hidden="true" { (sign) } " " (name) }
            }
            @if report.checks.iter().any(|check| !check.witness.is_empty()) {
                li { span.number aria-hidden="true" { "1.1" } " operation of a violation" }
            }
        }
    }
}
