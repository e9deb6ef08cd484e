//! How far each node's wall clock was from true, and its rate: a line for each node, told apart by colour, dashes and shapes.

use plotters::prelude::*;
use plotters::style::text_anchor::Pos;

use super::draw::{Area, Drawn, written};
use super::{BAD, DIM, FRONT, PALETTE, RULE, plain, seconds};
use crate::report::{Axis, How, Report};

/// Values over the report's axis.
struct Curves<'a> {
    caption: &'a str,
    /// Of each node its points, in seconds and in what the height stands for.
    lines: Vec<Vec<(f64, f64)>>,
    low: f64,
    high: f64,
    /// What stands beside a height.
    told: &'a dyn Fn(&f64) -> String,
}

pub fn draw<B: DrawingBackend>(report: &Report, offsets: &Area<'_, B>, rates: &Area<'_, B>) -> Drawn<B> {
    let (axis, curves) = (&report.axis, &report.curves);
    if !curves.at.is_empty() {
        let lines: Vec<_> =
            curves.off.iter().map(|line| points(axis, &curves.at, line, |off| off / 1e9)).collect();
        let (low, high) = bounds(&lines);
        let caption = "how far each node's wall clock was from true";
        let told = |off: &f64| seconds(*off);
        Curves { caption, lines, low, high, told: &told }.draw(report, offsets)?;
    }
    if curves.has_rates() {
        let lines: Vec<_> =
            curves.ppm.iter().map(|line| steps(&points(axis, &curves.at, line, height))).collect();
        let (low, high) = bounds(&lines);
        let caption = "its rate: by how much it was too fast";
        Curves { caption, lines, low: low.floor(), high: high.ceil(), told: &rate }.draw(report, rates)?;
    }
    Ok(())
}

fn points(axis: &Axis, at: &[i64], values: &[Option<f64>], height: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let line = at.iter().zip(values);
    line.filter_map(|(at, value)| Some((axis.at(*at), height((*value)?)))).collect()
}

/// A line that keeps each value until the next one.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let corners = points.windows(2).map(|pair| (pair[1].0, pair[0].1));
    let mut all: Vec<(f64, f64)> =
        points.iter().copied().zip(corners).flat_map(|(one, two)| [one, two]).collect();
    all.extend(points.last());
    all
}

/// Rates are between parts of a million and standstill: in proportion up to 1 ppm, and by their order from there.
fn height(ppm: f64) -> f64 {
    let size = ppm.abs();
    if size < 1.0 { ppm } else { (1.0 + size.log10()).copysign(ppm) }
}

/// What a whole height stands for.
fn rate(height: &f64) -> String {
    if (height - height.round()).abs() > 1e-9 {
        return String::new();
    }
    let ppm = if height.abs() < 0.5 { 0.0 } else { 10_f64.powf(height.abs() - 1.0).copysign(*height) };
    if ppm.abs() < 1e4 { format!("{ppm:.0} ppm") } else { format!("{:.0} %", ppm / 1e4) }
}

impl Curves<'_> {
    fn draw<B: DrawingBackend>(self, report: &Report, area: &Area<'_, B>) -> Drawn<B> {
        let Curves { caption, lines, low, high, told } = self;
        let axis = &report.axis;
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .caption(caption, written(15, FRONT))
            .x_label_area_size(44)
            .y_label_area_size(170)
            .build_cartesian_2d(axis.at(axis.first)..axis.at(axis.last), low..high)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(RULE)
            .axis_style(RULE)
            .label_style(written(13, DIM))
            .x_desc(axis.title())
            .y_label_formatter(told)
            .x_label_formatter(&|at| if axis.is_order_only { format!("{at:.0}") } else { seconds(*at) })
            .draw()?;
        for (node, name) in report.nodes.iter().enumerate() {
            let colour = PALETTE[node % PALETTE.len()];
            let frozen = report.faults.iter().flat_map(|fault| &fault.taken);
            for taken in frozen.filter(|taken| taken.how == How::Frozen && taken.node == *name) {
                let (from, until) = (axis.at(taken.from), axis.at(taken.until.unwrap_or(axis.last)));
                chart.draw_series([
                    Rectangle::new([(from, low), (until, high)], colour.mix(0.12).filled()),
                    Rectangle::new([(from, low), (until, high)], colour.mix(0.6)),
                ])?;
            }
        }
        for (node, (name, points)) in report.nodes.iter().zip(lines).enumerate() {
            let colour = PALETTE[node % PALETTE.len()];
            let (size, gap) = dash(node);
            let style = colour.stroke_width(2);
            let shapes = along(&points, node, report.nodes.len(), axis.at(axis.last) - axis.at(axis.first));
            chart.draw_series(DashedLineSeries::new(points, size, gap, style))?;
            chart
                .draw_series(shapes.into_iter().map(|at| shape(node, at, colour)))?
                .label(plain(name))
                .legend(move |(x, y)| shape(node, (x + 10, y), colour));
        }
        let witnesses = report.witnesses();
        chart.draw_series(witnesses.iter().map(|witness| {
            let at = axis.at(witness.seen.from_ns);
            PathElement::new([(at, low), (at, high)], BAD)
        }))?;
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(written(14, FRONT).pos(Pos::default()))
            .background_style(WHITE.mix(0.85))
            .border_style(RULE)
            .draw()
    }
}

/// What a curve is drawn with.
fn dash(node: usize) -> (u32, u32) {
    [(12, 0), (9, 4), (2, 3), (14, 6), (5, 2), (18, 5), (3, 6)][(node + node / PALETTE.len()) % 7]
}

/// From the lowest to the highest, and some room.
fn bounds(lines: &[Vec<(f64, f64)>]) -> (f64, f64) {
    let values = lines.iter().flatten().map(|(_, value)| *value);
    let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    // Clocks that are true all the time are seen on a millisecond, not on nothing.
    let room = if high - low < 1e-9 { 1e-3 } else { (high - low) * 0.08 };
    (low - room, high + room)
}

/// Some points of a line, each node's somewhere else.
#[expect(clippy::cast_precision_loss, reason = "for drawing")]
fn along(points: &[(f64, f64)], node: usize, nodes: usize, length: f64) -> Vec<(f64, f64)> {
    let step = length / 9.0;
    let Some((first, last)) = points.first().zip(points.last()) else { return Vec::new() };
    let begin = first.0 + step * (node as f64 + 0.5) / nodes as f64;
    let all = (0..10).map(|index| begin + step * f64::from(index)).filter(|at| *at <= last.0);
    all.filter_map(|at| {
        let after = points.partition_point(|point| point.0 < at);
        let (one, two) = (points.get(after.checked_sub(1)?)?, points.get(after)?);
        let share = (at - one.0) / (two.0 - one.0).max(f64::MIN_POSITIVE);
        Some((at, one.1 + (two.1 - one.1) * share))
    })
    .collect()
}

/// A node's shape.
fn shape<B: DrawingBackend, C: Clone + 'static>(
    node: usize,
    at: C,
    colour: RGBColor,
) -> DynElement<'static, B, C> {
    let fill = colour.filled();
    let outline = colour.stroke_width(2);
    match node % 5 {
        0 => Circle::new(at, 5, fill).into_dyn(),
        1 => TriangleMarker::new(at, 7, fill).into_dyn(),
        2 => Cross::new(at, 5, outline).into_dyn(),
        3 => Circle::new(at, 5, outline).into_dyn(),
        _ => TriangleMarker::new(at, 7, outline).into_dyn(),
    }
}
