//! The fast inner loops on plain operands: the only place with threads, instruction sets and
//! loops over elements.
//!
//! Every kernel is a named function (or a method of a small descriptor) of slices, sizes and
//! enums. No closure crosses this seam, and nothing here knows ops, layers or the tape: a second
//! device would implement this list one by one.
//!
//! | file | kernels |
//! | --- | --- |
//! | [`matmul`] | `matmul`, `matmul_with_epilogue`, `batched_matmul`; inside other kernels `matmul_serial` |
//! | [`packed_weights`] | `PackedWeights::{new, unpack, multiply_rows}`: matrix-vector products for generation |
//! | [`attention`] | `Attention::{forward, backward}`, `cached_attention`, `append_to_cache`, `masked_softmax`, `masked_softmax_backward` |
//! | [`elementwise`] | `fill`, `copy`, `add`, `add_assign`, `add_row_block`, `multiply`, `scale`, `reciprocal`, `relu`, `sigmoid`, `tanh`, each with its `_backward`; `unit_interval` |
//! | [`gelu`] | `gelu`, `gelu_backward` |
//! | [`dropout`] | `dropout`, `dropout_add`: a mask that is computed, not stored |
//! | [`softmax`] | `softmax_rows`, `softmax_rows_backward` |
//! | [`layer_norm`] | `forward`, `backward` |
//! | [`loss`] | `mean`, `quadratic`, `sigmoid_cross_entropy`, `softmax_cross_entropy`, `cross_entropy`, each with its `_backward` |
//! | [`embedding`] | `gather_rows`, `scatter_add_rows` |
//! | [`heads`] | `split`, `merge`, `merge_add` |
//! | [`rotary`] | `rotate` |
//! | [`pairwise_scores`] | `additive`, `negative_distance`, each with its `_backward` |
//! | [`rows`] | `argmax`, `reverse`, `normalize`, `normalize_backward`, `take_last`, `take_last_backward` |
//! | [`reduce`] | `column_sums`; host reads `sum_squares`, `all_finite`, `all_zero` |
//! | [`optimizer`] | `sgd`, `sgd_with_momentum`, `adamw` |
//!
//! Work is split by the length of the data, never by the number of threads, and every reduction
//! has a fixed order: the result has the same bits on 1, 2 or N threads.

pub mod attention;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod gelu;
pub mod heads;
pub mod huge_pages;
pub mod isa;
pub mod layer_norm;
pub mod loss;
pub mod matmul;
mod matvec;
pub mod optimizer;
pub mod packed_weights;
pub mod pairwise_scores;
mod parallel;
pub mod reduce;
pub mod rotary;
pub mod rows;
mod scratch;
mod simd;
mod small_matmul;
pub mod softmax;
pub mod transpose;
