//! Attention: every query takes a weighted mean of the values, `softmax(scale Q K^T) V`.
//!
//! A token has three vectors of D elements in each of H heads: the query Q asks for something,
//! the key K says what the token offers, the value V is what it hands over. The score of query
//! `i` with key `j` is the dot product `Q_i . K_j`. The softmax turns the scores of a query
//! into weights that sum to 1, and the output `Y_i` is the mean of the values `V_j` with these
//! weights.
//!
//! There are B sequences, each with T_q queries and T_k keys (equal in self-attention, where both
//! come from the same tokens), and H heads of D elements, `C = H D`.
//!
//! | kernel | computes | used for |
//! | --- | --- | --- |
//! | [`Attention::forward`], [`Attention::backward`] | all of it, without storing the T_q x T_k matrix | training |
//! | [`cached_attention`], [`append_to_cache`], [`select_from_cache`] | the last tokens of a text, with cached keys and values | generation |
//! | [`masked_softmax()`] | the weights alone | attention made of primitive ops |

mod backward;
mod cached;
mod dims;
mod forward;
mod fused;
mod masked_softmax;
mod operands;
mod tile;

pub use cached::{
    CacheDims, CachedAttention, Seen, append_to_cache, cached_attention, move_blocks, select_from_cache,
};
pub use dims::Dims;
pub use fused::Attention;
pub use masked_softmax::masked_softmax;
pub use operands::{Gradients, Inputs};
