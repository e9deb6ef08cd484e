//! Verdicts; `curves` and `rows` have the rest.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::TextStyle;

use super::{BAD, DIM, FONT, FRONT, LINE, lines, offsets, plain, rates, words};
use crate::history::Verdict;
use crate::report::Report;

pub type Area<'a, B> = DrawingArea<B, Shift>;
pub type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

pub fn draw<B: DrawingBackend>(report: &Report, root: &Area<'_, B>) -> Drawn<B> {
    root.fill(&WHITE)?;
    let (head, rest) = root.split_vertically(words(report));
    verdicts(report, &head)?;
    let (offsets, rest) = rest.split_vertically(offsets(report));
    let (rates, lanes) = rest.split_vertically(rates(report));
    super::curves::draw(report, &offsets, &rates)?;
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
