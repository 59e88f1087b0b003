//! Crop, thicken, scale, centre.

use super::{SIDE, Shades};

/// The digit fits into a box of so many pixels.
const BOX: usize = 20;
/// Strokes thinner than this share of the digit are thickened to it: a pen is
/// finer than those of 1990, and a thin line would fade when it is made small.
const THINNEST: f32 = 0.085;

/// Places the ink in 28x28 pixels as MNIST did; none if there is no ink.
pub(super) fn place(ink: &Shades) -> Option<[u8; SIDE * SIDE]> {
    let thick = thicken(ink)?;
    let (x, y, w, h) = crop(&thick)?;
    let longest = w.max(h) as f32;
    let fit = |side: usize| ((side as f32 * BOX as f32 / longest).round() as usize).clamp(1, BOX);
    let (width, height) = (fit(w), fit(h));
    let small = thick.scaled((x, y, w, h), width, height, true);

    let mass: f32 = small.data.iter().sum();
    if mass <= 0.0 {
        return None;
    }
    let mean = |of: &dyn Fn(usize) -> usize| {
        small.data.iter().enumerate().map(|(i, v)| of(i) as f32 * v).sum::<f32>() / mass
    };
    let (centre_x, centre_y) = (mean(&|i| i % width), mean(&|i| i / width));
    // In MNIST the centre of mass lies at row 14 and column 14, counted from 0.
    let offset = |centre: f32, size: usize| {
        ((SIDE as f32 / 2.0 - centre).round() as i64).clamp(0, (SIDE - size) as i64) as usize
    };
    let (left, top) = (offset(centre_x, width), offset(centre_y, height));

    let strongest = small.data.iter().fold(0.0_f32, |a, &b| a.max(b));
    let mut image = [0; SIDE * SIDE];
    for (i, v) in small.data.iter().enumerate() {
        let (row, col) = (top + i / width, left + i % width);
        image[row * SIDE + col] = (v / strongest * 255.0).round() as u8;
    }
    Some(image)
}

/// The smallest rectangle with all ink: `(x, y, width, height)`.
fn crop(ink: &Shades) -> Option<(usize, usize, usize, usize)> {
    const INK: f32 = 0.004; // 1 of 255
    let inked = || (0..ink.data.len()).filter(|&i| ink.data[i] > INK);
    let (left, right) = (inked().map(|i| i % ink.width).min()?, inked().map(|i| i % ink.width).max()?);
    let (top, bottom) = (inked().map(|i| i / ink.width).min()?, inked().map(|i| i / ink.width).max()?);
    Some((left, top, right - left + 1, bottom - top + 1))
}

/// Thickens strokes that are too thin for the size of the digit.
fn thicken(ink: &Shades) -> Option<Shades> {
    let (x, y, w, h) = crop(ink)?;
    let longest = w.max(h) as f32;
    // A stroke of length l and width s has the area l s and an edge of 2 l.
    let inside = |i: usize| ink.data[i] > 0.5;
    let area = (0..ink.data.len()).filter(|&i| inside(i)).count() as f32;
    let edges = (0..ink.data.len())
        .filter(|&i| inside(i))
        .map(|i| {
            let (px, py) = (i % ink.width, i / ink.width);
            let sides = [
                px == 0 || !inside(i - 1),
                px + 1 == ink.width || !inside(i + 1),
                py == 0 || !inside(i - ink.width),
                py + 1 == ink.height || !inside(i + ink.width),
            ];
            sides.iter().filter(|&&open| open).count() as f32
        })
        .sum::<f32>();
    let stroke = 2.0 * area / edges.max(1.0);
    let radius = ((THINNEST * longest - stroke) / 2.0).ceil();
    // Small pictures have no finer strokes than a pixel.
    if longest < 2.0 * BOX as f32 || radius < 1.0 {
        return Some(ink.clone());
    }
    let radius = (radius as usize).min(12);
    // Room for the thicker strokes on all sides.
    let (width, height) = (w + 2 * radius, h + 2 * radius);
    let mut data = vec![0.0_f32; width * height];
    for row in 0..h {
        for col in 0..w {
            let v = ink.data[(y + row) * ink.width + x + col];
            if v <= 0.0 {
                continue;
            }
            for dy in 0..=2 * radius {
                for dx in 0..=2 * radius {
                    let (a, b) = (dx.abs_diff(radius), dy.abs_diff(radius));
                    if a * a + b * b <= radius * radius {
                        let to = &mut data[(row + dy) * width + col + dx];
                        *to = to.max(v);
                    }
                }
            }
        }
    }
    Some(Shades { width, height, data })
}
