//! The operations that models are made of, one file each.
//!
//! A file reads from top to bottom: the mathematics, the method of [`Tape`](crate::Tape) that
//! records the op, `forward`, `backward`, and the gradient check. An op contains no numerical code:
//! it calls kernels. To add an op, write its file and list it here. The traits of ops are defined
//! [with the tape](crate::tape::op).

pub mod add;
pub mod additive_scores;
pub mod argmax;
pub mod attention;
pub mod batched_matmul;
pub mod cached_attention;
pub mod cross_entropy;
pub mod dropout;
pub mod embedding;
#[cfg(test)]
mod extremes;
pub mod feed_forward;
pub mod gelu;
pub mod gelu_exact;
pub mod heads;
pub mod l2_normalize;
#[cfg(test)]
mod large_batches;
pub mod last_token;
pub mod layer_norm;
pub mod linear;
pub mod linear_residual;
pub mod log_sum_exp;
pub mod masked_softmax;
pub mod matmul;
pub mod mean;
pub mod mul;
pub mod negative_distance;
pub mod packed_linear;
pub mod qk_norm;
pub mod quadratic_cost;
pub mod reciprocal;
pub mod relu;
pub mod relu_squared;
pub mod residual;
pub mod reverse_features;
pub mod rms_norm;
pub mod rotary;
pub mod scale;
pub mod sigmoid;
pub mod sigmoid_cross_entropy;
pub mod smoothed_cross_entropy;
pub mod softmax;
pub mod softmax_cross_entropy;
pub mod swiglu;
pub mod tanh;
pub mod top_k;
pub mod value_residual;

use crate::kernels::matmul::Mat;
pub use crate::tape::op::{Backward, Differentiable, Forward, Op};
use crate::tensor::rows_cols;
use crate::{Float, Shape, Tensor};

/// The output shape of an op whose inputs and output have the same shape.
pub(crate) fn same_shape(inputs: &[&[usize]]) -> Result<Shape, String> {
    match inputs {
        [first, rest @ ..] if rest.iter().all(|s| s == first) => Ok(ndarray::IxDyn(first)),
        _ => Err("all inputs must have the same shape".into()),
    }
}

/// The output shape of a cost of two tensors `(B, N)`, or the rule `why`.
fn cost_shape(inputs: &[&[usize]], why: &str) -> Result<Shape, String> {
    match inputs {
        [z, y] if z == y && count(z) > 0 => Ok(ndarray::IxDyn(&[])),
        _ => Err(why.into()),
    }
}

/// The output shape of a cost of logits `(.., V)`, with a target token in `ids` for each row. `any_counts` says whether
/// a target counts; `rule` ends the sentence about the rows.
fn token_cost_shape(logits: &[usize], ids: &[u32], any_counts: bool, rule: &str) -> Result<Shape, String> {
    match logits.split_last() {
        Some((&v, rows)) if any_counts && count(rows) == ids.len() as u64 => {
            match ids.iter().find(|&&id| id as usize >= v) {
                Some(id) => Err(format!("target {id} is out of range for {v} logits")),
                None => Ok(ndarray::IxDyn(&[])),
            }
        }
        _ => Err(format!("expected one row of logits for each of {} targets{rule}", ids.len())),
    }
}

/// The output shape of an op that gives one element for each row, which must not be empty.
fn one_per_row(shape: &[usize]) -> Result<Shape, String> {
    match rows_cols(shape) {
        (_, 0) => Err("every row needs at least one element".into()),
        (rows, _) => Ok(ndarray::IxDyn(&[rows])),
    }
}

/// The number of elements of a shape.
pub(crate) fn count(shape: &[usize]) -> u64 {
    shape.iter().product::<usize>() as u64
}

/// The tensor as a matrix: all axes but the last are its rows.
fn matrix<T: Float>(x: &Tensor<T>) -> Mat<'_, T> {
    Mat::new(x.data(), x.rows_cols())
}
