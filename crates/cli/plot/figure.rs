//! A figure: collects shapes and writes them to files.

use std::path::{Path, PathBuf};

use super::shapes::{Anchor, Drawing, Rgb, Shape};
use super::{png, svg};
use crate::output_file;

/// A drawing on a white background.
#[derive(Debug, Clone)]
pub struct Figure(Drawing);

impl Figure {
    /// An empty drawing of this size in pixels.
    pub fn new(width: usize, height: usize) -> Self {
        Self(Drawing { width, height, shapes: Vec::new() })
    }

    /// Adds a filled rectangle.
    pub fn rect(&mut self, at: (f64, f64), size: (f64, f64), fill: Rgb) {
        self.0.shapes.push(Shape::Rect { at, size, fill });
    }

    /// Adds a line through points.
    pub fn line(&mut self, points: Vec<(f64, f64)>, colour: Rgb, width: f64) {
        self.0.shapes.push(Shape::Line { points, colour, width });
    }

    /// Adds a text; `at` is on its baseline.
    pub fn text(&mut self, at: (f64, f64), text: impl Into<String>, size: f64, anchor: Anchor, colour: Rgb) {
        let upward = false;
        self.0.shapes.push(Shape::Text { at, text: text.into(), size, anchor, colour, upward });
    }

    /// Adds a text that runs upward from `at`.
    pub fn text_upward(&mut self, at: (f64, f64), text: impl Into<String>, size: f64, colour: Rgb) {
        let (text, anchor, upward) = (text.into(), Anchor::Start, true);
        self.0.shapes.push(Shape::Text { at, text, size, anchor, colour, upward });
    }

    /// Adds a small image, each pixel drawn `scale` pixels wide.
    pub fn image(&mut self, at: (f64, f64), scale: f64, width: usize, pixels: Vec<Rgb>) {
        self.0.shapes.push(Shape::Image { at, scale, width, pixels });
    }

    /// The drawing as an SVG document.
    pub fn svg(&self) -> String {
        svg::write(&self.0)
    }

    /// The drawing as PNG data.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        png::paint(&self.0)
    }

    /// Saves `folder/name.svg` and `folder/name.png`, and returns their paths.
    pub fn save(&self, folder: &Path, name: &str) -> anyhow::Result<[PathBuf; 2]> {
        let [svg, png] = ["svg", "png"].map(|ending| folder.join(format!("{name}.{ending}")));
        self.save_svg(&svg)?;
        let bytes = png::paint(&self.0)?;
        output_file::write_bytes(&png, &bytes)?;
        Ok([svg, png])
    }

    /// Saves the drawing as SVG.
    pub fn save_svg(&self, file: &Path) -> anyhow::Result<()> {
        output_file::write_bytes(file, svg::write(&self.0).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::plot::{BLACK, WHITE};

    #[test]
    fn a_figure_is_written_in_both_formats() {
        let mut figure = Figure::new(60, 40);
        figure.rect((0.0, 0.0), (30.0, 40.0), [10, 20, 30]);
        figure.text((40.0, 20.0), "a < b & c", 8.0, Anchor::Middle, BLACK);
        figure.image((50.0, 30.0), 2.0, 2, vec![WHITE, [255, 0, 0]]);
        let dir = tempfile::tempdir().unwrap();
        let [svg, png] = figure.save(dir.path(), "test").unwrap();
        let svg = std::fs::read_to_string(svg).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("a &lt; b &amp; c") && svg.ends_with("</svg>\n"));
        let png = image::open(png).unwrap().into_rgb8();
        assert_eq!(png.dimensions(), (120, 80), "two pixels for one");
        assert_eq!(png.get_pixel(10, 10).0, [10, 20, 30]);
        assert_eq!(png.get_pixel(106, 62).0, [255, 0, 0]);
        let dark = (62..119).any(|x| (20..50).any(|y| png.get_pixel(x, y).0[0] < 100));
        assert!(dark, "the text is painted");
    }

    #[test]
    fn the_error_names_a_missing_folder() {
        let error = Figure::new(1, 1).save(Path::new("/nowhere/x"), "a").unwrap_err().to_string();
        assert!(error.contains("/nowhere/x/a.svg"), "{error}");
    }
}
