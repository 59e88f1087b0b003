//! From a person's own picture of a digit to what MNIST's images are.
//!
//! LeCun's recipe for MNIST: crop the digit, scale it to fit a box of 20x20 pixels
//! with its proportions kept, and place it in 28x28 pixels so that its centre of
//! mass lies in the middle; ink is 255, paper 0. A network has only seen such
//! images: on anything else it guesses. What has to come before is telling ink
//! from paper, since a photo has shadows, noise and either colour on the other.
//!
//! | step | file |
//! | --- | --- |
//! | ink from paper: which is which, uneven light, threshold, specks | `ink.rs` |
//! | crop, thicken thin strokes, scale, centre | `place.rs` |

mod ink;
mod place;

/// The side of the result in pixels.
pub const SIDE: usize = 28;

/// Larger pictures are first made smaller, to this many pixels a side.
const WORKING_SIDE: usize = 280;

/// Why no digit could be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NormaliseError {
    /// The picture has no pixel, or not as many as it should.
    #[error("the picture is {width}x{height} pixels, but {found} were given")]
    Size {
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
        /// How many pixels came.
        found: usize,
    },
    /// Ink and paper cannot be told apart.
    #[error("there is no digit to be seen: the picture is nearly all of one shade")]
    Blank,
}

/// A picture of shades, 0 to 1.
#[derive(Debug, Clone)]
struct Shades {
    width: usize,
    height: usize,
    data: Vec<f32>,
}

impl Shades {
    /// The shade at a place between pixels, mixed of its four neighbours; what lies
    /// outside is as the nearest pixel, or 0 if `paper_outside`.
    fn at(&self, x: f32, y: f32, paper_outside: bool) -> f32 {
        let pixel = |x: i64, y: i64| {
            let (w, h) = (self.width as i64, self.height as i64);
            if paper_outside && (x < 0 || y < 0 || x >= w || y >= h) {
                return 0.0;
            }
            self.data[(y.clamp(0, h - 1) * w + x.clamp(0, w - 1)) as usize]
        };
        let (x0, y0) = (x.floor(), y.floor());
        let (fx, fy) = (x - x0, y - y0);
        let (x0, y0) = (x0 as i64, y0 as i64);
        let top = pixel(x0, y0) * (1.0 - fx) + pixel(x0 + 1, y0) * fx;
        let bottom = pixel(x0, y0 + 1) * (1.0 - fx) + pixel(x0 + 1, y0 + 1) * fx;
        top * (1.0 - fy) + bottom * fy
    }

    /// The part of the picture from `(x, y)` on, `w` by `h` pixels, scaled to a new
    /// size by averaging several samples for each new pixel.
    fn scaled(
        &self,
        (x, y, w, h): (usize, usize, usize, usize),
        width: usize,
        height: usize,
        paper_outside: bool,
    ) -> Self {
        let (sx, sy) = (w as f32 / width as f32, h as f32 / height as f32);
        let samples = (sx.max(sy).ceil() as usize).clamp(1, 64) * 2;
        let mut data = Vec::with_capacity(width * height);
        for row in 0..height {
            for col in 0..width {
                let mut sum = 0.0;
                for j in 0..samples {
                    for i in 0..samples {
                        let u = (col as f32 + (i as f32 + 0.5) / samples as f32) * sx;
                        let v = (row as f32 + (j as f32 + 0.5) / samples as f32) * sy;
                        sum += self.at(x as f32 + u - 0.5, y as f32 + v - 0.5, paper_outside);
                    }
                }
                data.push(sum / (samples * samples) as f32);
            }
        }
        Self { width, height, data }
    }
}

/// Makes a 28x28 image, ink 255 on paper 0, of a grey picture of any size, dark on
/// light or light on dark. `gray` holds `width * height` pixels, row by row.
///
/// # Errors
/// [`NormaliseError`] if there are not so many pixels, or no digit among them.
pub fn normalise(gray: &[u8], width: usize, height: usize) -> Result<[u8; SIDE * SIDE], NormaliseError> {
    if width == 0 || height == 0 || width.checked_mul(height) != Some(gray.len()) {
        return Err(NormaliseError::Size { width, height, found: gray.len() });
    }
    let data = gray.iter().map(|&g| f32::from(g) / 255.0).collect();
    let mut picture = Shades { width, height, data };
    let longest = width.max(height);
    if longest > WORKING_SIDE {
        let small = |side: usize| (side * WORKING_SIDE).div_ceil(longest);
        picture = picture.scaled((0, 0, width, height), small(width), small(height), false);
    }
    let ink = ink::ink(&picture).ok_or(NormaliseError::Blank)?;
    place::place(&ink).ok_or(NormaliseError::Blank)
}

#[cfg(test)]
mod tests;
