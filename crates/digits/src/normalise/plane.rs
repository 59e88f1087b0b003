//! A plane of brightness values, and filters with sliding windows.

use std::collections::VecDeque;

/// Pictures are first averaged down until no side is longer than this. A digit needs no more, and
/// time and memory stay bounded for any camera.
const MAX_SIDE_PIXELS: usize = 1024;

/// `values[y * width + x]`, brightness 0..=255 unless stated otherwise.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

impl Plane {
    /// Averages blocks of k x k pixels, with the smallest k that makes both sides short enough. The
    /// blocks at the right and lower edges may be smaller.
    pub fn reduced(gray: &[u8], width: usize, height: usize) -> Self {
        let k = width.max(height).div_ceil(MAX_SIDE_PIXELS).max(1);
        let (columns, rows) = (width.div_ceil(k), height.div_ceil(k));
        let mut values = Vec::with_capacity(columns * rows);
        for block_y in 0..rows {
            let ys = block_y * k..(block_y * k + k).min(height);
            for block_x in 0..columns {
                let xs = block_x * k..(block_x * k + k).min(width);
                let count = (xs.len() * ys.len()) as f32;
                let sum: u64 =
                    ys.clone().flat_map(|y| &gray[y * width..][xs.clone()]).map(|&v| u64::from(v)).sum();
                values.push(sum as f32 / count);
            }
        }
        Self { width: columns, height: rows, values }
    }

    /// The plane with `f` applied to every value.
    pub fn map(&self, f: impl FnMut(&f32) -> f32) -> Self {
        Self { width: self.width, height: self.height, values: self.values.iter().map(f).collect() }
    }

    /// The values on the border, clockwise from the upper left corner; each corner occurs twice.
    pub fn border(&self) -> Vec<f32> {
        let (w, last_row) = (self.width, (self.height - 1) * self.width);
        let rows = || self.values.chunks_exact(w);
        let mut border = self.values[..w].to_vec();
        border.extend(rows().map(|row| row[w - 1]));
        border.extend(self.values[last_row..].iter().rev());
        border.extend(rows().rev().map(|row| row[0]));
        border
    }

    /// The plane with a frame of width `thickness`, which extends `border` (in the order of
    /// [`Plane::border`]) straight outwards.
    pub fn framed(&self, border: &[f32], thickness: usize) -> Self {
        let (w, h) = (self.width, self.height);
        let (width, height) = (w + 2 * thickness, h + 2 * thickness);
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let inside = y.saturating_sub(thickness).min(h - 1);
            let (left, right) = (border[2 * w + 2 * h - 1 - inside], border[w + inside]);
            values.extend(std::iter::repeat_n(left, thickness));
            if y < thickness {
                values.extend(&border[..w]);
            } else if y >= h + thickness {
                values.extend(border[w + h..][..w].iter().rev());
            } else {
                values.extend(&self.values[inside * w..][..w]);
            }
            values.extend(std::iter::repeat_n(right, thickness));
        }
        Self { width, height, values }
    }

    /// Removes the frame of [`Plane::framed`].
    pub fn unframed(&self, thickness: usize) -> Self {
        let (width, height) = (self.width - 2 * thickness, self.height - 2 * thickness);
        let rows = self.values.chunks_exact(self.width).skip(thickness).take(height);
        let values = rows.flat_map(|row| &row[thickness..][..width]).copied().collect();
        Self { width, height, values }
    }

    /// The mean over the (2r+1) x (2r+1) window around each pixel, truncated at the edges.
    pub fn box_blur(&self, radius: usize) -> Self {
        self.separable(|row, out| {
            // In f64, so that subtracting what was added leaves no rounding error.
            let mut sum: f64 = row.iter().take(radius).map(|&v| f64::from(v)).sum();
            for i in 0..row.len() {
                if let Some(&entering) = row.get(i + radius) {
                    sum += f64::from(entering);
                }
                if i > radius {
                    sum -= f64::from(row[i - radius - 1]);
                }
                let window = (i + radius).min(row.len() - 1) - i.saturating_sub(radius) + 1;
                out.push((sum / window as f64) as f32);
            }
        })
    }

    /// The smallest value in the (2r+1) x (2r+1) window around each pixel.
    pub fn sliding_min(&self, radius: usize) -> Self {
        self.separable(|row, out| {
            // Candidates in ascending order: the front is the minimum of the window. A candidate
            // that is not smaller than a later value can never become the minimum.
            let mut candidates: VecDeque<usize> = VecDeque::new();
            let mut next = 0;
            for i in 0..row.len() {
                while next < row.len() && next <= i + radius {
                    while candidates.back().is_some_and(|&j| row[j] >= row[next]) {
                        candidates.pop_back();
                    }
                    candidates.push_back(next);
                    next += 1;
                }
                while candidates.front().is_some_and(|&j| j + radius < i) {
                    candidates.pop_front();
                }
                out.push(candidates.front().map_or(row[i], |&j| row[j]));
            }
        })
    }

    /// The largest value in the (2r+1) x (2r+1) window around each pixel.
    pub fn sliding_max(&self, radius: usize) -> Self {
        self.map(|v| -v).sliding_min(radius).map(|v| -v)
    }

    /// Runs a filter over each row, then over each column of the result.
    fn separable(&self, filter: impl Fn(&[f32], &mut Vec<f32>)) -> Self {
        let along_rows = |plane: &Self| {
            let mut values = Vec::with_capacity(plane.values.len());
            for row in plane.values.chunks_exact(plane.width) {
                filter(row, &mut values);
            }
            Self { width: plane.width, height: plane.height, values }
        };
        along_rows(&along_rows(self).transposed()).transposed()
    }

    fn transposed(&self) -> Self {
        let mut values = Vec::with_capacity(self.values.len());
        for x in 0..self.width {
            values.extend(self.values.iter().skip(x).step_by(self.width));
        }
        Self { width: self.height, height: self.width, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32]) -> Plane {
        Plane { width: values.len(), height: 1, values: values.to_vec() }
    }

    #[test]
    fn windows_are_truncated_at_the_edges() {
        let plane = row(&[1.0, 2.0, 6.0, 3.0, 9.0]);
        assert_eq!(plane.box_blur(1).values, [1.5, 3.0, 11.0 / 3.0, 6.0, 6.0]);
        assert_eq!(plane.sliding_min(1).values, [1.0, 1.0, 2.0, 3.0, 3.0]);
        assert_eq!(plane.sliding_max(1).values, [2.0, 6.0, 6.0, 9.0, 9.0]);
        assert_eq!(plane.sliding_max(40).values, [9.0; 5]);
        assert_eq!(plane.box_blur(40).values, [4.2; 5]);
    }

    #[test]
    fn filters_run_over_rows_and_columns() {
        let mut values = vec![0.0; 7 * 5];
        values[2 * 7 + 3] = 9.0;
        let blurred = Plane { width: 7, height: 5, values }.box_blur(1);
        for (i, &v) in blurred.values.iter().enumerate() {
            let inside = (2..=4).contains(&(i % 7)) && (1..=3).contains(&(i / 7));
            assert!((v - if inside { 1.0 } else { 0.0 }).abs() < 1e-6, "pixel {i}: {v}");
        }
    }

    #[test]
    fn a_frame_extends_the_border_and_can_be_removed() {
        let plane = Plane { width: 2, height: 2, values: vec![1.0, 2.0, 3.0, 4.0] };
        assert_eq!(plane.border(), [1.0, 2.0, 2.0, 4.0, 4.0, 3.0, 3.0, 1.0]);
        let framed = plane.framed(&plane.border(), 1);
        #[rustfmt::skip]
        assert_eq!(framed.values, [
            1.0, 1.0, 2.0, 2.0,
            1.0, 1.0, 2.0, 2.0,
            3.0, 3.0, 4.0, 4.0,
            3.0, 3.0, 4.0, 4.0,
        ]);
        assert_eq!(framed.unframed(1).values, plane.values);
    }

    #[test]
    fn reduced_averages_blocks_and_keeps_small_pictures() {
        let small = Plane::reduced(&[1, 2, 3, 4, 5, 6], 3, 2);
        assert_eq!((small.width, small.height), (3, 2));
        assert_eq!(small.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let long: Vec<u8> = (0..2050).map(|i| (i % 2) as u8 * 100).collect();
        let reduced = Plane::reduced(&long, 2050, 1);
        assert_eq!((reduced.width, reduced.height), (684, 1));
        assert!((reduced.values[0] - 100.0 / 3.0).abs() < 1e-4, "{}", reduced.values[0]);
        assert_eq!(reduced.values[683], 100.0, "the last block holds one pixel");
    }
}
