//! Bilinear interpolation in an image.

/// A grey image, 0..=1, on an infinite background of zeros.
///
/// A margin of zeros, one pixel above and to the left, two below and to the right, represents the
/// background: points farther out are clamped to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Canvas {
    rows: usize,
    cols: usize,
    /// (rows + 3, cols + 3)
    pixels: Vec<f32>,
}

impl Canvas {
    /// Loads `image`, (rows, cols), 0..=255.
    pub(super) fn load(&mut self, image: &[u8], rows: usize, cols: usize) {
        (self.rows, self.cols) = (rows, cols);
        self.pixels.clear();
        self.pixels.resize((rows + 3) * (cols + 3), 0.0);
        let lines = self.pixels.chunks_exact_mut(cols + 3).skip(1);
        for (line, image) in lines.zip(image.chunks_exact(cols)) {
            for (pixel, &grey) in line[1..].iter_mut().zip(image) {
                *pixel = f32::from(grey) / 255.0;
            }
        }
    }

    /// Writes the brightness at each point (`x`, `y`) to `out`; (0, 0) is the centre of the first
    /// pixel.
    ///
    /// Between the pixels a b in one row and c d below them, at the fractions `fx` and `fy` of the
    /// distance, the brightness is `(1-fy) ((1-fx) a + fx b) + fy ((1-fx) c + fx d)`.
    pub(super) fn sample(&self, x: &[f32], y: &[f32], out: &mut [f32]) {
        let width = self.cols + 3;
        let (right, bottom) = ((self.cols + 1) as f32, (self.rows + 1) as f32);
        for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
            // Never negative, so that the conversion to an integer rounds down.
            let (x, y) = ((x + 1.0).clamp(0.0, right), (y + 1.0).clamp(0.0, bottom));
            let (col, row) = (x as u32, y as u32);
            let (fx, fy) = (x - col as f32, y - row as f32);
            let start = row as usize * width + col as usize;
            let four = &self.pixels[start..start + width + 2];
            let (a, b, c, d) = (four[0], four[1], four[width], four[width + 1]);
            let (above, below) = (a + fx * (b - a), c + fx * (d - c));
            *out = above + fy * (below - above);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(x: f32, y: f32) -> f32 {
        let mut canvas = Canvas::default();
        canvas.load(&[255; 100], 10, 10);
        // 0 51 / 102 255, after another image has used the buffer.
        canvas.load(&[0, 51, 102, 255], 2, 2);
        let mut out = [f32::NAN];
        canvas.sample(&[x], &[y], &mut out);
        out[0]
    }

    #[test]
    fn pixels_are_exact() {
        assert_eq!([sample(0., 0.), sample(1., 0.)], [0.0, 51.0 / 255.0]);
        assert_eq!([sample(0., 1.), sample(1., 1.)], [102.0 / 255.0, 1.0]);
    }

    #[test]
    fn between_pixels_by_hand() {
        // 0.75 (0.5 · 0 + 0.5 · 0.2) + 0.25 (0.5 · 0.4 + 0.5 · 1) = 0.25
        assert!((sample(0.5, 0.25) - 0.25).abs() < 1e-6);
        // Half way from the last pixel to the background.
        assert!((sample(1.5, 1.0) - 0.5).abs() < 1e-6);
        assert!((sample(1.0, 1.75) - 0.25).abs() < 1e-6);
        assert!((sample(-0.5, 1.0) - 0.2).abs() < 1e-6);
    }

    #[test]
    fn the_background_is_zero_everywhere() {
        for far in [-1e30, -5.0, -1.0, 2.0, 2.5, 3.0, 1e30] {
            for other in [-9.0, 0.5, 1.0, 9.0] {
                assert_eq!([sample(far, other), sample(other, far)], [0.0, 0.0], "{far}");
            }
        }
    }
}
