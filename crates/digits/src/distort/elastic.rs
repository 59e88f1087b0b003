//! The elastic distortion: every pixel is displaced a little, and neighbouring pixels almost alike.
//! It imitates the small uncontrolled movements of the muscles of a hand.
//!
//! Simard et al. draw a random number in ±1 for each pixel and smooth these numbers with a Gaussian
//! `g(d) = exp(-d² / 2σ²)`. In other words, they put a Gaussian bump of random height on every pixel
//! and sum the bumps. The sum is so smooth that a coarse grid of bumps, on *knots* σ apart, gives
//! nearly the same result. By Poisson's summation formula, the covariance of two displacements at
//! the distance `d`, proportional to `exp(-d² / 4σ²)`, changes by about `2 exp(-π² (σ / spacing)²)`,
//! 1 part in 10,000. (Below σ = 1 there is a knot on every pixel, as in Simard.) A 28 x 28 image with σ = 6
//! needs 12 x 12 random numbers instead of 64 x 64 (the pixels and a margin of 3σ), and two tiny matrix products:
//!
//! ```text
//! u = down · noise · across      (rows, knots_y) (knots_y, knots_x) (knots_x, cols)
//! ```
//!
//! The knots reach 3σ beyond the image, so that a corner moves as much as the centre.

use std::f32::consts::PI;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::error::{DistortError, check_range};

/// The distance at which bumps are cut off, in σ: `exp(-3² / 2)` is 1 %.
const REACH_IN_SIGMAS: f32 = 3.0;

/// Strength and smoothness of the elastic distortion, in Simard's terms.
///
/// `alpha` is the largest height of the random noise *before* it is smoothed by a Gaussian whose
/// weights sum to 1. Smoothing averages most of it away. What remains moves each pixel, across and
/// down, by a random distance with mean 0 and standard deviation [`Elastic::rms`],
///
/// ```text
/// rms = alpha / (2 σ sqrt(3 π))  =  0.163 alpha / σ
/// ```
///
/// because uniform noise in ±1 has variance 1/3 and the squared weights of the Gaussian sum to
/// 1 / (4 π σ²). Simard's `alpha` 34 with `sigma` 4 is 1.39 pixels; Ciresan's 36 with 6 is 0.98.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Elastic {
    /// Height of the noise, in pixels; 0 to 1000.
    pub alpha: f32,
    /// Width of the Gaussian, in pixels; 0.5 to 100. Small values make strokes tremble, large ones
    /// bend them.
    pub sigma: f32,
}

impl Default for Elastic {
    /// The values of Ciresan et al. (2010).
    fn default() -> Self {
        Self { alpha: 36.0, sigma: 6.0 }
    }
}

impl Elastic {
    /// The standard deviation of the displacement in each direction, in pixels.
    pub fn rms(&self) -> f32 {
        self.alpha / (2.0 * self.sigma * (3.0 * PI).sqrt())
    }

    pub(super) fn check(&self) -> Result<(), DistortError> {
        check_range("alpha", self.alpha, (0.0, 1000.0), "pixels")?;
        check_range("sigma", self.sigma, (0.5, 100.0), "pixels")
    }
}

/// The displacements of one image, and scratch space to compute them.
#[derive(Debug, Clone, Default)]
pub(super) struct Displacement {
    /// To the right, (rows, cols), in pixels.
    pub x: Vec<f32>,
    /// Down, (rows, cols), in pixels.
    pub y: Vec<f32>,
    bytes: Vec<u8>,
    noise: Vec<f32>,
    smoothed: Vec<f32>,
}

/// The Gaussian bumps of all knots, for one size of image.
#[derive(Debug, Clone)]
pub(super) struct Field {
    rows: usize,
    cols: usize,
    knots_x: usize,
    knots_y: usize,
    /// (knots_x, cols)
    across: Vec<f32>,
    /// (rows, knots_y); includes the amplitude.
    down: Vec<f32>,
}

impl Field {
    pub(super) fn new(elastic: Elastic, rows: usize, cols: usize) -> Self {
        let (by_col, by_row) = (bumps(cols, elastic.sigma), bumps(rows, elastic.sigma));
        let (knots_x, knots_y) = (by_col[0].len(), by_row[0].len());
        // The noise has variance 1/3.
        let amplitude = elastic.rms() * 3f32.sqrt();
        Self {
            rows,
            cols,
            knots_x,
            knots_y,
            across: (0..knots_x).flat_map(|knot| by_col.iter().map(move |bumps| bumps[knot])).collect(),
            down: by_row.iter().flatten().map(|b| amplitude * b).collect(),
        }
    }

    /// Draws the displacements of one image: 16 random bits for each knot, across and down.
    pub(super) fn draw(&self, rng: &mut impl Rng, to: &mut Displacement) {
        let knots = self.knots_x * self.knots_y;
        to.bytes.resize(2 * 2 * knots, 0);
        rng.fill_bytes(&mut to.bytes);
        to.noise.clear();
        to.noise.extend(to.bytes.as_chunks().0.iter().map(|&bits| {
            // Adding 0.5 makes the 2^16 values symmetric about 0.
            (f32::from(i16::from_le_bytes(bits)) + 0.5) / 2f32.powi(15)
        }));

        to.smoothed.resize(2 * self.knots_y * self.cols, 0.0);
        to.x.resize(self.rows * self.cols, 0.0);
        to.y.resize(self.rows * self.cols, 0.0);
        product(&to.noise, &self.across, self.cols, &mut to.smoothed);
        let (x, y) = to.smoothed.split_at(self.knots_y * self.cols);
        product(&self.down, x, self.cols, &mut to.x);
        product(&self.down, y, self.cols, &mut to.y);
    }
}

/// For each of `pixels` pixels in a line, the height of every knot's bump there, scaled so that the
/// squares sum to 1: noise of unit variance gives displacements of unit variance at every pixel.
fn bumps(pixels: usize, sigma: f32) -> Vec<Vec<f32>> {
    let spacing = sigma.max(1.0);
    let margin = (REACH_IN_SIGMAS * sigma / spacing).ceil() as usize;
    let inside = ((pixels - 1) as f32 / spacing).ceil() as usize;
    let knots = margin + inside + 1 + margin;
    (0..pixels)
        .map(|pixel| {
            let heights = (0..knots).map(|knot| {
                let distance = pixel as f32 - spacing * (knot as f32 - margin as f32);
                (-(distance / sigma).powi(2) / 2.0).exp()
            });
            let norm = heights.clone().map(|h| h * h).sum::<f32>().sqrt();
            heights.map(|h| h / norm).collect()
        })
        .collect()
}

/// `out = a · b` for `b` with `cols` columns. The matrices are so small that the order of the loops
/// is optimisation enough: the inner one runs along a row of `b` and of `out`.
fn product(a: &[f32], b: &[f32], cols: usize, out: &mut [f32]) {
    let inner = b.len() / cols;
    for (a, out) in a.chunks_exact(inner).zip(out.chunks_exact_mut(cols)) {
        out.fill(0.0);
        for (a, b) in a.iter().zip(b.chunks_exact(cols)) {
            for (out, b) in out.iter_mut().zip(b) {
                *out += a * b;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::ChaCha8Rng};

    #[test]
    fn product_by_hand() {
        // [1 2]   [5 6 7]   [21 24 27]
        // [3 4] · [8 9 10] = [47 54 61]
        let mut out = [9.0; 6];
        product(&[1., 2., 3., 4.], &[5., 6., 7., 8., 9., 10.], 3, &mut out);
        assert_eq!(out, [21., 24., 27., 47., 54., 61.]);
    }

    #[test]
    fn rms_of_the_literature() {
        let simard = Elastic { alpha: 34.0, sigma: 4.0 };
        assert!((simard.rms() - 1.3846).abs() < 1e-3);
        assert!((Elastic::default().rms() - 0.9773).abs() < 1e-3);
    }

    /// Simard's method, with one random number per pixel, has the documented variance.
    #[test]
    fn rms_is_that_of_noise_smoothed_on_every_pixel() {
        for sigma in [2.0f64, 4.0, 6.0] {
            let reach = (4.0 * sigma) as i32;
            let line: Vec<f64> =
                (-reach..=reach).map(|d| (-f64::from(d * d) / (2.0 * sigma * sigma)).exp()).collect();
            let sum: f64 = line.iter().sum();
            let squares: f64 = line.iter().map(|w| (w / sum).powi(2)).sum();
            let per_pixel = (squares * squares / 3.0).sqrt();
            let ours = Elastic { alpha: 1.0, sigma: sigma as f32 }.rms();
            assert!((per_pixel / f64::from(ours) - 1.0).abs() < 1e-3, "{sigma}");
        }
    }

    /// The variance in a corner, at an edge and in the centre, and the covariance at a distance.
    #[test]
    fn displacements_have_the_documented_statistics() {
        let elastic = Elastic { alpha: 34.0, sigma: 4.0 };
        let (rows, cols) = (28, 20);
        let field = Field::new(elastic, rows, cols);
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut to = Displacement::default();
        let at = |row: usize, col: usize| row * cols + col;
        let pairs = [
            (at(0, 0), at(0, 0), 0.0f32),
            (at(13, 0), at(13, 0), 0.0),
            (at(14, 9), at(14, 9), 0.0),
            (at(14, 9), at(14, 13), 4.0),
            (at(14, 9), at(20, 9), 6.0),
            (at(0, 0), at(0, 6), 6.0),
            (at(3, 3), at(6, 7), 5.0),
        ];
        let draws = 20_000;
        let mut sums = [[0.0f64; 3]; 7];
        let mut mean = 0.0;
        for _ in 0..draws {
            field.draw(&mut rng, &mut to);
            mean += f64::from(to.x[0]) / f64::from(draws);
            for (sum, &(p, q, _)) in sums.iter_mut().zip(&pairs) {
                sum[0] += f64::from(to.x[p] * to.x[q]);
                sum[1] += f64::from(to.y[p] * to.y[q]);
                sum[2] += f64::from(to.x[p] * to.y[q]);
            }
        }
        let variance = f64::from(elastic.rms().powi(2));
        assert!(mean.abs() < 0.05, "{mean}");
        for (sum, (p, q, distance)) in sums.iter().zip(pairs) {
            let falls = f64::from((-distance.powi(2) / (4.0 * elastic.sigma.powi(2))).exp());
            for (component, want) in [(0, falls), (1, falls), (2, 0.0)] {
                let got = sum[component] / f64::from(draws) / variance;
                assert!((got - want).abs() < 0.04, "{p} {q}: {got}, not {want}");
            }
        }
    }
}
