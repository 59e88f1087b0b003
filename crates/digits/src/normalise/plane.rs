//! A plane of brightness values, and filters with sliding windows.

use super::area::Area;

/// `values[y * width + x]`, brightness 0..=255 unless stated otherwise.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

impl Plane {
    /// Averages blocks of k x k pixels. The blocks at the right and lower edges may be smaller.
    pub fn shrunk(&self, k: usize) -> Self {
        let (columns, rows) = (self.width.div_ceil(k), self.height.div_ceil(k));
        let mut sums = vec![0.0; columns * rows];
        for (y, row) in self.values.chunks_exact(self.width).enumerate() {
            let blocks = &mut sums[y / k * columns..][..columns];
            for (sum, block) in blocks.iter_mut().zip(row.chunks(k)) {
                *sum += block.iter().sum::<f32>();
            }
        }
        for (i, sum) in sums.iter_mut().enumerate() {
            let (x, y) = (i % columns * k, i / columns * k);
            *sum /= (k.min(self.width - x) * k.min(self.height - y)) as f32;
        }
        Self { width: columns, height: rows, values: sums }
    }

    /// The values inside a box.
    pub fn cropped(&self, area: &Area) -> Self {
        let rows = self.values.chunks_exact(self.width).skip(area.top).take(area.height);
        let values = rows.flat_map(|row| &row[area.left..area.right()]).copied().collect();
        Self { width: area.width, height: area.height, values }
    }

    /// The plane with `f` applied to every value.
    pub fn map(&self, f: impl FnMut(&f32) -> f32) -> Self {
        Self { width: self.width, height: self.height, values: self.values.iter().map(f).collect() }
    }

    /// The least and the greatest value.
    pub fn range(&self) -> (f32, f32) {
        self.values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)))
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

    /// The smallest value in the (2r+1) x (2r+1) window around each pixel, truncated at the edges.
    pub fn sliding_min(&self, radius: usize) -> Self {
        self.sliding(radius, f32::INFINITY, f32::min)
    }

    /// The largest value in the (2r+1) x (2r+1) window around each pixel, truncated at the edges.
    pub fn sliding_max(&self, radius: usize) -> Self {
        self.sliding(radius, f32::NEG_INFINITY, f32::max)
    }

    /// The morphological opening: the largest value in the window around each pixel of the smallest values
    /// in the windows there.
    pub fn opened(&self, radius: usize) -> Self {
        let least = |plane: &Self| plane.slid_down(radius, f32::INFINITY, f32::min);
        let most = |plane: &Self| plane.slid_down(radius, f32::NEG_INFINITY, f32::max);
        most(&most(&least(&least(self).transposed())).transposed())
    }

    fn sliding(&self, radius: usize, identity: f32, extreme: impl Fn(f32, f32) -> f32 + Copy) -> Self {
        let along_columns = |plane: &Self| plane.slid_down(radius, identity, extreme);
        along_columns(&along_columns(self).transposed()).transposed()
    }

    /// The extreme over the 2r+1 rows around each row, at the same cost for every r (M. van Herk, *A fast
    /// algorithm for local minimum and maximum filters*, 1992): a window of k rows is the end of one
    /// block of k rows and the start of the next.
    fn slid_down(&self, radius: usize, identity: f32, extreme: impl Fn(f32, f32) -> f32 + Copy) -> Self {
        // Strips of columns stay in the cache.
        const STRIP: usize = 32;
        let (w, h) = (self.width, self.height);
        // No window is longer than the plane.
        let radius = radius.min(h);
        let (k, rows) = (2 * radius + 1, h + 2 * radius);
        let (mut starts, mut ends) = (vec![[identity; STRIP]; rows], vec![[identity; STRIP]; rows]);
        let merged = |a: &[f32; STRIP], b: &[f32; STRIP]| -> [f32; STRIP] {
            std::array::from_fn(|i| extreme(a[i], b[i]))
        };
        let mut values = vec![0.0; w * h];
        for left in (0..w).step_by(STRIP) {
            let columns = STRIP.min(w - left);
            starts[..radius].fill([identity; STRIP]);
            starts[radius + h..].fill([identity; STRIP]);
            for (strip, row) in starts[radius..].iter_mut().zip(self.values.chunks_exact(w)) {
                strip[..columns].copy_from_slice(&row[left..left + columns]);
            }
            ends.copy_from_slice(&starts);
            for y in (1..rows).filter(|y| y % k != 0) {
                starts[y] = merged(&starts[y - 1], &starts[y]);
            }
            for y in (0..rows - 1).rev().filter(|y| (y + 1) % k != 0) {
                ends[y] = merged(&ends[y], &ends[y + 1]);
            }
            for (y, row) in values.chunks_exact_mut(w).enumerate() {
                row[left..left + columns]
                    .copy_from_slice(&merged(&ends[y], &starts[y + 2 * radius])[..columns]);
            }
        }
        Self { width: w, height: h, values }
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

    /// The plane with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        // Tiles stay in the cache.
        const TILE: usize = 16;
        let (w, h) = (self.width, self.height);
        let mut values = vec![0.0; w * h];
        for top in (0..h).step_by(TILE) {
            for left in (0..w).step_by(TILE) {
                for y in top..(top + TILE).min(h) {
                    for x in left..(left + TILE).min(w) {
                        values[x * h + y] = self.values[y * w + x];
                    }
                }
            }
        }
        Self { width: h, height: w, values }
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
        assert_eq!(plane.sliding_min(0).values, plane.values);
        assert_eq!(plane.box_blur(40).values, [4.2; 5]);
    }

    #[test]
    fn sliding_extremes_are_those_of_every_window() {
        let values: Vec<f32> = (0..23 * 17).map(|i| (i * 7919 % 101) as f32).collect();
        let plane = Plane { width: 23, height: 17, values };
        for radius in [1usize, 2, 5, 8, 30] {
            assert_eq!(plane.opened(radius).values, plane.sliding_min(radius).sliding_max(radius).values);
            let (least, most) = (plane.sliding_min(radius), plane.sliding_max(radius));
            for i in 0..23 * 17 {
                let (x, y): (usize, usize) = (i % 23, i / 23);
                let rows = y.saturating_sub(radius)..(y + radius + 1).min(17);
                let columns = x.saturating_sub(radius)..(x + radius + 1).min(23);
                let window: Vec<f32> = rows
                    .flat_map(|y| columns.clone().map(move |x| (x, y)))
                    .map(|(x, y)| plane.values[y * 23 + x])
                    .collect();
                let (lo, hi) = Plane { width: window.len(), height: 1, values: window }.range();
                assert_eq!((least.values[i], most.values[i]), (lo, hi), "pixel {i}, radius {radius}");
            }
        }
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
    fn shrinking_averages_blocks_and_cropping_copies() {
        let plane = Plane { width: 3, height: 2, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        assert_eq!(plane.shrunk(1).values, plane.values);
        assert_eq!(plane.shrunk(2).values, [3.0, 4.5], "the last block holds one column");
        assert_eq!(plane.shrunk(9).values, [3.5]);
        let area = Area { left: 1, top: 0, width: 2, height: 2 };
        assert_eq!(plane.cropped(&area).values, [2.0, 3.0, 5.0, 6.0]);
    }
}
