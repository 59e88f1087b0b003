//! The matrix product: where nearly all the time of a training goes.

use gemmkit::{MatMut, MatRef, Parallelism, tuning};

use super::matvec::matvec;
use super::small_matmul::{rows_pay, rows_times_rows};
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
    if a.rows == 1 && b.transposed {
        return matvec(b.data, a.data, out, accumulate);
    }
    if !a.transposed && b.transposed && work < PARALLEL_FROM && rows_pay(a.rows, a.cols, b.cols) {
        return rows_times_rows(a.data, b.data, a.cols, out, accumulate);
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
