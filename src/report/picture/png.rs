//! As PNG.

use plotters::prelude::{BitMapBackend, IntoDrawingArea};

use super::{draw::draw, failed, size, with_font};
use crate::Result;
use crate::report::{Format, Report};

/// Portable network graphics.
#[derive(Clone, Copy, Debug)]
pub struct Png;

impl Format for Png {
    fn name(&self) -> &'static str {
        "png"
    }

    fn write(&self, report: &Report) -> Result<Vec<u8>> {
        with_font()?;
        let (width, height) = size(report);
        let mut pixels = vec![0; 3 * width as usize * height as usize];
        {
            let root = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
            draw(report, &root).map_err(failed)?;
            root.present().map_err(failed)?;
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}
