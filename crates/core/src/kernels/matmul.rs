//! The matrix product: where nearly all the time of a training goes.

use gemmkit::{MatMut, MatRef, Parallelism, tuning};

use super::vectorised;
use crate::Real;

/// A row-major matrix, perhaps to be read as its transpose.
#[derive(Debug, Clone, Copy)]
pub struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    transposed: bool,
}

impl<'a, T: Real> Mat<'a, T> {
    /// `rows` times `cols` numbers, row by row.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn new(data: &'a [T], (rows, cols): (usize, usize)) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} x {cols} matrix");
        Self { data, rows, cols, transposed: false }
    }

    /// The transpose, without moving a number.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, transposed: !self.transposed, ..self }
    }

    fn strided(self) -> MatRef<'a, T> {
        let (down, across) = if self.transposed { (1, self.rows) } else { (self.cols, 1) };
        MatRef::new(self.data, self.rows, self.cols, down as isize, across as isize)
    }
}

/// Below this many multiplications a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 20;

/// `out = a b`, or `out += a b` if `accumulate`; `out` is row-major.
///
/// The result is the same bits for any number of threads.
///
/// # Panics
/// If the shapes do not fit each other.
pub fn matmul<T: Real>(a: Mat<T>, b: Mat<T>, out: &mut [T], accumulate: bool) {
    assert_eq!(a.cols, b.rows, "inner lengths of a matrix product");
    assert_eq!(out.len(), a.rows * b.cols, "length of a matrix product");
    if out.is_empty() {
        return;
    }
    let work = a.rows * a.cols * b.cols;
    if !a.transposed && b.transposed && rows_pay(a.rows, a.cols, b.cols) {
        // As many sums at a time as the registers hold.
        return match wide_registers() {
            true => rows_times_rows::<T, 5, 4>(a, b, out, accumulate),
            false => rows_times_rows::<T, 3, 2>(a, b, out, accumulate),
        };
    }
    let threads = match rayon::current_num_threads() {
        1 => Parallelism::Serial,
        _ if work < PARALLEL_FROM => Parallelism::Serial,
        n => Parallelism::Rayon(n),
    };
    // gemmkit may copy a matrix into the order in which its innermost loop reads before it
    // multiplies, which changes no bit. Measured on AVX2: for products of this size it pays
    // for the matrix that is read along its rows always; for the other if it is transposed
    // and its rows are longer than half a page, since each step down a column is then
    // another page, or it has so many rows that it fits into no cache.
    const HALF_A_PAGE: usize = 2048;
    const MANY_ROWS: usize = 4096;
    tuning::set_lhs_pack_threshold(0);
    if a.transposed && (a.rows * T::BYTES >= HALF_A_PAGE || a.cols >= MANY_ROWS) {
        tuning::set_rhs_pack_threshold(0);
    }
    general(a, b, out, accumulate, threads);
    tuning::set_lhs_pack_threshold(tuning::LHS_PACK_THRESHOLD_DEFAULT);
    tuning::set_rhs_pack_threshold(tuning::RHS_PACK_THRESHOLD_DEFAULT);
}

/// The same on this thread alone, for code that is one of many parallel pieces.
///
/// # Panics
/// If the shapes do not fit each other.
pub fn matmul_serial<T: Real>(a: Mat<T>, b: Mat<T>, out: &mut [T], accumulate: bool) {
    assert_eq!(a.cols, b.rows, "inner lengths of a matrix product");
    assert_eq!(out.len(), a.rows * b.cols, "length of a matrix product");
    if !out.is_empty() {
        general(a, b, out, accumulate, Parallelism::Serial);
    }
}

fn general<T: Real>(a: Mat<T>, b: Mat<T>, out: &mut [T], accumulate: bool, threads: Parallelism) {
    let beta = if accumulate { T::one() } else { T::zero() };
    let out = MatMut::from_row_major(out, a.rows, b.cols);
    gemmkit::gemm(T::one(), a.strided(), b.strided(), beta, out, threads);
}

/// Whether [`rows_times_rows`] beats the general product, which first copies
/// both matrices into another order: few rows make that copy dear.
fn rows_pay(m: usize, k: usize, n: usize) -> bool {
    k >= 64 && m * n <= 2048 && m * k * n < PARALLEL_FROM
}

/// Whether the machine has 32 registers of 16 numbers each.
fn wide_registers() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// `a b^T` as the scalar products of rows, which lie in order in memory: `ROWS` of
/// one with `COLS` of the other at a time, so that every number that is loaded is
/// used several times. The size of this tile changes no bit of the result.
fn rows_times_rows<T: Real, const ROWS: usize, const COLS: usize>(
    a: Mat<T>,
    b: Mat<T>,
    out: &mut [T],
    accumulate: bool,
) {
    let (k, n) = (a.cols, b.cols);
    vectorised(
        #[inline(always)]
        || {
            for i in (0..a.rows).step_by(ROWS) {
                for j in (0..n).step_by(COLS) {
                    let rows = ROWS.min(a.rows - i);
                    let cols = COLS.min(n - j);
                    // Where a tile sticks out, it does its last row twice.
                    let a_rows: [&[T]; ROWS] = std::array::from_fn(|r| row(a.data, i + r.min(rows - 1), k));
                    let b_rows: [&[T]; COLS] = std::array::from_fn(|c| row(b.data, j + c.min(cols - 1), k));
                    let tile = scalar_products(a_rows, b_rows);
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

#[inline(always)]
fn row<T>(data: &[T], i: usize, k: usize) -> &[T] {
    &data[i * k..][..k]
}

/// Numbers that one or two vector registers hold.
const LANES: usize = 16;

/// `a b + c`, lane by lane.
#[inline(always)]
fn mul_add<T: Real>(a: [T; LANES], b: [T; LANES], c: [T; LANES]) -> [T; LANES] {
    std::array::from_fn(
        #[inline(always)]
        |l| a[l].fused_mul_add(b[l], c[l]),
    )
}

/// The sum of the lanes, in halves.
#[inline(always)]
fn total<T: Real>(mut s: [T; LANES]) -> T {
    for half in [8, 4, 2, 1] {
        for l in 0..half {
            s[l] += s[l + half];
        }
    }
    s[0]
}

/// The scalar product of each row of `a` with each row of `b`, 16 numbers at a time.
#[inline(always)]
fn scalar_products<T: Real, const R: usize, const C: usize>(a: [&[T]; R], b: [&[T]; C]) -> [[T; C]; R] {
    let blocks = a[0].len() / LANES;
    let mut sums = [[[T::zero(); LANES]; C]; R];
    for p in 0..blocks {
        let mut b_block = [[T::zero(); LANES]; C];
        for c in 0..C {
            b_block[c] = block(b[c], p);
        }
        for r in 0..R {
            let a_block = block(a[r], p);
            for c in 0..C {
                sums[r][c] = mul_add(a_block, b_block[c], sums[r][c]);
            }
        }
    }
    let mut out = totals(sums);
    for r in 0..R {
        for c in 0..C {
            for (&x, &y) in a[r][blocks * LANES..].iter().zip(&b[c][blocks * LANES..]) {
                out[r][c] += x * y;
            }
        }
    }
    out
}

/// The sum of the lanes of each. Not inlined, so that the sums above, of which
/// nobody takes the address, stay in registers.
#[inline(never)]
fn totals<T: Real, const R: usize, const C: usize>(sums: [[[T; LANES]; C]; R]) -> [[T; C]; R] {
    sums.map(|row| row.map(total))
}

/// Numbers `16 p` to `16 p + 15`; zeros beyond the end, which is never asked for: a
/// loop that could panic would have to write its sums to memory in every round.
#[inline(always)]
fn block<T: Real>(x: &[T], p: usize) -> [T; LANES] {
    x.as_chunks::<LANES>().0.get(p).copied().unwrap_or([T::zero(); LANES])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::threads::with_threads;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        (0..n as u32).map(|i| ((i * 7 + seed * 13) % 11) as f32 - 5.0).collect()
    }

    /// The definition, for whole numbers, where every order of adding is exact.
    fn by_definition(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize), ta: bool, tb: bool) -> Vec<f32> {
        let at = |i, p| if ta { a[p * m + i] } else { a[i * k + p] };
        let bt = |p, j| if tb { b[j * k + p] } else { b[p * n + j] };
        let mut out = Vec::new();
        for i in 0..m {
            for j in 0..n {
                out.push((0..k).map(|p| at(i, p) * bt(p, j)).sum());
            }
        }
        out
    }

    const SIZES: [usize; 5] = [1, 2, 7, 33, 100];

    #[test]
    fn agrees_with_the_definition_in_every_layout() {
        for (m, k, n) in SIZES.iter().flat_map(|&m| SIZES.iter().flat_map(move |&k| SIZES.map(|n| (m, k, n))))
        {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
                let a_mat = if ta { Mat::new(&a, (k, m)).t() } else { Mat::new(&a, (m, k)) };
                let b_mat = if tb { Mat::new(&b, (n, k)).t() } else { Mat::new(&b, (k, n)) };
                let want = by_definition(&a, &b, (m, k, n), ta, tb);
                let mut out = vec![9.0; m * n];
                matmul(a_mat, b_mat, &mut out, false);
                assert_eq!(out, want, "{m} x {k} x {n}, transposed: {ta} {tb}");
                matmul(a_mat, b_mat, &mut out, true);
                assert!(out.iter().zip(&want).all(|(o, w)| *o == 2.0 * w));
            }
        }
    }

    #[test]
    fn the_tile_changes_no_bit() {
        let (m, k, n) = (13, 131, 9);
        let noise = |n: usize| (0..n).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
        let (a, b) = (noise(m * k), noise(k * n));
        let (a, b) = (Mat::new(&a, (m, k)), Mat::new(&b, (n, k)).t());
        let (mut wide, mut narrow) = (vec![0.0; m * n], vec![0.0; m * n]);
        rows_times_rows::<f32, 5, 4>(a, b, &mut wide, false);
        rows_times_rows::<f32, 3, 2>(a, b, &mut narrow, false);
        assert_eq!(wide, narrow);
    }

    #[test]
    fn the_same_bits_for_any_number_of_threads() {
        let (m, k, n) = (130, 300, 70);
        let noise = |n: usize| (0..n).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
        let (a, b) = (noise(m * k), noise(k * n));
        let product = |threads| {
            with_threads(threads, || {
                let mut out = vec![0.0; m * n];
                matmul(Mat::new(&a, (m, k)), Mat::new(&b, (n, k)).t(), &mut out, false);
                out
            })
            .unwrap()
        };
        assert_eq!(product(1), product(2));
        assert_eq!(product(1), product(5));
    }
}
