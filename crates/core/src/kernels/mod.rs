//! The numerical kernels: the only module with SIMD, loops over the elements of tensors, and threads inside an op.
//!
//! Every kernel is a named function, or a method of a small descriptor, that takes slices, sizes
//! and enums. No closure crosses this interface, and nothing here depends on ops, layers or the
//! tape: a second device would implement [`Kernels`], the trait by which generic code calls them.
//!
//! | file | kernels |
//! | --- | --- |
//! | [`matmul`] | `matmul`, `matmul_with_epilogue`, `batched_matmul`, `PackedFactor::new`; `matmul_serial` inside other kernels |
//! | [`packed_weights`] | `PackedWeights::{new, from_blocks, unpack, multiply_rows}`: matrix-vector products for generation |
//! | [`block_format`] | `BlockFormat::{dequantise, quantise}`: the formats in which llama.cpp stores weights |
//! | [`attention`] | `Attention::{forward, backward}`, `cached_attention`, `append_to_cache`, `select_from_cache`, `move_blocks`, `masked_softmax` |
//! | [`elementwise`] | `fill`, `copy`, `add`, `add_assign`, `add_row_block`, `multiply`, `scale`, `unit_interval`; `reciprocal`, `relu`, `relu_squared`, `sigmoid`, `tanh`, each with its `_backward` |
//! | [`gelu`] | `gelu`, `gelu_backward` |
//! | [`gelu_exact`] | `gelu_exact`, `gelu_exact_backward` |
//! | [`dropout`] | `dropout`, `dropout_add`: the mask is recomputed, never stored |
//! | [`softmax`] | `softmax_rows`, `softmax_rows_backward`, `log_sum_exp_rows`, `log_normalizer_rows` |
//! | [`layer_norm`] | `forward`, `backward`, of layer and RMS normalisation |
//! | `qk_norm` | `normalize_heads`, with its `_backward` |
//! | `swiglu` | `swiglu`, with its `_backward` |
//! | [`value_residual`] | `mean_of_values`, with its `_backward` |
//! | [`loss`] | `mean`, `quadratic`, `sigmoid_cross_entropy`, `softmax_cross_entropy`, `cross_entropy`, `smoothed_cross_entropy`, each with its `_backward` |
//! | [`embedding`] | `gather_rows`, `scatter_add_rows` |
//! | [`heads`] | `split`, `merge`, `merge_add` |
//! | [`rotary`] | `rotate` |
//! | [`pairwise_scores`] | `additive`, `negative_distance`, each with its `_backward`; `sum_over_sequences` |
//! | [`rows`] | `argmax`, `top_k`, `reverse`, `normalize`, `normalize_backward`, `take_last`, `take_last_backward` |
//! | [`reduce`] | `column_sums`; `sum_squares`, `all_finite`, `all_zero`, `summary`, which return values to the host |
//! | [`optimizer`] | `sgd`, `sgd_with_momentum`, `adamw`; `nesterov`, `combine` for Muon |
//!
//! [`isa`] chooses the instruction set, [`bf16_path`] says how bf16 is multiplied, and [`amx`] asks
//! the system for the use of tiles.
//!
//! Subnormal numbers count as zero: see [`subnormals`]. The order of every
//! reduction depends on the shapes alone, so results are bitwise identical for
//! any number of threads.

mod aligned;
pub mod amx;
pub mod attention;
pub mod bf16_path;
pub mod block_format;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod gelu;
pub mod gelu_exact;
pub mod half;
pub mod heads;
pub mod huge_pages;
pub mod isa;
pub mod layer_norm;
pub mod loss;
pub mod matmul;
mod matvec;
pub mod optimizer;
mod packed_blocks;
pub mod packed_weights;
pub mod pairwise_scores;
mod panels;
pub mod parallel;
mod qk_norm;
pub mod reduce;
pub mod rotary;
pub mod rows;
mod scratch;
mod simd;
mod small_matmul;
pub mod softmax;
pub mod subnormals;
mod swiglu;
mod table;
pub mod transpose;
pub mod value_residual;

pub use table::{Cpu, Kernels};
