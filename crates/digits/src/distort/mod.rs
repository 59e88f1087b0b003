//! Random distortions of the training images, different each time an image is shown.
//!
//! A digit that is rotated, stretched or bent a little is still the same digit. A network that
//! never sees the same image twice cannot memorise it. This alone takes a plain multilayer
//! perceptron from about 98.5 % to beyond 99.5 % on MNIST:
//!
//! - P. Simard, D. Steinkraus, J. Platt, *Best practices for convolutional neural networks
//!   applied to visual document analysis*, ICDAR 2003: the elastic distortion.
//! - D. Ciresan, U. Meier, L. Gambardella, J. Schmidhuber, *Deep, big, simple neural nets for
//!   handwritten digit recognition*, Neural Computation 22(12), 2010: both together.
//!
//! Every pixel `p` of the new image samples one point of the old one:
//!
//! ```text
//! out(p) = image( A (p - centre - shift) + centre + u(p) )
//! ```
//!
//! `A` undoes a random rotation, shear and scaling ([`Affine`]), `u` is a smooth random
//! displacement ([`Elastic`]). Bilinear interpolation mixes the four pixels around the point;
//! outside the image, everything is 0. Computing where a pixel comes from, rather than where it
//! goes, leaves no holes. Applying both distortions in one lookup blurs the strokes only once.
//!
//! ```
//! use m2g_digits::distort::{Distort, Distorter, Scratch};
//! use rand::{SeedableRng, rngs::ChaCha8Rng};
//!
//! let distorter = Distorter::new("elastic".parse::<Distort>()?, 28, 28)?.expect("a distortion");
//! let image = [0u8; 28 * 28];
//! let mut out = [0.0; 28 * 28];
//! distorter.apply(&image, &mut ChaCha8Rng::seed_from_u64(1), &mut Scratch::default(), &mut out);
//! # Ok::<(), m2g_digits::distort::DistortError>(())
//! ```

mod affine;
mod bilinear;
mod elastic;
mod error;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use m2g_core::threads;
use rand::Rng;
use serde::{Deserialize, Serialize};

pub use affine::Affine;
pub use elastic::Elastic;
pub use error::DistortError;

use bilinear::Canvas;
use elastic::Field;
use error::MAX_SIDE_PIXELS;

/// A thread takes at least this number of images at a time, so that small batches are not split too
/// finely.
const MIN_IMAGES_PER_TASK: usize = 8;

/// Which distortions to apply.
///
/// As text, a name: `none`, `affine` or `elastic`, with the default ranges (see [`FromStr`]). In a
/// configuration file, a table, in which missing keys have their defaults:
///
/// ```toml
/// distort = { kind = "elastic", affine = { rotate = 10.0 }, elastic = { alpha = 30.0 } }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Distort {
    /// The original images. (The braces make serde refuse other keys here too.)
    None {},
    /// Shift, rotation, scaling and shear.
    Affine(Affine),
    /// The affine distortion and a smooth random displacement together.
    Elastic {
        /// Ranges of the affine part.
        #[serde(default)]
        affine: Affine,
        /// Strength and smoothness of the displacement.
        #[serde(default)]
        elastic: Elastic,
    },
}

impl Default for Distort {
    /// No distortion.
    fn default() -> Self {
        Self::None {}
    }
}

/// The names of the distortions.
pub const NAMES: [&str; 3] = ["none", "affine", "elastic"];

impl FromStr for Distort {
    type Err = DistortError;

    fn from_str(name: &str) -> Result<Self, DistortError> {
        match name {
            "none" => Ok(Self::None {}),
            "affine" => Ok(Self::Affine(Affine::default())),
            "elastic" => Ok(Self::Elastic { affine: Affine::default(), elastic: Elastic::default() }),
            _ => Err(DistortError::Name(name.to_owned())),
        }
    }
}

impl fmt::Display for Distort {
    /// The name alone: one of [`NAMES`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None {} => "none",
            Self::Affine(_) => "affine",
            Self::Elastic { .. } => "elastic",
        })
    }
}

/// A [`Distort`] prepared for images of one size.
#[derive(Debug, Clone)]
pub struct Distorter {
    rows: usize,
    cols: usize,
    affine: Affine,
    field: Option<Field>,
}

/// The buffers of one thread. `Scratch::default()` is empty; the first use allocates.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    canvas: Canvas,
    displacement: elastic::Displacement,
    /// The source coordinates of the pixels of one row.
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Distorter {
    /// Prepares `distort` for images of `rows` x `cols` pixels; `None` for no distortion.
    ///
    /// # Errors
    /// [`DistortError::Range`] if a range is NaN, negative or too large; [`DistortError::Size`] if a
    /// side is 0 or above 1024 pixels.
    pub fn new(distort: Distort, rows: usize, cols: usize) -> Result<Option<Self>, DistortError> {
        let (affine, elastic) = match distort {
            Distort::None {} => return Ok(None),
            Distort::Affine(affine) => (affine, None),
            Distort::Elastic { affine, elastic } => (affine, Some(elastic)),
        };
        if ![rows, cols].iter().all(|side| (1..=MAX_SIDE_PIXELS).contains(side)) {
            return Err(DistortError::Size { rows, cols });
        }
        affine.check()?;
        elastic.as_ref().map(Elastic::check).transpose()?;
        let field = elastic.map(|elastic| Field::new(elastic, rows, cols));
        Ok(Some(Self { rows, cols, affine, field }))
    }

    /// Writes a distorted copy of `image` (rows x cols, 0..=255) to `out` (rows x cols, 0..=1).
    ///
    /// The number of values drawn from `rng` depends on the kind of distortion and on `sigma`, not on the ranges
    /// or `alpha`. With the same `rng`, a wider range therefore gives the same distortion, only stronger.
    ///
    /// # Panics
    /// If `image` or `out` is not rows x cols long.
    pub fn apply(&self, image: &[u8], rng: &mut impl Rng, scratch: &mut Scratch, out: &mut [f32]) {
        assert_eq!(image.len(), self.rows * self.cols, "pixels of the image");
        assert_eq!(out.len(), self.rows * self.cols, "pixels of the output");
        let origin = self.affine.draw(rng).origin(self.rows, self.cols);
        if let Some(field) = &self.field {
            field.draw(rng, &mut scratch.displacement);
        }
        scratch.canvas.load(image, self.rows, self.cols);
        scratch.x.resize(self.cols, 0.0);
        scratch.y.resize(self.cols, 0.0);
        for (row, out) in out.chunks_exact_mut(self.cols).enumerate() {
            origin.row(row, &mut scratch.x, &mut scratch.y);
            if self.field.is_some() {
                let pixels = row * self.cols..(row + 1) * self.cols;
                add(&mut scratch.x, &scratch.displacement.x[pixels.clone()]);
                add(&mut scratch.y, &scratch.displacement.y[pixels]);
            }
            scratch.canvas.sample(&scratch.x, &scratch.y, out);
        }
    }

    /// Distorts a batch in parallel: `images[i]` to row `i` of `out` (B, rows x cols), with the
    /// random stream `stream(i)`.
    ///
    /// Each image has a separate stream, so the result has the same bits for any number of threads.
    ///
    /// # Panics
    /// If an image is not rows x cols long, or `out` is not `images.len()` times as long.
    pub fn apply_batch<R: Rng>(&self, images: &[&[u8]], stream: impl Fn(usize) -> R + Sync, out: &mut [f32]) {
        let pixels = self.rows * self.cols;
        assert_eq!(out.len(), images.len() * pixels, "pixels of the batch");
        threads::for_each_chunk(out, pixels, MIN_IMAGES_PER_TASK, |scratch: &mut Scratch, i, out| {
            self.apply(images[i], &mut stream(i), scratch, out);
        });
    }
}

/// `to += from`, element by element.
fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}
