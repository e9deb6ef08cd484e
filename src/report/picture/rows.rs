//! The rows of the timeline.

use std::collections::BTreeMap;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::draw::{Area, Drawn, written};
use super::{BAD, DIM, FRONT, PALETTE, RULE, WIDTH, plain, seconds};
use crate::report::{Axis, Bar, Kind, Report, Sign};

type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// No label is longer, in characters.
const LONGEST: usize = 20;

#[expect(clippy::cast_precision_loss, reason = "for drawing")]
pub fn draw<B: DrawingBackend>(report: &Report, area: &Area<'_, B>) -> Drawn<B> {
    if report.lanes.is_empty() {
        return Ok(());
    }
    let axis = &report.axis;
    let rows = report.lanes.len() as f64;
    // The first row is on top, and its middle is a whole number.
    let height = |lane: usize| rows - 1.0 - lane as f64;
    let middles: Vec<f64> = (0..report.lanes.len()).map(height).collect();
    let label = |row: &f64| {
        let lane = middles.iter().position(|middle| (middle - row).abs() < 0.25);
        lane.map_or_else(String::new, |lane| short(&report.lanes[lane].label))
    };
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(170)
        .build_cartesian_2d(axis.at(axis.first)..axis.at(axis.last), -0.5..rows - 0.5)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RULE.mix(0.6))
        .axis_style(RULE)
        .label_style(written(13, DIM))
        .x_desc(axis.title())
        .y_labels(2 * report.lanes.len() + 2)
        .y_label_formatter(&label)
        .x_label_formatter(&|at| if axis.is_order_only { format!("{at:.0}") } else { seconds(*at) })
        .draw()?;
    let mut drawn = BTreeMap::new();
    for bar in report.bars.iter().filter(|bar| is_seen(&mut drawn, bar, axis)) {
        let colour = PALETTE[report.lanes[bar.lane].colour % PALETTE.len()];
        let (from, until, middle) = (axis.at(bar.from), axis.at(bar.until), height(bar.lane));
        let (above, below) = reach(bar);
        let corners = [(from, middle + above), (until, middle - below)];
        let (fill, outline) = filled(bar.kind);
        chart.draw_series([Rectangle::new(corners, colour.mix(fill).filled())])?;
        // A bar that is narrower than a pixel is a line.
        chart.draw_series([Rectangle::new(corners, colour.mix(outline))])?;
    }
    for mark in report.marks.iter().filter(|mark| mark.sign != Sign::Witness) {
        let at = (axis.at(mark.at), height(mark.lane));
        let element = match mark.sign {
            Sign::Applied => TriangleMarker::new(at, 5, FRONT.filled()).into_dyn(),
            Sign::Planned => Circle::new(at, 4, FRONT.stroke_width(1)).into_dyn(),
            Sign::Died | Sign::Failed | Sign::Killed => Cross::new(at, 5, BAD.stroke_width(2)).into_dyn(),
            Sign::Started | Sign::Ended | Sign::Witness => Circle::new(at, 2, FRONT.filled()).into_dyn(),
        };
        chart.draw_series([element])?;
    }
    witnesses(report, &mut chart)
}

/// A line at each operation of a violation, and its number in its row; those that would cover each other, side by side.
#[expect(clippy::cast_precision_loss, reason = "for drawing")]
fn witnesses<B: DrawingBackend>(report: &Report, chart: &mut Chart<'_, B>) -> Drawn<B> {
    let (axis, rows) = (&report.axis, report.lanes.len() as f64);
    let mut taken: BTreeMap<usize, i32> = BTreeMap::new();
    let mut witnesses = report.witnesses();
    witnesses.sort_by_key(|witness| witness.seen.from_ns);
    for witness in witnesses {
        let at = axis.at(witness.seen.from_ns);
        chart.draw_series([PathElement::new([(at, -0.5), (at, rows - 0.5)], BAD)])?;
        let lane = witness.lane.unwrap_or(0);
        let place = (at, rows - 1.0 - lane as f64);
        let left = chart.backend_coord(&place).0;
        let shift = taken.get(&lane).map_or(0, |end| (end - left).max(0));
        taken.insert(lane, left + shift + 30);
        let corners = [(shift - 2, -9), (shift + 26, 9)];
        chart.draw_series([EmptyElement::at(place)
            + Rectangle::new(corners, WHITE.filled())
            + Rectangle::new(corners, BAD)
            + Text::new(
                format!("{}.{}", witness.check, witness.number),
                (shift + 1, -7),
                written(13, BAD),
            )])?;
    }
    Ok(())
}

/// Whether a bar is not hidden by one of its kind: bars of a kind are in order.
fn is_seen(drawn: &mut BTreeMap<(usize, Kind), usize>, bar: &Bar, axis: &Axis) -> bool {
    let pixels = WIDTH as usize;
    let (from, until) = (axis.part(bar.from, pixels), axis.part(bar.until, pixels));
    let last = drawn.entry((bar.lane, bar.kind)).or_insert(usize::MAX);
    let is_seen = *last == usize::MAX || from > *last || until > *last;
    *last = if is_seen { until } else { *last };
    is_seen
}

/// How far above and below the middle of its row a bar reaches.
fn reach(bar: &Bar) -> (f64, f64) {
    match bar.kind {
        Kind::Clock => (0.42, -0.12),
        Kind::Frozen | Kind::Held => (0.45, 0.45),
        Kind::Lease | Kind::MaybeLease => (0.3, 0.3),
        Kind::Leader | Kind::Many => (0.25, 0.25),
        Kind::Ok | Kind::Fail | Kind::Unknown => (0.2, 0.2),
    }
}

/// How full its inside and its outline are: what is sure is full.
fn filled(kind: Kind) -> (f64, f64) {
    match kind {
        Kind::Lease | Kind::Leader | Kind::Ok => (0.9, 0.9),
        Kind::Clock => (0.3, 1.0),
        Kind::Frozen | Kind::Held => (0.25, 1.0),
        Kind::Many => (0.5, 0.5),
        Kind::MaybeLease => (0.12, 0.8),
        Kind::Fail | Kind::Unknown => (0.0, 1.0),
    }
}

fn short(label: &str) -> String {
    let label = plain(label);
    if label.chars().count() <= LONGEST {
        return label;
    }
    label.chars().take(LONGEST - 1).chain(['…']).collect()
}
