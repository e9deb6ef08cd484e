//! What the charts are drawn from: columns of numbers, as JSON.

use serde::Serialize;

use super::Report;
use crate::report::{Kind, Sign};

/// Whatever could end the script that the JSON is in, or begin another one, is written by its number.
pub fn json(report: &Report) -> String {
    let text = serde_json::to_string(&data(report)).unwrap_or_default();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[derive(Serialize)]
struct Data<'a> {
    first: f64,
    last: f64,
    axis: &'static str,
    is_order: bool,
    nodes: &'a [String],
    curves: Curves,
    lanes: &'a [crate::report::Lane],
    bars: Bars<'a>,
    marks: Vec<Mark<'a>>,
    latencies: Vec<Latency>,
    lateness: Vec<Late>,
    witnesses: Vec<Witness<'a>>,
}

#[derive(Serialize)]
struct Curves {
    at: Vec<f64>,
    off: Vec<Vec<Option<f64>>>,
    ppm: Vec<Vec<Option<f64>>>,
}

#[derive(Serialize)]
struct Bars<'a> {
    lane: Vec<usize>,
    from: Vec<f64>,
    until: Vec<f64>,
    kind: Vec<Kind>,
    text: Vec<&'a str>,
}

#[derive(Serialize)]
struct Mark<'a> {
    lane: usize,
    at: f64,
    sign: Sign,
    text: &'a str,
}

#[derive(Serialize)]
struct Latency {
    node: usize,
    at: f64,
    /// In nanoseconds.
    took: i64,
    pid: i32,
    change: u32,
}

#[derive(Serialize)]
struct Late {
    node: Option<usize>,
    at: f64,
    /// In nanoseconds.
    by: i64,
    fault: String,
}

#[derive(Serialize)]
struct Witness<'a> {
    check: usize,
    number: usize,
    lane: Option<usize>,
    at: f64,
    until: f64,
    text: &'a str,
}

fn data(report: &Report) -> Data<'_> {
    let axis = &report.axis;
    let node = |name: &str| report.nodes.iter().position(|node| node == name);
    let bars = &report.bars;
    let curves = &report.curves;
    let seconds = |line: &Vec<Option<f64>>| line.iter().map(|off| off.map(|off| off / 1e9)).collect();
    let lateness = report.faults.iter().flat_map(|fault| {
        let late = move |taken: &crate::report::Taken| {
            let (node, at, by) = (node(&taken.node), axis.at(taken.from), taken.late_by?);
            Some(Late { node, at, by, fault: fault.name() })
        };
        fault.taken.iter().filter_map(late).collect::<Vec<_>>()
    });
    Data {
        first: axis.at(axis.first),
        last: axis.at(axis.last),
        axis: axis.title(),
        is_order: axis.is_order_only,
        nodes: &report.nodes,
        curves: Curves {
            at: curves.at.iter().map(|at| axis.at(*at)).collect(),
            off: curves.off.iter().map(seconds).collect(),
            ppm: curves.ppm.clone(),
        },
        lanes: &report.lanes,
        bars: Bars {
            lane: bars.iter().map(|bar| bar.lane).collect(),
            from: bars.iter().map(|bar| axis.at(bar.from)).collect(),
            until: bars.iter().map(|bar| axis.at(bar.until)).collect(),
            kind: bars.iter().map(|bar| bar.kind).collect(),
            text: bars.iter().map(|bar| bar.text.as_str()).collect(),
        },
        marks: report
            .marks
            .iter()
            .filter(|mark| mark.sign != Sign::Witness)
            .map(|mark| Mark { lane: mark.lane, at: axis.at(mark.at), sign: mark.sign, text: &mark.text })
            .collect(),
        latencies: report
            .evidence
            .iter()
            .map(|each| Latency {
                node: node(&each.node).unwrap_or(0),
                at: axis.at(each.at),
                took: each.latency,
                pid: each.pid,
                change: each.change,
            })
            .collect(),
        lateness: lateness.collect(),
        witnesses: report
            .witnesses()
            .into_iter()
            .map(|witness| Witness {
                check: witness.check,
                number: witness.number,
                lane: witness.lane,
                at: axis.at(witness.seen.from_ns),
                until: axis.at(witness.seen.until_ns),
                text: &witness.seen.what,
            })
            .collect(),
    }
}
