//! The kernels by name: all that ops, the tape and the optimizers compute with.
//!
//! Generic code calls `T::Kernels::gelu(out, x)`. The bodies are generic functions of the modules
//! beside this one. They are compiled here, once for `f32` and once for `f64`: a crate that uses a
//! generic function compiles its own copy of it, and the kernels would be most of such a crate.
//! A second device would implement the same trait.

use super::attention::{self, Attention, CacheDims, CachedAttention, Gradients, Inputs};
use super::block_format::BlockFormat;
use super::dropout::{self, DropoutMask};
use super::heads::{self, HeadLayout};
use super::layer_norm::{self, Centering};
use super::loss::{self, Smoothed};
use super::matmul::{self, Accumulate, Epilogue, Mat, MatBatch, PackedFactor, RowBits};
use super::optimizer::{self, AdamWParam, AdamWStep, SgdStep};
use super::packed_weights::{PackedWeights, WeightFormat};
use super::pairwise_scores::{self, HeadShape, ScoreGradients, ScoreInputs};
use super::rotary::{self, Direction, RotaryLayout};
use super::value_residual::{self, ValuesOf};
use super::{elementwise, embedding, gelu, gelu_exact, qk_norm, reduce, rows, softmax, swiglu};
use crate::{Mask, Number, Precision};

/// Declares the trait, and implements it for this processor and both element types.
macro_rules! kernels {
    ($(fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $room:ident::$function:ident;)*) => {
        /// The kernels for elements of type `T`. The documentation of each is that of the function
        /// in its module, whose name is the first word.
        pub trait Kernels<T: Number> {
            $(#[doc = concat!("`", stringify!($room), "::", stringify!($function), "`.")]
            fn $name($($arg: $type),*) $(-> $result)?;)*
        }

        mod f32 {
            use super::*;
            type T = f32;
            impl Kernels<T> for Cpu {
                $(fn $name($($arg: $type),*) $(-> $result)? { $room::$function($($arg),*) })*
            }
        }

        mod f64 {
            use super::*;
            type T = f64;
            impl Kernels<T> for Cpu {
                $(fn $name($($arg: $type),*) $(-> $result)? { $room::$function($($arg),*) })*
            }
        }
    };
}

/// The threads and vector instructions of this processor.
#[derive(Debug)]
pub enum Cpu {}

kernels! {
    fn matmul(a: Mat<'_, T>, b: Mat<'_, T>, accumulate: Accumulate<'_, T>, out: &mut [T], precision: Precision)
        = matmul::matmul;
    fn matmul_with_epilogue(
        a: Mat<'_, T>,
        b: Mat<'_, T>,
        accumulate: Accumulate<'_, T>,
        out: &mut [T],
        precision: (Precision, RowBits),
        epilogue: Epilogue<'_, T>,
    ) = matmul::matmul_with_epilogue;
    fn batched_matmul(a: MatBatch<'_, T>, b: MatBatch<'_, T>, out: &mut [T], precision: Precision)
        = matmul::batched_matmul;
    fn pack_factor(b: Mat<'_, T>, precision: Precision) -> PackedFactor = PackedFactor::new;
    fn pack_weights(w: &[T], k: usize, format: WeightFormat) -> PackedWeights<T> = PackedWeights::new;
    fn pack_blocks(format: BlockFormat, bytes: &[u8], k: usize) -> Option<PackedWeights<T>>
        = PackedWeights::from_blocks;
    fn unpack_weights(weights: &PackedWeights<T>, w: &mut [T]) = PackedWeights::unpack;
    fn packed_matvec(weights: &PackedWeights<T>, x: &[T], b: Option<&[T]>, out: &mut [T])
        = PackedWeights::multiply_rows;

    fn attention(kernel: &Attention<'_>, out: &mut [T], log_sums: &mut [T], inputs: Inputs<'_, T>, scratch: &mut [T])
        = Attention::forward;
    fn attention_backward(
        kernel: &Attention<'_>,
        gradients: Gradients<'_, T>,
        inputs: Inputs<'_, T>,
        dy_and_log_sums: (&[T], &[T]),
        scratch: &mut [T],
    ) = Attention::backward;
    fn cached_attention(out: &mut [T], operands: CachedAttention<'_, T>, scratch: &mut [T])
        = attention::cached_attention;
    fn append_to_cache(
        cache: (&mut [T], &mut [T]),
        tokens_and_row: (&[T], usize),
        t_and_start: (usize, usize),
        dims: CacheDims,
    )
        = attention::append_to_cache;
    fn select_from_cache(
        new: (&mut [T], &mut [T], usize),
        old: (&[T], &[T]),
        sequences: &[usize],
        seen: usize,
        dims: CacheDims,
    ) = attention::select_from_cache;
    fn move_blocks(data: &mut [T], each: usize, from: &[usize]) = attention::move_blocks;
    fn masked_softmax(out: &mut [T], scores: &[T], dims: [usize; 3], mask: &Mask) = attention::masked_softmax;
    fn split_heads(heads: &mut [T], tokens: &[T], layout: HeadLayout) = heads::split;
    fn merge_heads(tokens: &mut [T], heads: &[T], layout: HeadLayout) = heads::merge;
    fn merge_add_heads(tokens: &mut [T], heads: &[T], layout: HeadLayout) = heads::merge_add;
    fn rotate(out: &mut [T], x: &[T], layout: RotaryLayout, direction: Direction) = rotary::rotate;
    fn additive_scores(out: &mut [T], q_and_k: (&[T], &[T]), w: &[T], scratch: &mut [T], shape: HeadShape)
        = pairwise_scores::additive;
    fn additive_scores_backward(
        gradients: ScoreGradients<'_, T>,
        inputs: ScoreInputs<'_, T>,
        w: &[T],
        scratch: &mut [T],
        shape: HeadShape,
    ) = pairwise_scores::additive_backward;
    fn sum_over_sequences(out: &mut [T], dw: &[T]) = pairwise_scores::sum_over_sequences;
    fn negative_distance(out: &mut [T], q_and_k: (&[T], &[T]), scratch: &mut [T], shape: HeadShape)
        = pairwise_scores::negative_distance;
    fn negative_distance_backward(
        gradients: ScoreGradients<'_, T>,
        inputs: ScoreInputs<'_, T>,
        scratch: &mut [T],
        shape: HeadShape,
    ) = pairwise_scores::negative_distance_backward;

    fn fill(out: &mut [T], x: T) = elementwise::fill;
    fn copy(out: &mut [T], x: &[T]) = elementwise::copy;
    fn add(out: &mut [T], a: &[T], b: &[T]) = elementwise::add;
    fn add_assign(out: &mut [T], x: &[T]) = elementwise::add_assign;
    fn add_row_block(out: &mut [T], a: &[T], b: &[T]) = elementwise::add_row_block;
    fn multiply(out: &mut [T], a: &[T], b: &[T]) = elementwise::multiply;
    fn scale(out: &mut [T], x: &[T], c: T) = elementwise::scale;
    fn reciprocal(out: &mut [T], x: &[T]) = elementwise::reciprocal;
    fn reciprocal_backward(dx: &mut [T], dy: &[T], y: &[T]) = elementwise::reciprocal_backward;
    fn unit_interval(out: &mut [T], pixels: &[u8]) = elementwise::unit_interval;

    fn relu(out: &mut [T], x: &[T]) = elementwise::relu;
    fn relu_backward(dx: &mut [T], dy: &[T], y: &[T]) = elementwise::relu_backward;
    fn relu_squared(out: &mut [T], x: &[T]) = elementwise::relu_squared;
    fn relu_squared_backward(dx: &mut [T], dy: &[T], x: &[T]) = elementwise::relu_squared_backward;
    fn swiglu(out: &mut [T], z: &[T], n: usize) = swiglu::swiglu;
    fn swiglu_backward(dz: &mut [T], z: &[T], dy: &[T], n: usize) = swiglu::swiglu_backward;
    fn sigmoid(out: &mut [T], x: &[T]) = elementwise::sigmoid;
    fn sigmoid_backward(dx: &mut [T], dy: &[T], y: &[T]) = elementwise::sigmoid_backward;
    fn tanh(out: &mut [T], x: &[T]) = elementwise::tanh;
    fn tanh_backward(dx: &mut [T], dy: &[T], y: &[T]) = elementwise::tanh_backward;
    fn gelu(out: &mut [T], x: &[T]) = gelu::gelu;
    fn gelu_backward(dx: &mut [T], x: &[T], dy: &[T]) = gelu::gelu_backward;
    fn gelu_exact(out: &mut [T], x: &[T]) = gelu_exact::gelu_exact;
    fn gelu_exact_backward(dx: &mut [T], x: &[T], dy: &[T]) = gelu_exact::gelu_exact_backward;
    fn dropout(out: &mut [T], x: &[T], mask: &DropoutMask) = dropout::dropout;
    fn dropout_add(out: &mut [T], x: &[T], b: &[T], mask: &DropoutMask) = dropout::dropout_add;

    fn softmax(out: &mut [T], x: &[T], cols: usize) = softmax::softmax_rows;
    fn softmax_backward(dx: &mut [T], y: &[T], dy: &[T], cols: usize) = softmax::softmax_rows_backward;
    fn log_sum_exp(out: &mut [T], x: &[T], cols: usize) = softmax::log_sum_exp_rows;
    fn layer_norm(out: &mut [T], stats: &mut [T], x: &[T], w: &[T], b: Option<&[T]>, how: (f64, Centering))
        = layer_norm::forward;
    fn layer_norm_backward(
        dx: &mut [T],
        sums: &mut [T],
        dy: &[T],
        x: &[T],
        w: &[T],
        stats: &[T],
        centering: Centering,
    ) = layer_norm::backward;
    fn normalize_heads(out: &mut [T], x: &[T], width: usize, d: usize, eps: f64) = qk_norm::normalize_heads;
    fn normalize_heads_backward(dx: &mut [T], dy: &[T], x: &[T], width: usize, d: usize, eps: f64)
        = qk_norm::normalize_heads_backward;
    fn mean_of_values(out: &mut [T], qkv: &[T], first: &[T], width: usize) = value_residual::mean_of_values;
    fn mean_of_values_backward(dx: &mut [T], dy: &[T], width: usize, of: ValuesOf)
        = value_residual::mean_of_values_backward;
    fn gather_rows(out: &mut [T], table: &[T], ids: &[u32], cols: usize) = embedding::gather_rows;
    fn scatter_add_rows(table: &mut [T], rows: &[T], ids: &[u32], cols: usize) = embedding::scatter_add_rows;
    fn argmax(out: &mut [T], x: &[T], cols: usize) = rows::argmax;
    fn top_k(out: &mut [T], x: &[T], cols: usize, k: usize) = rows::top_k;
    fn reverse(out: &mut [T], x: &[T], cols: usize) = rows::reverse;
    fn normalize(out: &mut [T], x: &[T], cols: usize) = rows::normalize;
    fn normalize_backward(dx: &mut [T], x: &[T], y: &[T], dy: &[T], cols: usize) = rows::normalize_backward;
    fn take_last(out: &mut [T], x: &[T], t: usize, cols: usize) = rows::take_last;
    fn take_last_backward(dx: &mut [T], dy: &[T], t: usize, cols: usize) = rows::take_last_backward;

    fn mean(out: &mut [T], x: &[T]) = loss::mean;
    fn mean_backward(dx: &mut [T], dy: &[T]) = loss::mean_backward;
    fn quadratic(out: &mut [T], difference: &mut [T], a: &[T], y: &[T], rows: usize) = loss::quadratic;
    fn quadratic_backward(da: &mut [T], difference: &[T], dy: &[T], rows: usize) = loss::quadratic_backward;
    fn sigmoid_cross_entropy(out: &mut [T], costs: &mut [T], z: &[T], y: &[T], rows: usize)
        = loss::sigmoid_cross_entropy;
    fn sigmoid_cross_entropy_backward(dz: &mut [T], z: &[T], y: &[T], dy: &[T], rows: usize)
        = loss::sigmoid_cross_entropy_backward;
    fn softmax_cross_entropy(out: &mut [T], a: &mut [T], z: &[T], y: &[T], cols: usize)
        = loss::softmax_cross_entropy;
    fn softmax_cross_entropy_backward(dz: &mut [T], a: &[T], y: &[T], dy: &[T], cols: usize)
        = loss::softmax_cross_entropy_backward;
    fn cross_entropy(out: &mut [T], normalizers: &mut [[T; 2]], z: &[T], targets: &[u32])
        = loss::cross_entropy;
    fn cross_entropy_backward(dz: &mut [T], z: &[T], normalizers: &[[T; 2]], targets: &[u32], dy: &[T])
        = loss::cross_entropy_backward;
    fn smoothed_cross_entropy(out: &mut [T], normalizers: &mut [[T; 2]], z: &[T], smoothed: Smoothed<'_>)
        = loss::smoothed_cross_entropy;
    fn smoothed_cross_entropy_backward(dz: &mut [T], z: &[T], normalizers: &[[T; 2]], smoothed: Smoothed<'_>, dy: &[T])
        = loss::smoothed_cross_entropy_backward;

    fn column_sums(x: &[T], out: &mut [T]) = reduce::column_sums;
    fn sum_squares(all: &[&[T]]) -> f64 = reduce::sum_squares;
    fn all_finite(x: &[T]) -> bool = reduce::all_finite;
    fn all_zero(x: &[T]) -> bool = reduce::all_zero;

    fn sgd(w: &mut [T], g: &[T], step: SgdStep<T>) = optimizer::sgd;
    fn sgd_with_momentum(w: &mut [T], v: &mut [T], g: &[T], step: SgdStep<T>, momentum: T)
        = optimizer::sgd_with_momentum;
    fn nesterov(u: &mut [T], m: &mut [T], g: &[T], scale: T, momentum: T) = optimizer::nesterov;
    fn combine(x: &mut [T], y: &[T], a: T, b: T) = optimizer::combine;
    fn adamw(params: Vec<AdamWParam<'_, T>>, step: AdamWStep<T>) = optimizer::adamw;
}
