//! Turns a person's own picture of a digit into an image like those of MNIST.
//!
//! A network does well only on images like those it was trained on. MNIST's digits are light on
//! black, scaled "in a 20x20 pixel box while preserving their aspect ratio", with grey levels from
//! anti-aliasing, and centred in 28x28 "by computing the center of mass of the pixels" (Y. LeCun,
//! C. Cortes, C. Burges, *The MNIST database of handwritten digits*). This module does the same to
//! a drawing or a photo:
//!
//! 1. detect whether the paper is dark or light (`ink`);
//! 2. subtract uneven lighting, apply a threshold, keep soft edges (`ink`), drop dust (`specks`);
//! 3. thicken hairlines, crop to the ink, scale into 20x20, move the centre of mass to the centre
//!    (`place`).
//!
//! It does not find one digit among several, and it does not tell ruled lines from ink. Callers
//! should show the result, so that people see what the network saw.

mod error;
mod ink;
mod place;
mod plane;
mod specks;

pub use error::NormaliseError;

use plane::Plane;

/// The side of the result, in pixels.
pub const SIDE: usize = 28;

/// The number of pixels of an MNIST image, 28 rows of 28.
pub const PIXELS: usize = SIDE * SIDE;

/// Turns a grey picture of one digit into a 28x28 image like those of MNIST: light digit on
/// black, longer side 20 pixels, centre of mass in pixel (14, 14), brightest pixel 255.
///
/// `gray` holds `height` rows of `width` values, from 0, black, to 255, white. The caller resolves
/// transparency. MNIST's own images come back nearly unchanged.
///
/// # Errors
/// [`NormaliseError`] if the sizes do not match, or if no digit is visible.
///
/// # Example
/// ```
/// // A dark stroke on light paper, 60 x 80.
/// let mut gray = vec![230; 60 * 80];
/// for y in 10..70 {
///     gray[y * 60 + 26..y * 60 + 34].fill(30);
/// }
/// let image = m2g_digits::normalise::normalise(&gray, 60, 80)?;
/// assert_eq!((image[0], image[14 * 28 + 14]), (0, 255));
/// # Ok::<(), m2g_digits::normalise::NormaliseError>(())
/// ```
pub fn normalise(gray: &[u8], width: usize, height: usize) -> Result<[u8; PIXELS], NormaliseError> {
    if width == 0 || height == 0 || width.checked_mul(height) != Some(gray.len()) {
        return Err(NormaliseError::Size { width, height, len: gray.len() });
    }
    let ink = ink::ink(&Plane::reduced(gray, width, height))?;
    place::place(&ink).ok_or(NormaliseError::TooFaint { difference: 0.0 })
}

#[cfg(test)]
mod tests;
