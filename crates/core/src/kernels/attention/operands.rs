//! The memory layout of the heads of Q, K, V and their gradients.

use std::ops::Range;

use ndarray::{ArrayViewMut, ArrayViewMut2, ArrayViewMut4, ArrayViewMut5, Axis, RemoveAxis};

use super::dims::Dims;
use crate::Number;
use crate::kernels::matmul::Mat;

/// One of Q, K, V and Y: a vector for each token and head. The D elements of head `h` of token `t`
/// of sequence `b` start at `offset + (b T + t) row_stride + h D`.
#[derive(Debug, Clone, Copy)]
pub struct Heads<'a, T> {
    data: &'a [T],
    /// T: tokens per sequence.
    tokens: usize,
    /// H: heads.
    heads: usize,
    /// D: elements per head.
    d: usize,
    offset: usize,
    row_stride: usize,
}

impl<'a, T: Number> Heads<'a, T> {
    /// Part `part` of `data`, `(B, T, parts C)`: `parts` parts of C columns, side by side. `shape`
    /// is `[T, H, D]`.
    pub fn new(data: &'a [T], shape: [usize; 3], (part, parts): (usize, usize)) -> Self {
        let [tokens, heads, d] = shape;
        let c = heads * d;
        Self { data, tokens, heads, d, offset: part * c, row_stride: parts * c }
    }

    /// The vectors of head `bh = b H + h` for a range of tokens: `(tokens, D)`.
    pub(super) fn rows(self, bh: usize, tokens: Range<usize>) -> Mat<'a, T> {
        let (b, h) = (bh / self.heads, bh % self.heads);
        let first = self.offset + (b * self.tokens + tokens.start) * self.row_stride + h * self.d;
        let data = &self.data[first.min(self.data.len())..];
        Mat::with_row_stride(data, (tokens.len(), self.d), self.row_stride)
    }
}

/// The inputs of attention: Q for T_q queries, K and V for T_k keys.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a, T> {
    /// Q.
    pub q: Heads<'a, T>,
    /// K.
    pub k: Heads<'a, T>,
    /// V.
    pub v: Heads<'a, T>,
}

impl<'a, T: Number> Inputs<'a, T> {
    /// Self-attention: Q, K and V side by side in `qkv`, `(B, T, 3 C)`.
    pub fn self_attention(dims: Dims, qkv: &'a [T]) -> Self {
        let part = |part| Heads::new(qkv, [dims.t_k, dims.h, dims.d], (part, 3));
        Self { q: part(0), k: part(1), v: part(2) }
    }

    /// Cross-attention: Q in `q`, `(B, T_q, C)`, and K and V side by side in `kv`,
    /// `(B, T_k, 2 C)`.
    pub fn cross_attention(dims: Dims, q: &'a [T], kv: &'a [T]) -> Self {
        let part = |part| Heads::new(kv, [dims.t_k, dims.h, dims.d], (part, 2));
        Self { q: Heads::new(q, [dims.t_q, dims.h, dims.d], (0, 1)), k: part(0), v: part(1) }
    }
}

/// The gradients to write, with respect to Q, K and V: views `(B, H, T, D)`.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// dQ.
    pub q: ArrayViewMut4<'a, T>,
    /// dK.
    pub k: ArrayViewMut4<'a, T>,
    /// dV.
    pub v: ArrayViewMut4<'a, T>,
}

impl<'a, T: Number> Gradients<'a, T> {
    /// The gradients of [`Inputs::self_attention`], in `dqkv` `(B, T, 3 C)`.
    pub fn self_attention(dims: Dims, dqkv: &'a mut [T]) -> Self {
        let [q, k, v] = parts_mut(dqkv, [dims.b, dims.t_k, dims.h, dims.d]);
        Self { q, k, v }
    }

    /// The gradients of [`Inputs::cross_attention`], in `dq` `(B, T_q, C)` and `dkv` `(B, T_k, 2 C)`.
    pub fn cross_attention(dims: Dims, dq: &'a mut [T], dkv: &'a mut [T]) -> Self {
        let [q] = parts_mut(dq, [dims.b, dims.t_q, dims.h, dims.d]);
        let [k, v] = parts_mut(dkv, [dims.b, dims.t_k, dims.h, dims.d]);
        Self { q, k, v }
    }
}

/// Splits `(B, T, PARTS C)` into its parts, each as `(B, H, T, D)`; `shape` is `[B, T, H, D]`.
pub(super) fn parts_mut<T: Number, const PARTS: usize>(
    data: &mut [T],
    shape: [usize; 4],
) -> [ArrayViewMut4<'_, T>; PARTS] {
    let [b, t, h, d] = shape;
    let all = ArrayViewMut5::from_shape((b, t, PARTS, h, d), data).expect("the op checks the shape");
    split_first_axis(all.permuted_axes([2, 0, 3, 1, 4])).try_into().expect("the first axis has PARTS entries")
}

/// `(B, H, T, D)` as B H views `(T, D)` that threads can write to at the same time.
pub(super) fn heads_mut<T>(all: ArrayViewMut4<'_, T>) -> Vec<ArrayViewMut2<'_, T>> {
    split_first_axis(all).into_iter().flat_map(split_first_axis).collect()
}

/// Splits a view along its first axis.
fn split_first_axis<T, D: RemoveAxis>(
    mut all: ArrayViewMut<'_, T, D>,
) -> Vec<ArrayViewMut<'_, T, D::Smaller>> {
    let mut views = Vec::with_capacity(all.len_of(Axis(0)));
    while all.len_of(Axis(0)) > 0 {
        let (first, rest) = all.split_at(Axis(0), 1);
        views.push(first.index_axis_move(Axis(0), 0));
        all = rest;
    }
    views
}

/// A range of the rows of a matrix.
pub(super) fn rows_mut<T>(mut matrix: ArrayViewMut2<'_, T>, rows: Range<usize>) -> ArrayViewMut2<'_, T> {
    matrix.slice_axis_inplace(Axis(0), rows.into());
    matrix
}
