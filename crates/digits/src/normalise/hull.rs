//! The convex hull of a region of a picture.
//!
//! ```text
//!   ..##....      ..##....
//!   .#..##..  ->  .#####..       a sheet of paper equals its hull;
//!   .######.      .######.       a desk with a corner covered does not
//! ```

use super::mask::Mask;

/// The convex hull of some pixels of a picture.
pub(super) struct Hull {
    /// The corners, in order around the hull.
    corners: Vec<(i64, i64)>,
    /// The area in pixels.
    pub area: f32,
    /// The share of the hull that the region covers once its holes are filled: 1 for a convex region.
    pub solidity: f32,
}

impl Hull {
    /// The hull of pixels, given by their index, of a picture `width` pixels wide.
    pub fn of(pixels: &[usize], width: usize, height: usize) -> Self {
        let mut rows = vec![(usize::MAX, 0); height];
        let mut columns = vec![(usize::MAX, 0); width];
        for &pixel in pixels {
            let (x, y) = (pixel % width, pixel / width);
            rows[y] = (rows[y].0.min(x), rows[y].1.max(x + 1));
            columns[x] = (columns[x].0.min(y), columns[x].1.max(y + 1));
        }
        let span = |spans: &[(usize, usize)]| spans.iter().map(|(a, b)| b.saturating_sub(*a)).sum::<usize>();
        // Spans along rows fill holes and bays that open upward; those along columns, the others.
        let filled = span(&rows).min(span(&columns));
        let used = rows.iter().enumerate().filter(|(_, (left, right))| left < right);
        let corners = |(y, &(left, right)): (usize, &(usize, usize))| {
            let (left, right, y) = (left as i64, right as i64, y as i64);
            [(left, y), (left, y + 1), (right, y), (right, y + 1)]
        };
        let mut points: Vec<(i64, i64)> = used.flat_map(corners).collect();
        points.sort_unstable();
        let corners = convex(&points);
        let twice: i64 = edges(&corners).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum();
        let area = twice.abs() as f32 / 2.0;
        Self { corners, area, solidity: filled as f32 / area.max(1.0) }
    }

    /// The sides, shorter first, of the smallest rectangle around the hull, which may be turned. One side
    /// of this rectangle lies along a side of the hull (H. Freeman and R. Shapira, *Determining the
    /// minimum-area encasing rectangle for an arbitrary closed curve*, 1975).
    pub fn rectangle(&self) -> (f32, f32) {
        let range = |direction: (f32, f32)| {
            let along = self.corners.iter().map(|&(x, y)| x as f32 * direction.0 + y as f32 * direction.1);
            let (lo, hi) =
                along.fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
            hi - lo
        };
        let sides = |((ax, ay), (bx, by)): ((i64, i64), (i64, i64))| {
            let (dx, dy) = ((bx - ax) as f32, (by - ay) as f32);
            let length = dx.hypot(dy).max(1.0);
            let (dx, dy) = (dx / length, dy / length);
            (range((dx, dy)), range((-dy, dx)))
        };
        let smallest = edges(&self.corners).map(sides).min_by(|a, b| (a.0 * a.1).total_cmp(&(b.0 * b.1)));
        let (a, b) = smallest.unwrap_or((1.0, 1.0));
        (a.min(b), a.max(b))
    }

    /// The share of that rectangle that the hull covers.
    pub fn rectangularity(&self) -> f32 {
        let (a, b) = self.rectangle();
        self.area / (a * b).max(1.0)
    }

    /// The share of the hull that the largest quadrilateral between its corners covers: 1 for a sheet seen at an
    /// angle, 0.64 for an ellipse.
    pub fn quadrilateral_share(&self) -> f32 {
        let corners = &self.corners;
        let twice_area = |(a, b, c): ((i64, i64), (i64, i64), (i64, i64))| {
            ((b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)).abs()
        };
        // A diagonal, and the farthest corner on each side of it.
        let diagonals = (0..corners.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
        let farthest = |side: &mut dyn Iterator<Item = &(i64, i64)>, i: usize, j: usize| {
            side.map(|&corner| twice_area((corners[i], corners[j], corner))).max().unwrap_or(0)
        };
        let largest = diagonals.map(|(i, j)| {
            farthest(&mut corners[i..j].iter(), i, j)
                + farthest(&mut corners[j..].iter().chain(&corners[..i]), i, j)
        });
        largest.max().unwrap_or(0) as f32 / (2.0 * self.area).max(1.0)
    }

    /// The pixels whose centre lies in the hull.
    pub fn mask(&self, width: usize, height: usize) -> Mask {
        let mut mask = Mask::empty(width, height);
        for (y, row) in mask.bits.chunks_exact_mut(width).enumerate() {
            let centre = y as f32 + 0.5;
            let (mut left, mut right) = (f32::INFINITY, f32::NEG_INFINITY);
            for (a, b) in edges(&self.corners) {
                let (a, b) = ((a.0 as f32, a.1 as f32), (b.0 as f32, b.1 as f32));
                if (a.1 < centre) != (b.1 < centre) {
                    let x = a.0 + (b.0 - a.0) * (centre - a.1) / (b.1 - a.1);
                    (left, right) = (left.min(x), right.max(x));
                }
            }
            // Casting a float to usize saturates at zero.
            let (first, end) = ((left - 0.5).ceil() as usize, ((right + 0.5).floor() as usize).min(width));
            if left < right && first < end {
                row[first..end].fill(true);
            }
        }
        mask
    }
}

/// The corners of the convex hull of sorted points, by the monotone chain of A. M. Andrew
/// (*Another efficient algorithm for convex hulls in two dimensions*, 1979).
fn convex(points: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let chain = |points: &mut dyn Iterator<Item = (i64, i64)>| {
        let mut chain: Vec<(i64, i64)> = Vec::new();
        for p in points {
            while let [.., a, b] = chain[..]
                && (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0) <= 0
            {
                chain.pop();
            }
            chain.push(p);
        }
        chain.pop();
        chain
    };
    let mut corners = chain(&mut points.iter().copied());
    corners.extend(chain(&mut points.iter().rev().copied()));
    corners
}

/// The sides of a polygon.
fn edges(corners: &[(i64, i64)]) -> impl Iterator<Item = ((i64, i64), (i64, i64))> {
    corners.iter().copied().zip(corners.iter().copied().cycle().skip(1))
}

#[cfg(test)]
mod tests {
    use super::super::mask::tests::drawn;
    use super::*;

    fn hull(rows: &[&str]) -> (Hull, Mask) {
        let mask = drawn(rows);
        let pixels: Vec<usize> = mask.pixels().collect();
        let hull = Hull::of(&pixels, mask.width, mask.height);
        let filled = hull.mask(mask.width, mask.height);
        (hull, filled)
    }

    #[test]
    fn a_ring_is_solid_once_filled() {
        let (hull, filled) = hull(&["......", ".####.", ".#..#.", ".####.", "......"]);
        assert_eq!((hull.area, hull.solidity), (12.0, 1.0));
        assert_eq!(filled, drawn(&["......", ".####.", ".####.", ".####.", "......"]));
    }

    #[test]
    fn a_corner_is_not_solid() {
        let (hull, _) = hull(&["######", "######", "##....", "##....", "##....", "##...."]);
        assert!(hull.solidity < 0.75, "{}", hull.solidity);
        let (one, filled) = self::hull(&["...", ".#.", "..."]);
        assert_eq!((one.area, one.solidity, filled.pixels().count()), (1.0, 1.0, 1));
    }

    #[test]
    fn a_trapezium_fills_a_quadrilateral_and_an_ellipse_does_not() {
        let side = 100;
        let share = |is_inside: fn(f32, f32) -> bool| {
            let at = |i: usize| (i as f32 + 0.5) / side as f32 * 2.0 - 1.0;
            let pixels: Vec<usize> =
                (0..side * side).filter(|i| is_inside(at(i % side), at(i / side))).collect();
            let hull = Hull::of(&pixels, side, side);
            (hull.rectangularity(), hull.quadrilateral_share())
        };
        let (rectangle, quadrilateral) = share(|x, y| x.abs() < 0.7 + 0.25 * y);
        assert!(rectangle < 0.8 && quadrilateral > 0.95, "{rectangle} {quadrilateral}");
        let (_, quadrilateral) = share(|x, y| x.hypot(1.4 * y) < 0.9);
        assert!((0.62..0.67).contains(&quadrilateral), "{quadrilateral}");
    }
}
