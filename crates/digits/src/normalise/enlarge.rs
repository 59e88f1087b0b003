//! Enlarges tiny pictures smoothly, so that every later step has pixels to work with.
//!
//! ```text
//!   @@          .-+##+-.
//!    @@   ->     .-+##+-.         cubic interpolation, no blocks
//! ```

use super::place::SIDE;
use super::plane::Plane;

/// By how much a picture whose longer side has fewer than 28 pixels is enlarged: a whole factor
/// that gives at least twice 28.
pub(super) fn factor(plane: &Plane) -> usize {
    let longest = plane.width.max(plane.height);
    if longest < SIDE { (2 * SIDE).div_ceil(longest) } else { 1 }
}

/// The plane with both sides `factor` times as long, by the cubic interpolation of Catmull and Rom
/// (*A class of local interpolating splines*, 1974) along rows, then along columns.
pub(super) fn enlarged(plane: &Plane, factor: usize) -> Plane {
    if factor == 1 {
        return plane.clone();
    }
    along_rows(&along_rows(plane, factor).transposed(), factor).transposed()
}

fn along_rows(plane: &Plane, factor: usize) -> Plane {
    let width = plane.width * factor;
    let last = plane.width as isize - 1;
    let mut values = Vec::with_capacity(width * plane.height);
    for row in plane.values.chunks_exact(plane.width) {
        // Beyond the edge, the picture continues as at the edge.
        let at = |x: isize| row[x.clamp(0, last) as usize];
        for i in 0..width {
            let x = (i as f32 + 0.5) / factor as f32 - 0.5;
            let (left, t) = (x.floor() as isize, x - x.floor());
            let [a, b, c, d] = [at(left - 1), at(left), at(left + 1), at(left + 2)];
            let cubic =
                b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)));
            values.push(cubic.clamp(0.0, 255.0));
        }
    }
    Plane { width, height: plane.height, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_below_28_pixels_are_enlarged() {
        let plane = |width, height| Plane { width, height, values: vec![7.0; width * height] };
        assert_eq!(factor(&plane(28, 28)), 1);
        assert_eq!(factor(&plane(27, 5)), 3);
        assert_eq!(factor(&plane(1, 1)), 56);
        let enlarged = enlarged(&plane(3, 2), 4);
        assert_eq!((enlarged.width, enlarged.height), (12, 8));
        assert!(enlarged.values.iter().all(|&v| v == 7.0));
    }

    #[test]
    fn an_edge_becomes_a_smooth_ramp() {
        let edge = Plane { width: 4, height: 1, values: vec![0.0, 0.0, 200.0, 200.0] };
        let row = enlarged(&edge, 4);
        assert!(row.values[4..11].is_sorted(), "{:?}", row.values);
        assert!(row.values[7] > 0.0 && row.values[8] < 200.0);
    }
}
