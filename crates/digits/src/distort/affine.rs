//! Shift, rotation, scaling and shear: the distortions that keep straight lines straight.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::error::{DistortError, check_range};

/// The ranges of the affine distortion: each image draws every parameter uniformly within ± its
/// range.
///
/// The image is scaled, then sheared, then rotated about its centre, then shifted:
///
/// ```text
/// p' = R(rotate) S(shear) diag(1 + scale_x, 1 + scale_y) (p - centre) + centre + shift
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Affine {
    /// Shift across and down, drawn separately, in pixels; 0 to 28.
    pub shift: f32,
    /// Angle of rotation in degrees; 0 to 180.
    pub rotate: f32,
    /// Change of width and height, drawn separately, as a fraction: 0.15 is ±15 %; 0 to 0.9.
    pub scale: f32,
    /// Slant: pixels that a row moves sideways for each row above the centre; 0 to 2.
    pub shear: f32,
}

impl Default for Affine {
    /// Ciresan et al. (2010) rotate *or* shear by up to 15 degrees (tan 15° = 0.27) and scale by up
    /// to 15-20 %. Here each image gets both, so each has a smaller range.
    fn default() -> Self {
        Self { shift: 1.0, rotate: 12.0, scale: 0.15, shear: 0.15 }
    }
}

impl Affine {
    pub(super) fn check(&self) -> Result<(), DistortError> {
        check_range("shift", self.shift, (0.0, 28.0), "pixels")?;
        check_range("rotate", self.rotate, (0.0, 180.0), "degrees")?;
        check_range("scale", self.scale, (0.0, 0.9), "a fraction, 0.15 is 15 %")?;
        check_range("shear", self.shear, (0.0, 2.0), "pixels per row")
    }

    /// Draws the parameters of one image: always six values in the same order.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> Drawn {
        let mut uniform = |range: f32| range * plus_minus_one(rng.next_u32());
        Drawn {
            shift: [uniform(self.shift), uniform(self.shift)],
            rotate: uniform(self.rotate),
            scale: [uniform(self.scale), uniform(self.scale)],
            shear: uniform(self.shear),
        }
    }
}

/// Uniform in -1..=1 from 32 random bits.
fn plus_minus_one(bits: u32) -> f32 {
    (bits.cast_signed() as f32 + 0.5) / 2f32.powi(31)
}

/// The parameters of one image, in the units of [`Affine`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drawn {
    /// Positive is right, and down.
    pub shift: [f32; 2],
    /// Positive is anticlockwise as seen.
    pub rotate: f32,
    /// Positive is wider, and taller.
    pub scale: [f32; 2],
    /// Positive leans to the right, like *italics*.
    pub shear: f32,
}

impl Drawn {
    /// The inverse of the distortion: diag(1/(1+scale)) S(-shear) R(-rotate), with y downwards.
    pub(super) fn origin(&self, rows: usize, cols: usize) -> Origin {
        let (sin, cos) = self.rotate.to_radians().sin_cos();
        let (width, height) = (1.0 + self.scale[0], 1.0 + self.scale[1]);
        Origin {
            x: [(cos + self.shear * sin) / width, (self.shear * cos - sin) / width],
            y: [sin / height, cos / height],
            centre: [(cols - 1) as f32 / 2.0, (rows - 1) as f32 / 2.0],
            shift: self.shift,
        }
    }
}

/// Maps a pixel of the new image to the point of the old one that it shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// First row of `A`: coefficients of x and y, from the centre, in the old x.
    x: [f32; 2],
    /// Second row of `A`: the same for the old y.
    y: [f32; 2],
    centre: [f32; 2],
    shift: [f32; 2],
}

impl Origin {
    /// The old coordinates `x`, `y` of the pixels of one row.
    pub(super) fn row(&self, row: usize, x: &mut [f32], y: &mut [f32]) {
        let down = row as f32 - self.centre[1] - self.shift[1];
        let (x_start, y_start) = (self.x[1] * down + self.centre[0], self.y[1] * down + self.centre[1]);
        let left = self.centre[0] + self.shift[0];
        for (col, (x, y)) in x.iter_mut().zip(y).enumerate() {
            let across = col as f32 - left;
            *x = self.x[0] * across + x_start;
            *y = self.y[0] * across + y_start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The image of the point (`x`, `y`), measured from the centre: the equation of [`Affine`]
    /// written out.
    fn forward(drawn: &Drawn, [x, y]: [f32; 2]) -> [f32; 2] {
        let (x, y) = (x * (1.0 + drawn.scale[0]), y * (1.0 + drawn.scale[1]));
        let x = x - drawn.shear * y;
        let (sin, cos) = drawn.rotate.to_radians().sin_cos();
        [cos * x + sin * y + drawn.shift[0], -sin * x + cos * y + drawn.shift[1]]
    }

    #[test]
    fn origin_inverts_the_distortion() {
        let drawn = Drawn { shift: [1.5, -2.0], rotate: 20.0, scale: [0.1, -0.2], shear: 0.3 };
        let (rows, cols) = (21, 31);
        let origin = drawn.origin(rows, cols);
        let (mut x, mut y) = (vec![0.0; cols], vec![0.0; cols]);
        for row in 0..rows {
            origin.row(row, &mut x, &mut y);
            for col in 0..cols {
                let there = forward(&drawn, [x[col] - 15.0, y[col] - 10.0]);
                assert!((there[0] + 15.0 - col as f32).abs() < 1e-4, "{row} {col}");
                assert!((there[1] + 10.0 - row as f32).abs() < 1e-4, "{row} {col}");
            }
        }
    }

    #[test]
    fn uniform_bits_span_plus_minus_one() {
        assert_eq!(plus_minus_one(0x8000_0000), -1.0);
        assert_eq!(plus_minus_one(0x7fff_ffff), 1.0);
        assert!(plus_minus_one(0).abs() < 1e-9);
        assert!((plus_minus_one(0x4000_0000) - 0.5).abs() < 1e-7);
    }
}
