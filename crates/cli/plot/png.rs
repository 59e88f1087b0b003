//! Renders a figure as PNG, at twice its size to stay sharp.

use super::font;
use super::shapes::{Anchor, Drawing, Rgb, Shape};

/// Image pixels per figure pixel.
const ZOOM: f64 = 2.0;

/// The figure as PNG data.
pub(super) fn paint(figure: &Drawing) -> anyhow::Result<Vec<u8>> {
    let size = |side: usize| (side as f64 * ZOOM) as usize;
    let mut canvas = Canvas::white(size(figure.width), size(figure.height));
    for shape in &figure.shapes {
        match shape {
            Shape::Rect { at, size, fill } => rect(&mut canvas, *at, *size, *fill),
            Shape::Line { points, colour, width } => {
                points.windows(2).for_each(|p| segment(&mut canvas, p[0], p[1], *colour, *width));
            }
            Shape::Text { at, text, size, anchor, colour, upward } => {
                letters(&mut canvas, *at, text, *size, (*anchor, *upward), *colour)
            }
            Shape::Image { at, scale, width, pixels } => {
                for (i, &colour) in pixels.iter().enumerate() {
                    let (x, y) = ((i % width) as f64 * scale, (i / width) as f64 * scale);
                    rect(&mut canvas, (at.0 + x, at.1 + y), (*scale, *scale), colour);
                }
            }
        }
    }
    encode(canvas.width, canvas.height, &canvas.pixels)
}

/// Pixels as PNG data.
pub(super) fn encode(width: usize, height: usize, pixels: &[Rgb]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, u32::try_from(width)?, u32::try_from(height)?);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels.as_flattened())?;
    writer.finish()?;
    Ok(bytes)
}

/// The pixels of a figure, row by row.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Rgb>,
}

impl Canvas {
    fn white(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[255; 3]; width * height] }
    }

    fn pixel_mut(&mut self, col: usize, row: usize) -> &mut Rgb {
        &mut self.pixels[row * self.width + col]
    }
}

fn rect(canvas: &mut Canvas, (x, y): (f64, f64), (w, h): (f64, f64), fill: Rgb) {
    let pixels = |from: f64, length: f64, most: usize| {
        let edge = |v: f64| (v * ZOOM).round().clamp(0.0, most as f64) as usize;
        edge(from)..edge(from + length)
    };
    for row in pixels(y, h, canvas.height) {
        for col in pixels(x, w, canvas.width) {
            *canvas.pixel_mut(col, row) = fill;
        }
    }
}

/// A straight line with soft edges: the coverage of a pixel falls with its distance.
fn segment(canvas: &mut Canvas, a: (f64, f64), b: (f64, f64), colour: Rgb, width: f64) {
    let ((ax, ay), (bx, by)) = ((a.0 * ZOOM, a.1 * ZOOM), (b.0 * ZOOM, b.1 * ZOOM));
    let half = width * ZOOM / 2.0;
    let (dx, dy) = (bx - ax, by - ay);
    let squared = (dx * dx + dy * dy).max(1e-9);
    let bounds = |p: f64, q: f64, most: usize| {
        let clamp = |v: f64| v.clamp(0.0, most as f64) as usize;
        clamp(p.min(q) - half - 1.0)..clamp(p.max(q) + half + 2.0)
    };
    for row in bounds(ay, by, canvas.height) {
        for col in bounds(ax, bx, canvas.width) {
            let (px, py) = (col as f64 + 0.5 - ax, row as f64 + 0.5 - ay);
            let along = ((px * dx + py * dy) / squared).clamp(0.0, 1.0);
            let distance = (px - along * dx).hypot(py - along * dy);
            let cover = (half + 0.5 - distance).clamp(0.0, 1.0);
            blend(canvas, (col, row), colour, cover);
        }
    }
}

fn letters(
    canvas: &mut Canvas,
    (x, y): (f64, f64),
    text: &str,
    size: f64,
    (anchor, upward): (Anchor, bool),
    colour: Rgb,
) {
    let width = font::width(text, size);
    let before = match anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => width / 2.0,
        Anchor::End => width,
    };
    let (columns, rows) = (canvas.width as i64, canvas.height as i64);
    let mut paint = |col: i64, row: i64, cover: f64| {
        if (0..columns).contains(&col) && (0..rows).contains(&row) {
            blend(canvas, (col as usize, row as usize), colour, cover);
        }
    };
    let (x, y) = (x * ZOOM, y * ZOOM);
    match upward {
        false => font::draw(text, size * ZOOM, (x - before * ZOOM, y), paint),
        // Along the text is up, below its baseline is right.
        true => font::draw(text, size * ZOOM, (0.0, 0.0), |along, below, cover| {
            paint(x as i64 + below, (y + before * ZOOM) as i64 - along, cover);
        }),
    }
}

/// Paints a pixel that is covered in part, 0 to 1.
fn blend(canvas: &mut Canvas, (col, row): (usize, usize), colour: Rgb, cover: f64) {
    for (old, new) in canvas.pixel_mut(col, row).iter_mut().zip(colour) {
        *old = (f64::from(*old) * (1.0 - cover) + f64::from(new) * cover) as u8;
    }
}
