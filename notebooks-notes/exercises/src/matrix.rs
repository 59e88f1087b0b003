//! Matrices of numbers, in plain loops.

use std::ops::{Add, Index, IndexMut, Sub};

/// Rows and columns of numbers: element `(i, j)` is `data[i * cols + j]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub cols: usize,
    /// The elements, row after row.
    pub data: Vec<f64>,
}

impl Matrix {
    /// A matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![0.0; rows * cols] }
    }

    /// A matrix of these elements, row after row.
    ///
    /// # Panics
    /// Unless there are `rows * cols` elements.
    #[track_caller]
    pub fn new(rows: usize, cols: usize, data: Vec<f64>) -> Self {
        assert!(
            data.len() == rows * cols,
            "a matrix ({rows}, {cols}) has {} elements, not {}",
            rows * cols,
            data.len()
        );
        Self { rows, cols, data }
    }

    /// The matrix whose element `(i, j)` is `f(i, j)`.
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let data = (0..rows * cols).map(|k| f(k / cols, k % cols)).collect();
        Self { rows, cols, data }
    }

    /// The number of rows and of columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Row `i`, as a slice of `cols` numbers.
    #[track_caller]
    pub fn row(&self, i: usize) -> &[f64] {
        assert!(i < self.rows, "row {i} of a matrix {:?}: rows count from 0", self.shape());
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// Rows become columns: `(N, K)` becomes `(K, N)`.
    pub fn transpose(&self) -> Self {
        Self::from_fn(self.cols, self.rows, |i, j| self.data[j * self.cols + i])
    }

    /// The matrix product: `(M, K)` times `(K, N)` is `(M, N)`.
    ///
    /// # Panics
    /// Unless the inner sizes agree.
    #[track_caller]
    pub fn matmul(&self, other: &Self) -> Self {
        assert!(
            self.cols == other.rows,
            "matmul of {:?} and {:?}: the inner sizes {} and {} differ",
            self.shape(),
            other.shape(),
            self.cols,
            other.rows
        );
        let mut product = Self::zeros(self.rows, other.cols);
        for i in 0..self.rows {
            let row = &mut product.data[i * other.cols..(i + 1) * other.cols];
            for k in 0..self.cols {
                let a = self.data[i * self.cols + k];
                let factors = &other.data[k * other.cols..(k + 1) * other.cols];
                for (sum, b) in row.iter_mut().zip(factors) {
                    *sum += a * b;
                }
            }
        }
        product
    }

    /// The function of each element.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { rows: self.rows, cols: self.cols, data: self.data.iter().map(|&x| f(x)).collect() }
    }

    /// Each element times `factor`.
    pub fn scale(&self, factor: f64) -> Self {
        self.map(|x| factor * x)
    }

    /// Element times element, of two matrices of the same shape.
    #[track_caller]
    pub fn times(&self, other: &Self) -> Self {
        self.zip(other, "times", |a, b| a * b)
    }

    #[track_caller]
    fn zip(&self, other: &Self, name: &str, f: impl Fn(f64, f64) -> f64) -> Self {
        assert!(
            self.shape() == other.shape(),
            "{name} of {:?} and {:?}: the shapes differ",
            self.shape(),
            other.shape()
        );
        let data = self.data.iter().zip(&other.data).map(|(&a, &b)| f(a, b)).collect();
        Self { rows: self.rows, cols: self.cols, data }
    }
}

impl Add for &Matrix {
    type Output = Matrix;
    #[track_caller]
    fn add(self, other: Self) -> Matrix {
        self.zip(other, "+", |a, b| a + b)
    }
}

impl Sub for &Matrix {
    type Output = Matrix;
    #[track_caller]
    fn sub(self, other: Self) -> Matrix {
        self.zip(other, "-", |a, b| a - b)
    }
}

impl Index<(usize, usize)> for Matrix {
    type Output = f64;
    #[track_caller]
    fn index(&self, (i, j): (usize, usize)) -> &f64 {
        assert!(
            i < self.rows && j < self.cols,
            "element ({i}, {j}) of a matrix {:?}: both count from 0",
            self.shape()
        );
        &self.data[i * self.cols + j]
    }
}

impl IndexMut<(usize, usize)> for Matrix {
    #[track_caller]
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut f64 {
        assert!(
            i < self.rows && j < self.cols,
            "element ({i}, {j}) of a matrix {:?}: both count from 0",
            self.shape()
        );
        &mut self.data[i * self.cols + j]
    }
}
