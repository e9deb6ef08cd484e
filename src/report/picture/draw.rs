//! Verdicts, then the curves; `rows` has the rest.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{TextStyle, text_anchor::Pos};

use super::{BAD, CURVES, DIM, FONT, FRONT, LINE, PALETTE, RULE, lines, plain, seconds, words};
use crate::history::Verdict;
use crate::report::{How, Report};

pub type Area<'a, B> = DrawingArea<B, Shift>;
pub type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

pub fn draw<B: DrawingBackend>(report: &Report, root: &Area<'_, B>) -> Drawn<B> {
    root.fill(&WHITE)?;
    let (head, rest) = root.split_vertically(words(report));
    verdicts(report, &head)?;
    if report.curves.at.is_empty() {
        return super::rows::draw(report, &rest);
    }
    let (curves, lanes) = rest.split_vertically(CURVES);
    offsets(report, &curves)?;
    super::rows::draw(report, &lanes)
}

/// A style of text.
pub fn written(size: u32, colour: RGBColor) -> TextStyle<'static> {
    let mut style = TextStyle::from((FONT, size).into_font());
    style.color = colour.to_backend_color();
    style
}

fn verdicts<B: DrawingBackend>(report: &Report, area: &Area<'_, B>) -> Drawn<B> {
    area.draw_text(&plain(&report.title), &written(24, FRONT), (20, 16))?;
    let mut y = 52;
    for (index, check) in report.checks.iter().enumerate() {
        let colour = if check.verdict == Verdict::Violated { BAD } else { FRONT };
        for (line, text) in lines(check).iter().enumerate() {
            let (colour, number) =
                if line == 0 { (colour, format!("{}. ", index + 1)) } else { (DIM, String::new()) };
            area.draw_text(&plain(&(number + text)), &written(15, colour), (20, y))?;
            y += LINE.cast_signed();
        }
    }
    Ok(())
}

/// What a curve is drawn with.
fn dash(node: usize) -> (u32, u32) {
    [(12, 0), (9, 4), (2, 3), (14, 6), (5, 2), (18, 5), (3, 6)][(node + node / PALETTE.len()) % 7]
}

fn offsets<B: DrawingBackend>(report: &Report, area: &Area<'_, B>) -> Drawn<B> {
    let axis = &report.axis;
    let at: Vec<f64> = report.curves.at.iter().map(|at| axis.at(*at)).collect();
    let (low, high) = bounds(report.curves.off.iter().flatten().flatten().map(|off| off / 1e9));
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption("how far each node's wall clock was from true", written(15, FRONT))
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
        .y_label_formatter(&|off| seconds(*off))
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
    for (node, name) in report.nodes.iter().enumerate() {
        let colour = PALETTE[node % PALETTE.len()];
        let line = at.iter().zip(&report.curves.off[node]);
        let points: Vec<(f64, f64)> = line.filter_map(|(at, off)| Some((*at, (*off)? / 1e9))).collect();
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

/// From the lowest to the highest, and some room.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
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
