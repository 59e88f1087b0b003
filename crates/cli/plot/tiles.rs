//! Draws small images side by side, such as mistakes and weights.

use super::title::{Title, key};
use super::{Anchor, BLACK, Figure, Rgb, font};

/// A small image with a caption.
pub struct Tile {
    /// The colours, row by row.
    pub pixels: Vec<Rgb>,
    /// The width in pixels.
    pub width: usize,
    /// The text below.
    pub caption: String,
}

impl Tile {
    /// Ink (255) on paper (0), drawn black on white.
    pub fn of_ink(ink: &[u8], width: usize, caption: String) -> Self {
        Self { pixels: ink.iter().map(|&i| [255 - i; 3]).collect(), width, caption }
    }

    /// Signed values: blue above 0, red below, white at 0, on one scale.
    pub fn of_weights(weights: &[f32], width: usize, caption: String) -> Self {
        let largest = weights.iter().fold(f32::MIN_POSITIVE, |m, w| m.max(w.abs()));
        let colour = |w: &f32| -> Rgb {
            let pale = (255.0 * (1.0 - (w.abs() / largest).min(1.0))) as u8;
            if *w >= 0.0 { [pale, pale, 255] } else { [255, pale, pale] }
        };
        Self { pixels: weights.iter().map(colour).collect(), width, caption }
    }
}

/// The key of [`Tile::of_weights`].
pub const WEIGHTS_KEY: [(Rgb, &str); 2] = [([0, 0, 255], "above 0"), ([255, 0, 0], "below 0; white is 0")];

/// A grid of tiles under a title and the key of their colours.
pub fn tiles(title: &str, meanings: &[(Rgb, &str)], tiles: &[Tile]) -> Figure {
    const GAP: f64 = 14.0;
    const CAPTION: f64 = 16.0;
    const SIDE: f64 = 84.0;
    let columns = (tiles.len() as f64 * 1.4).sqrt().ceil().clamp(4.0, 12.0) as usize;
    let rows = tiles.len().div_ceil(columns).max(1);
    let width = GAP + columns as f64 * (SIDE + GAP);
    let title = Title::new(title, 14.0, width - 2.0 * GAP);
    let key_height = if meanings.is_empty() { 0.0 } else { 20.0 };
    let top = 44.0 + title.extra_height() + key_height;
    let height = top + rows as f64 * (SIDE + CAPTION + GAP);
    let mut figure = Figure::new(width as usize, height as usize);
    title.draw(&mut figure, (GAP, 24.0));
    key(&mut figure, (GAP, top - 18.0), meanings);
    for (i, tile) in tiles.iter().enumerate() {
        let x = GAP + (i % columns) as f64 * (SIDE + GAP);
        let y = top + (i / columns) as f64 * (SIDE + CAPTION + GAP);
        let longest = tile.width.max(tile.pixels.len() / tile.width.max(1)).max(1);
        figure.image((x, y), SIDE / longest as f64, tile.width.max(1), tile.pixels.clone());
        let (caption, size) = font::fit(&tile.caption, 10.0, SIDE + GAP - 4.0);
        figure.text((x + SIDE / 2.0, y + SIDE + 13.0), caption, size, Anchor::Middle, BLACK);
    }
    figure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_blue_above_and_red_below_zero() {
        let tile = Tile::of_weights(&[2.0, -2.0, 0.0, 1.0], 2, String::new());
        assert_eq!(tile.pixels, [[0, 0, 255], [255, 0, 0], [255, 255, 255], [127, 127, 255]]);
        assert_eq!(Tile::of_weights(&[0.0], 1, String::new()).pixels, [[255; 3]]);
    }
}
