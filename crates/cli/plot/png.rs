//! Renders a figure as PNG, at twice its size to stay sharp.

use image::{ExtendedColorType, ImageEncoder, Rgb as Pixel, RgbImage, codecs::png::PngEncoder};

use super::font;
use super::shapes::{Anchor, Drawing, Rgb, Shape};

/// Image pixels per figure pixel.
const ZOOM: f64 = 2.0;

/// The figure as PNG data.
pub(super) fn paint(figure: &Drawing) -> anyhow::Result<Vec<u8>> {
    let size = |side: usize| (side as f64 * ZOOM) as u32;
    let mut canvas = RgbImage::from_pixel(size(figure.width), size(figure.height), Pixel([255; 3]));
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
    let (width, height) = canvas.dimensions();
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(canvas.as_raw(), width, height, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// Pixels as PNG data.
pub(super) fn encode(width: usize, height: usize, pixels: &[Rgb]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    encoder.write_image(pixels.as_flattened(), width as u32, height as u32, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

fn rect(canvas: &mut RgbImage, (x, y): (f64, f64), (w, h): (f64, f64), fill: Rgb) {
    let pixels = |from: f64, length: f64, most: u32| {
        let edge = |v: f64| (v * ZOOM).round().clamp(0.0, f64::from(most)) as u32;
        edge(from)..edge(from + length)
    };
    for row in pixels(y, h, canvas.height()) {
        for col in pixels(x, w, canvas.width()) {
            canvas.put_pixel(col, row, Pixel(fill));
        }
    }
}

/// A straight line with soft edges: the coverage of a pixel falls with its distance.
fn segment(canvas: &mut RgbImage, a: (f64, f64), b: (f64, f64), colour: Rgb, width: f64) {
    let ((ax, ay), (bx, by)) = ((a.0 * ZOOM, a.1 * ZOOM), (b.0 * ZOOM, b.1 * ZOOM));
    let half = width * ZOOM / 2.0;
    let (dx, dy) = (bx - ax, by - ay);
    let squared = (dx * dx + dy * dy).max(1e-9);
    let bounds = |p: f64, q: f64, most: u32| {
        let clamp = |v: f64| v.clamp(0.0, f64::from(most)) as u32;
        clamp(p.min(q) - half - 1.0)..clamp(p.max(q) + half + 2.0)
    };
    for row in bounds(ay, by, canvas.height()) {
        for col in bounds(ax, bx, canvas.width()) {
            let (px, py) = (f64::from(col) + 0.5 - ax, f64::from(row) + 0.5 - ay);
            let along = ((px * dx + py * dy) / squared).clamp(0.0, 1.0);
            let distance = (px - along * dx).hypot(py - along * dy);
            let cover = (half + 0.5 - distance).clamp(0.0, 1.0);
            blend(canvas, (col, row), colour, cover);
        }
    }
}

fn letters(
    canvas: &mut RgbImage,
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
    let (columns, rows) = (i64::from(canvas.width()), i64::from(canvas.height()));
    let mut paint = |col: i64, row: i64, cover: f64| {
        if (0..columns).contains(&col) && (0..rows).contains(&row) {
            blend(canvas, (col as u32, row as u32), colour, cover);
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
fn blend(canvas: &mut RgbImage, (col, row): (u32, u32), colour: Rgb, cover: f64) {
    for (old, new) in canvas.get_pixel_mut(col, row).0.iter_mut().zip(colour) {
        *old = (f64::from(*old) * (1.0 - cover) + f64::from(new) * cover) as u8;
    }
}
