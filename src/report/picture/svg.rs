//! As SVG: text stays text.

use plotters::prelude::{IntoDrawingArea, SVGBackend};

use super::{draw::draw, failed, size, with_font};
use crate::Result;
use crate::report::{Format, Report};

/// Scalable vector graphics.
#[derive(Clone, Copy, Debug)]
pub struct Svg;

impl Format for Svg {
    fn name(&self) -> &'static str {
        "svg"
    }

    fn write(&self, report: &Report) -> Result<Vec<u8>> {
        with_font()?;
        let mut text = String::new();
        {
            let root = SVGBackend::with_string(&mut text, size(report)).into_drawing_area();
            draw(report, &root).map_err(failed)?;
            root.present().map_err(failed)?;
        }
        Ok(text.into_bytes())
    }
}
