//! Products of matrices with few rows, as in the forward pass of a mini-batch of 10.
//!
//! The general product first packs both matrices, which pays off if every element is used many
//! times. This one reads them in place.

use super::reduce::sum_lanes;
use super::simd::{array, vectorised};
use crate::Number;

/// Whether [`rows_times_rows`] is faster than the general product `(m, k) (k, n)`: it is if that
/// would copy far more elements than the output has. Each output element costs a horizontal sum
/// here, which is not vectorised. A single row needs no copy at all.
pub fn is_faster(m: usize, k: usize, n: usize) -> bool {
    m > 1 && n > 1 && (m + n) * k >= 8 * m * n
}

/// `out = a b^T`, or `out += a b^T`, of row-major matrices `(m, k)` and `(n, k)`, as
/// the dot products of their rows; `k` is at least 1.
pub fn rows_times_rows<T: Number>(a: &[T], b: &[T], k: usize, out: &mut [T], accumulate: bool) {
    in_tiles::<T, 5, 2, 8>(a, b, k, out, accumulate);
}

/// [`rows_times_rows`] in tiles of `ROWS` rows of `a` and `COLS` rows of `b`, so that every loaded
/// element is used several times. The result depends on the number of lanes, but not on the tile
/// size.
fn in_tiles<'a, T: Number, const ROWS: usize, const COLS: usize, const LANES: usize>(
    a: &'a [T],
    b: &'a [T],
    k: usize,
    out: &mut [T],
    accumulate: bool,
) {
    let (m, n) = (a.len() / k, b.len() / k);
    let row = |x: &'a [T], i: usize| &x[i * k..][..k];
    vectorised(
        #[inline(always)]
        || {
            for i in (0..m).step_by(ROWS) {
                let rows = ROWS.min(m - i);
                // A tile at the edge computes its last row several times.
                let mut a_rows = [&[][..]; ROWS];
                for (r, a_row) in a_rows.iter_mut().enumerate() {
                    *a_row = row(a, i + r.min(rows - 1));
                }
                for j in (0..n).step_by(COLS) {
                    let cols = COLS.min(n - j);
                    let mut b_rows = [&[][..]; COLS];
                    for (c, b_row) in b_rows.iter_mut().enumerate() {
                        *b_row = row(b, j + c.min(cols - 1));
                    }
                    let tile = scalar_products::<T, ROWS, COLS, LANES>(a_rows, b_rows);
                    for (r, tile) in tile.iter().enumerate().take(rows) {
                        let out = &mut out[(i + r) * n + j..][..cols];
                        for (o, &x) in out.iter_mut().zip(tile) {
                            *o = if accumulate { *o + x } else { x };
                        }
                    }
                }
            }
        },
    );
}

/// The dot product of each row of `a` with each row of `b`, `LANES` elements at a time.
///
/// All loops but one have constant bounds, and all slices of that one have the same length: this
/// compiles to loads and multiply-adds only, with the sums in registers. Check the machine code
/// after a change here.
#[inline(always)]
fn scalar_products<T: Number, const R: usize, const C: usize, const LANES: usize>(
    a: [&[T]; R],
    b: [&[T]; C],
) -> [[T; C]; R] {
    let blocks = a[0].len() / LANES;
    let (mut a_blocks, mut b_blocks) = ([&[][..]; R], [&[][..]; C]);
    for r in 0..R {
        a_blocks[r] = &a[r].as_chunks::<LANES>().0[..blocks];
    }
    for c in 0..C {
        b_blocks[c] = &b[c].as_chunks::<LANES>().0[..blocks];
    }
    let mut sums = [[[T::zero(); LANES]; C]; R];
    for p in 0..blocks {
        for r in 0..R {
            for c in 0..C {
                sums[r][c] = mul_add(a_blocks[r][p], b_blocks[c][p], sums[r][c]);
            }
        }
    }
    let mut out = [[T::zero(); C]; R];
    for r in 0..R {
        for c in 0..C {
            out[r][c] = sum_lanes(sums[r][c]);
        }
    }
    for r in 0..R {
        for c in 0..C {
            for (&x, &y) in a[r][blocks * LANES..].iter().zip(&b[c][blocks * LANES..]) {
                out[r][c] += x * y;
            }
        }
    }
    out
}

/// `a b + c`, lane by lane.
#[inline(always)]
fn mul_add<T: Number, const LANES: usize>(a: [T; LANES], b: [T; LANES], c: [T; LANES]) -> [T; LANES] {
    array(
        #[inline(always)]
        |l| a[l].fused_mul_add(b[l], c[l]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, step: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin()).collect()
    }

    fn product<const ROWS: usize, const COLS: usize, const LANES: usize>(
        (m, k, n): (usize, usize, usize),
        accumulate: bool,
    ) -> Vec<f32> {
        let (a, b) = (noise(m * k, 0.37), noise(n * k, 0.23));
        let mut out = vec![9.0; m * n];
        in_tiles::<f32, ROWS, COLS, LANES>(&a, &b, k, &mut out, accumulate);
        out
    }

    #[test]
    fn results_do_not_depend_on_the_tile_size() {
        let shape = (13, 131, 9);
        assert_eq!(product::<5, 4, 16>(shape, false), product::<1, 1, 16>(shape, false));
        assert_eq!(product::<5, 2, 8>(shape, false), product::<3, 4, 8>(shape, false));
    }

    #[test]
    fn agrees_with_the_definition() {
        for (m, k, n) in [(10, 784, 30), (5, 100, 2), (1, 1, 1), (6, 7, 3), (4, 8, 5), (11, 33, 13)] {
            let (a, b) = (noise(m * k, 0.37), noise(n * k, 0.23));
            let sums = [
                product::<5, 4, 16>((m, k, n), false),
                product::<5, 2, 8>((m, k, n), false),
                product::<5, 2, 8>((m, k, n), true).iter().map(|x| x - 9.0).collect(),
            ];
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let want: f64 = (0..k).map(|p| f64::from(a[i * k + p]) * f64::from(b[j * k + p])).sum();
                for sums in &sums {
                    let got = f64::from(sums[i * n + j]);
                    assert!((got - want).abs() < 2e-5, "{m} x {k} x {n} at ({i}, {j}): {got}, not {want}");
                }
            }
        }
    }
}
