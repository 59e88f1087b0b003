//! The nearest orthogonal matrix, roughly, by products alone.

use crate::kernels::Kernels;
use crate::kernels::matmul::{Accumulate, Mat};
use crate::{Float, Precision};

/// The coefficients of the iteration, which Jordan et al. 2024 chose so that small singular values grow fast:
/// five steps bring every singular value from 0.01 to 1 into 0.68 to 1.14.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// The number of steps of the iteration.
const STEPS: usize = 5;

/// The least norm of a matrix that is orthogonalised. In `f32` the squares of elements below 1e-19 vanish, so a
/// smaller norm would be wrong, and the iteration diverge.
const LEAST_NORM: f64 = 1e-12;

/// The memory of [`orthogonalize`], which the next matrix uses again.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch<T> {
    gram: Vec<T>,
    sum: Vec<T>,
    next: Vec<T>,
}

/// Replaces a matrix `G = U S V^T` of `rows` times `cols` elements by about `U V^T`: all its singular values
/// become about 1.
///
/// It is the iteration of Newton and Schulz on `X = G / |G|`, with the Frobenius norm and the constants
/// `(a, b, c)` above:
///
/// ```text
/// A = X X^T
/// X := a X + (b A + c A A) X
/// ```
///
/// which computes `s := a s + b s^3 + c s^5` on each singular value. If there are more rows than columns, the
/// smaller `A = X^T X` multiplies from the right instead. A matrix of zeros, or nearly so, stays as it is.
pub(super) fn orthogonalize<T: Float>(
    g: &mut [T],
    (rows, cols): (usize, usize),
    precision: Precision,
    Scratch { gram, sum, next }: &mut Scratch<T>,
) {
    let norm = T::Kernels::sum_squares(&[g]).sqrt();
    if norm < LEAST_NORM || !norm.is_finite() {
        return;
    }
    let [a, b, c] = COEFFICIENTS.map(T::of);
    let n = rows.min(cols);
    // The products overwrite them.
    gram.resize(n * n, T::zero());
    sum.resize(n * n, T::zero());
    next.clear();
    next.extend_from_slice(g);
    T::Kernels::scale(g, next, T::of(1.0 / norm));
    for _ in 0..STEPS {
        let x = Mat::new(g, (rows, cols));
        let (left, right) = if rows <= cols { (x, x.t()) } else { (x.t(), x) };
        T::Kernels::matmul(left, right, Accumulate::Overwrite, gram, precision); // A
        let square = Mat::new(gram, (n, n));
        T::Kernels::matmul(square, square, Accumulate::Overwrite, sum, precision); // A A
        T::Kernels::combine(sum, gram, c, b); // b A + c A A
        T::Kernels::scale(next, g, a);
        let sum = Mat::new(sum, (n, n));
        let (left, right) = if rows <= cols { (sum, x) } else { (x, sum) };
        T::Kernels::matmul(left, right, Accumulate::Add, next, precision);
        g.copy_from_slice(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::constant;

    /// `|X v| / |v|`: how much the matrix stretches `v`.
    fn stretch(x: &[f64], (rows, cols): (usize, usize), v: &[f64]) -> f64 {
        let length = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let y: Vec<f64> =
            (0..rows).map(|i| x[i * cols..][..cols].iter().zip(v).map(|(x, v)| x * v).sum()).collect();
        length(&y) / length(v)
    }

    #[test]
    fn a_square_or_tall_matrix_keeps_lengths() {
        for (rows, cols) in [(1, 1), (6, 6), (20, 7), (64, 16)] {
            let mut x = constant(&[rows, cols], 3.0).data().to_vec();
            orthogonalize(&mut x, (rows, cols), Precision::F32, &mut Scratch::default());
            for seed in 0..5 {
                let v = constant(&[cols], f64::from(seed));
                let stretch = stretch(&x, (rows, cols), v.data());
                assert!((0.6..1.25).contains(&stretch), "{rows} x {cols}: {stretch}");
            }
        }
    }

    /// The transpose of the result is the result of the transpose, and its sign is the gradient's.
    #[test]
    fn both_orientations_agree() {
        let (rows, cols) = (5, 9);
        let x = constant(&[rows, cols], 1.0).data().to_vec();
        let transposed = |x: &[f64], (rows, cols): (usize, usize)| -> Vec<f64> {
            (0..rows * cols).map(|i| x[i % rows * cols + i / rows]).collect()
        };
        let mut wide = x.clone();
        orthogonalize(&mut wide, (rows, cols), Precision::F32, &mut Scratch::default());
        let mut tall = transposed(&x, (rows, cols));
        orthogonalize(&mut tall, (cols, rows), Precision::F32, &mut Scratch::default());
        let back = transposed(&tall, (cols, rows));
        assert!(wide.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-12));
        let along: f64 = wide.iter().zip(&x).map(|(a, b)| a * b).sum();
        assert!(along > 0.0);
    }

    #[test]
    fn zeros_stay() {
        let mut x = vec![0.0_f32; 6];
        orthogonalize(&mut x, (2, 3), Precision::F32, &mut Scratch::default());
        assert_eq!(x, [0.0; 6]);
        // Where squares of 32 bits vanish.
        for scale in [1e-13, 1e-17, 1e-19, 1e-22, 1e-30, 1e-40_f32] {
            let mut x: Vec<f32> = constant(&[2, 3], 3.0).data().iter().map(|&x| x as f32 * scale).collect();
            let before = x.clone();
            orthogonalize(&mut x, (2, 3), Precision::F32, &mut Scratch::default());
            assert_eq!(x, before, "{scale}");
        }
        let mut x: Vec<f32> = constant(&[2, 3], 3.0).data().iter().map(|&x| x as f32 * 1e-11).collect();
        orthogonalize(&mut x, (2, 3), Precision::F32, &mut Scratch::default());
        assert!(x.iter().all(|x| x.abs() < 1.3) && x.iter().any(|x| x.abs() > 0.4), "{x:?}");
    }
}
