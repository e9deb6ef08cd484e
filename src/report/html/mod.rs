//! The report as one HTML file.
//!
//! What must hold: text of the history reaches the page through `maud`, which escapes it, or as JSON without `<`, `>` and `&`; the
//! page's own policy allows the two scripts and the one style that are in it, by their digests, and no network at all.

mod data;
mod tables;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::{Format, Report};
use crate::Result;
use crate::history::Verdict;

/// uPlot, as npm has it: see `vendor/README.md`.
const LIBRARY: &str = include_str!("../vendor/uPlot.iife.min.js");
const LIBRARY_STYLE: &str = include_str!("../vendor/uPlot.min.css");

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = concat!(
    "\"use strict\";\n{\n",
    include_str!("base.js"),
    include_str!("curves.js"),
    include_str!("lanes.js"),
    include_str!("latencies.js"),
    include_str!("witnesses.js"),
    include_str!("main.js"),
    "}\n"
);

/// One HTML file.
#[derive(Clone, Copy, Debug)]
pub struct Html;

impl Format for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn write(&self, report: &Report) -> Result<Vec<u8>> {
        Ok(page(report).into_string().into_bytes())
    }
}

/// What the page may do: run what is in it, and nothing else.
fn policy(style: &str) -> String {
    let digest = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; script-src {} {}; style-src {}; base-uri 'none'; form-action 'none'",
        digest(LIBRARY),
        digest(SCRIPT),
        digest(style)
    )
}

fn page(report: &Report) -> Markup {
    let style = format!("{LIBRARY_STYLE}\n{STYLE}");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(&style));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!("falseticker ", env!("CARGO_PKG_VERSION")));
                title { (word(report.worst())) ": " (report.title) }
                style { (PreEscaped(style)) }
            }
            body {
                (head(report))
                main {
                    (tables::verdicts(report))
                    (timeline(report))
                    (tables::faults(report))
                    (tables::evidence(report))
                    (tables::nodes(report))
                }
                script type="application/json" id="data" { (PreEscaped(data::json(report))) }
                script { (PreEscaped(LIBRARY)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

fn head(report: &Report) -> Markup {
    html! {
        header {
            h1 { (report.title) }
            p.facts {
                @if let Some(header) = &report.header {
                    span { "seed " (header.seed) } " "
                    span { "played " time datetime=(header.started) { (header.started) } } " "
                }
                span { (report.nodes.len()) " nodes" } " "
                span { (report.counts.0) " lines" } " "
                span { (report.counts.1) " operations" }
            }
            @for note in &report.notes { p.note { (note) } }
            nav aria-label="Parts" {
                @for (id, name) in [("verdicts", "Verdicts"), ("timeline", "Timeline"), ("faults", "Faults"),
                    ("evidence", "Evidence"), ("nodes", "Nodes")] { a href={ "#" (id) } { (name) } " " }
            }
        }
    }
}

/// The charts are drawn by the script into these places.
fn timeline(report: &Report) -> Markup {
    let charts = [
        (
            "offset",
            "How far each node's wall clock was from true; hatched: the node stood still",
            !report.curves.at.is_empty(),
        ),
        ("rate", "How much faster than true it ran, in parts per million", !report.curves.at.is_empty()),
        ("lanes", "Faults, pauses, leases, leaders and operations", !report.lanes.is_empty()),
        ("latencies", "How soon a change was read, and how late a fault was", !report.evidence.is_empty()),
    ];
    html! {
        section id="timeline" aria-labelledby="timeline-title" {
            h2 id="timeline-title" { "Timeline" }
            div.tools role="toolbar" aria-label="What is shown of the timeline" {
                @for (does, sign, name) in [("in", "+", "Zoom in"), ("out", "−", "Zoom out"), ("earlier", "←", "Earlier"),
                    ("later", "→", "Later"), ("all", "↔", "Whole time")] {
                    button type="button" data-zoom=(does) aria-label=(name) title=(name) { (sign) }
                }
                output id="shown" aria-live="polite" {}
            }
            p.hint { "Drag over a chart to zoom, double-click for the whole time; keys + − ← → 0 on a chart." }
            noscript { p.note { "The charts need scripts; everything else on this page does not." } }
            p.note id="broken" hidden { "The charts could not be drawn: " span {} }
            @for (id, name, is_there) in charts {
                @if is_there {
                    figure id=(id) {
                        figcaption id={ (id) "-name" } { (name) }
                        @if id == "lanes" { (tables::key(report)) }
                        div.plot role="group" tabindex="0" aria-labelledby={ (id) "-name" } {}
                    }
                }
            }
            div id="hover" role="status" hidden {}
        }
    }
}

/// A verdict in a word, and its sign.
fn word(verdict: Verdict) -> &'static str {
    verdict.word()
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "✔",
        Verdict::Unknown => "?",
        Verdict::Violated => "✖",
    }
}
