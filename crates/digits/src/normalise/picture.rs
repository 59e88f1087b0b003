//! A picture of any size, averaged down to a size that a digit needs.
//!
//! ```text
//!   4000 x 3000, RGB  ->  1000 x 750, red, green, blue       4 x 4 pixels become one
//! ```

use super::area::Area;
use super::error::NormaliseError;
use super::plane::Plane;
use super::transparency;

/// Pictures are averaged down until no side is longer than this. A digit needs no more, and
/// time and memory stay bounded for any camera.
const MAX_SIDE_PIXELS: usize = 1024;

/// The shares of red, green and blue in brightness (ITU-R BT.709).
const BRIGHTNESS: [f32; 3] = [0.2126, 0.7152, 0.0722];

/// What the samples of a pixel mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    /// Brightness.
    Gray,
    /// Brightness, alpha.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, alpha.
    Rgba,
}

impl Samples {
    /// The samples of a pixel, alpha included.
    pub fn per_pixel(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// A picture, averaged down if it is large. Transparency is resolved.
#[derive(Clone, Debug)]
pub struct Picture {
    /// One plane of brightness, or red, green and blue.
    planes: Vec<Plane>,
    /// The size of the original.
    width: usize,
    height: usize,
    /// The original has this many pixels per pixel of the planes, along each side.
    shrunk_by: usize,
    /// How many pixels of the original the first column and the first row of the planes have less than the others.
    cut: (usize, usize),
}

impl Picture {
    /// A picture from `height` rows of `width` pixels, each sample from 0 to 255. Transparent parts
    /// get a background that contrasts with the ink.
    ///
    /// # Errors
    /// [`NormaliseError::Size`] if the number of samples does not match.
    pub fn new(width: usize, height: usize, samples: Samples, data: &[u8]) -> Result<Self, NormaliseError> {
        let n = samples.per_pixel();
        let len = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(n));
        if width == 0 || height == 0 || len != Some(data.len()) {
            return Err(NormaliseError::Size { width, height, len: data.len() });
        }
        let shrunk_by = width.max(height).div_ceil(MAX_SIDE_PIXELS);
        let mut planes = match samples {
            Samples::Gray => averages::<1>(width, height, shrunk_by, data, false),
            Samples::GrayAlpha => averages::<2>(width, height, shrunk_by, data, true),
            Samples::Rgb => averages::<3>(width, height, shrunk_by, data, false),
            Samples::Rgba => averages::<4>(width, height, shrunk_by, data, true),
        };
        if samples.has_alpha()
            && let Some(alpha) = planes.pop()
        {
            transparency::over_contrasting_background(&mut planes, &alpha);
        }
        Ok(Self { planes, width, height, shrunk_by, cut: (0, 0) })
    }

    /// Turns the picture upright, given the value of the tag Orientation of EXIF 2.3, from 1 to 8.
    /// Any other value changes nothing.
    ///
    /// ```text
    ///   tag      1     2     3     4     5     6     7     8
    ///
    ///   stored   a b   b a   d c   c d   a c   b d   d b   c a          a b
    ///            c d   d c   b a   a b   b d   a c   c a   d b    ->    c d
    /// ```
    pub fn upright(mut self, orientation: u8) -> Self {
        for plane in &mut self.planes {
            // Values above 4 exchange rows and columns; the others only change direction.
            if (5..=8).contains(&orientation) {
                *plane = plane.transposed();
            }
            if matches!(orientation, 2 | 3 | 6 | 7) {
                plane.values.chunks_exact_mut(plane.width).for_each(<[f32]>::reverse);
            }
            if matches!(orientation, 3 | 4 | 7 | 8) {
                let rows = plane.values.chunks_exact(plane.width).rev();
                plane.values = rows.flatten().copied().collect();
            }
        }
        if (5..=8).contains(&orientation) {
            (self.width, self.height) = (self.height, self.width);
        }
        // What the last block lacks, the first one lacks once they are reversed.
        let Plane { width, height, .. } = self.planes[0];
        if matches!(orientation, 2 | 3 | 6 | 7) {
            self.cut.0 = width * self.shrunk_by - self.width;
        }
        if matches!(orientation, 3 | 4 | 7 | 8) {
            self.cut.1 = height * self.shrunk_by - self.height;
        }
        self
    }

    /// The brightness, 0 to 255.
    pub(super) fn brightness(&self) -> Plane {
        let [red, green, blue] = &self.planes[..] else { return self.planes[0].clone() };
        let rgb = red.values.iter().zip(&green.values).zip(&blue.values);
        let mix =
            |((r, g), b): ((&f32, &f32), &f32)| BRIGHTNESS[0] * r + BRIGHTNESS[1] * g + BRIGHTNESS[2] * b;
        Plane { width: red.width, height: red.height, values: rgb.map(mix).collect() }
    }

    /// Red, green and blue; none if the picture is grey.
    pub(super) fn colours(&self) -> &[Plane] {
        if self.planes.len() == 3 { &self.planes } else { &[] }
    }

    /// A box of the planes, enlarged by `enlarged_by`, as a box of the original.
    pub(super) fn original(&self, area: &Area, enlarged_by: usize) -> Area {
        let within = |v: usize, cut: usize, side: usize| v.saturating_sub(cut).min(side);
        let start = |v: usize, cut, side| within(v * self.shrunk_by / enlarged_by, cut, side);
        let end = |v: usize, cut, side| within((v * self.shrunk_by).div_ceil(enlarged_by), cut, side);
        let (columns, rows) = self.cut;
        let (left, top) = (start(area.left, columns, self.width), start(area.top, rows, self.height));
        let (right, bottom) = (end(area.right(), columns, self.width), end(area.bottom(), rows, self.height));
        Area { left, top, width: right - left, height: bottom - top }
    }
}

/// The mean of each sample over blocks of k x k pixels. With `alpha`, the last sample weights the
/// others: they come back multiplied by alpha / 255.
fn averages<const N: usize>(width: usize, height: usize, k: usize, data: &[u8], alpha: bool) -> Vec<Plane> {
    let (columns, rows) = (width.div_ceil(k), height.div_ceil(k));
    let mut planes =
        vec![Plane { width: columns, height: rows, values: Vec::with_capacity(columns * rows) }; N];
    let mut sums = vec![[0u32; N]; columns];
    for block in data.chunks(k * width * N) {
        sums.fill([0; N]);
        for row in block.chunks_exact(width * N) {
            for (sum, pixels) in sums.iter_mut().zip(row.chunks(k * N)) {
                for pixel in pixels.chunks_exact(N) {
                    let weight = if alpha { u32::from(pixel[N - 1]) } else { 1 };
                    for (i, (sum, &v)) in sum.iter_mut().zip(pixel).enumerate() {
                        *sum += u32::from(v) * if alpha && i == N - 1 { 255 } else { weight };
                    }
                }
            }
        }
        let block_rows = block.len() / (width * N);
        for (x, sum) in sums.iter().enumerate() {
            let count = block_rows * k.min(width - x * k) * if alpha { 255 } else { 1 };
            for (plane, &sum) in planes.iter_mut().zip(sum) {
                plane.values.push(sum as f32 / count as f32);
            }
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn large_pictures_are_averaged_and_small_ones_kept() {
        let small = Picture::new(3, 2, Samples::Gray, &[1, 2, 3, 4, 5, 6]).unwrap().brightness();
        assert_eq!((small.width, small.height), (3, 2));
        assert_eq!(small.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let long: Vec<u8> = (0..2050).map(|i| (i % 2) as u8 * 100).collect();
        let picture = Picture::new(2050, 1, Samples::Gray, &long).unwrap();
        let shrunk = picture.brightness();
        assert_eq!((shrunk.width, shrunk.height), (684, 1));
        assert!((shrunk.values[0] - 100.0 / 3.0).abs() < 1e-4, "{}", shrunk.values[0]);
        assert_eq!(shrunk.values[683], 100.0, "the last block holds one pixel");
        let area = Area { left: 680, top: 0, width: 4, height: 1 };
        assert_eq!(picture.original(&area, 1), Area { left: 2040, top: 0, width: 10, height: 1 });
        // Mirrored, the block of one pixel comes first.
        let (first, last) = (Area { left: 0, ..area }, Area { left: 683, width: 1, ..area });
        let mirrored = picture.upright(2);
        assert_eq!(mirrored.original(&first, 1), Area { left: 0, top: 0, width: 10, height: 1 });
        assert_eq!(mirrored.original(&last, 1), Area { left: 2047, top: 0, width: 3, height: 1 });
        let turned = Picture::new(2050, 1, Samples::Gray, &long).unwrap().upright(8);
        let first = Area { left: 0, top: 0, width: 1, height: 4 };
        assert_eq!(turned.original(&first, 1), Area { height: 10, ..first });
    }

    #[test]
    fn colours_have_the_brightness_of_the_standard() {
        let picture = Picture::new(1, 1, Samples::Rgb, &[255, 0, 0]).unwrap();
        assert!((picture.brightness().values[0] - 54.2).abs() < 0.1);
        assert_eq!(picture.colours().len(), 3);
    }

    /// The 2 x 3 picture 1 2 / 3 4 / 5 6 as a camera stores it under each orientation.
    #[test]
    fn every_orientation_is_turned_upright() {
        let stored: [(u8, usize, [u8; 6]); 8] = [
            (1, 2, [1, 2, 3, 4, 5, 6]),
            (2, 2, [2, 1, 4, 3, 6, 5]),
            (3, 2, [6, 5, 4, 3, 2, 1]),
            (4, 2, [5, 6, 3, 4, 1, 2]),
            (5, 3, [1, 3, 5, 2, 4, 6]),
            (6, 3, [2, 4, 6, 1, 3, 5]),
            (7, 3, [6, 4, 2, 5, 3, 1]),
            (8, 3, [5, 3, 1, 6, 4, 2]),
        ];
        for (orientation, width, pixels) in stored {
            let picture = Picture::new(width, 6 / width, Samples::Gray, &pixels).unwrap();
            let upright = picture.upright(orientation);
            let plane = upright.brightness();
            assert_eq!(plane.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "orientation {orientation}");
            assert_eq!((upright.width, upright.height, plane.width), (2, 3, 2));
        }
    }

    #[test]
    fn sizes_that_do_not_agree_are_refused() {
        for (width, height, samples) in [(0, 0, 0), (0, 5, 5), (2, 2, 6), (usize::MAX, 2, 4)] {
            let error = Picture::new(width, height, Samples::Gray, &vec![9; samples]).unwrap_err();
            assert_eq!(error, NormaliseError::Size { width, height, len: samples });
        }
    }
}
