//! The report as a picture: verdicts, what the clocks were off by and their rates, and the rows of the timeline.
//!
//! One drawing for all backends of the charting library, with a font that is part of the program: the same history is the same
//! picture on every machine.
//!
//! What must hold: nothing is told by colour alone: lines have dashes and shapes, bars have outlines or none, witnesses have numbers.

mod curves;
mod draw;
mod png;
mod rows;
mod svg;

pub use png::Png;
pub use svg::Svg;

use std::sync::OnceLock;

use plotters::style::{FontStyle, RGBColor, register_font};

use super::Report;
use crate::error::{Error, Result};
use crate::history::Check;

/// The palette of M. Okabe and K. Ito, which people see apart whatever colours they see.
const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(27, 31, 36),
    RGBColor(184, 174, 0),
];
const BAD: RGBColor = RGBColor(192, 74, 0);
const FRONT: RGBColor = RGBColor(27, 31, 36);
const DIM: RGBColor = RGBColor(87, 96, 106);
const RULE: RGBColor = RGBColor(208, 215, 222);

const FONT: &str = "falseticker";

/// How wide it is, in pixels.
const WIDTH: u32 = 1_600;
const OFFSETS: u32 = 380;
const RATES: u32 = 240;
const ROW: u32 = 26;
const LINE: u32 = 22;
/// What a chart takes beside its rows: its axis and margins.
const AROUND: u32 = 70;

/// How large all of it is.
fn size(report: &Report) -> (u32, u32) {
    (WIDTH, words(report) + offsets(report) + rates(report) + rows(report))
}

fn offsets(report: &Report) -> u32 {
    if report.curves.at.is_empty() { 0 } else { OFFSETS }
}

/// Nothing where all clocks run at the machine's rate: what they are off by shows that too.
fn rates(report: &Report) -> u32 {
    if report.curves.has_rates() { RATES } else { 0 }
}

fn rows(report: &Report) -> u32 {
    let rows = u32::try_from(report.lanes.len()).unwrap_or(u32::MAX);
    if rows == 0 { 0 } else { rows.saturating_mul(ROW).saturating_add(AROUND).min(20_000) }
}

/// How much of it the title and the verdicts take.
fn words(report: &Report) -> u32 {
    let lines: usize = report.checks.iter().map(|check| lines(check).len()).sum();
    60 + LINE * u32::try_from(lines).unwrap_or(u32::MAX / LINE - 60)
}

/// A verdict, why, and how its witnesses are called.
fn lines(check: &Check) -> Vec<String> {
    let first = format!("{}: {}", check.check, check.verdict.word());
    std::iter::once(first).chain(check.why.iter().map(|why| format!("    {why}"))).collect()
}

/// Makes the font known to the library, once.
fn with_font() -> Result<()> {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    let is_known =
        KNOWN.get_or_init(|| register_font(FONT, FontStyle::Normal, dejavu::sans_mono::regular()).is_ok());
    let refused = || Error::not_applied("draw the report", "the font cannot be read");
    if *is_known { Ok(()) } else { Err(refused()) }
}

fn failed(why: impl std::fmt::Display) -> Error {
    Error::not_applied("draw the report", why)
}

/// A text of the history, without what no picture may hold.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// Seconds, to what fits beside an axis.
fn seconds(value: f64) -> String {
    let size = value.abs();
    let (scale, unit) = match size {
        _ if size < 1e-12 => return "0".to_owned(),
        _ if size < 1e-6 => (1e9, "ns"),
        _ if size < 1e-3 => (1e6, "µs"),
        _ if size < 1.0 => (1e3, "ms"),
        _ => (1.0, "s"),
    };
    let text = format!("{:.3}", value * scale);
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}
