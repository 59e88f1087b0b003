//! Layers: parameters, and a `forward` that records ops.
//!
//! | file | holds |
//! | --- | --- |
//! | `block.rs` | [`Block`]: `x = x + attn(norm(x)); x = x + mlp(norm(x))` |
//! | `self_attention.rs` | [`SelfAttention`]: the tokens of a sequence attend to each other |
//! | `cross_attention.rs` | [`CrossAttention`]: the tokens of one sequence attend to another sequence |
//! | `attention.rs` | common parts of both: [`AttentionSettings`], attention op by op |
//! | `kv_cache.rs` | [`KvCache`]: the keys and values of earlier tokens or of a source, kept for generation |
//! | `first_values.rs` | [`FirstValues`]: the values of the first block, for the others |
//! | `score.rs` | [`Score`]: how well a key matches a query |
//! | `mlp.rs` | [`Mlp`]: the feed-forward layers |
//! | `fused.rs` | [`Branch`]: the one place that chooses fused ops |
//! | `linear.rs` | [`Linear`]: `x W^T + b`, and [`Init`]: its initial weights |
//! | `activation.rs` | [`Activation`]: sigmoid, tanh, ReLU, GELU |
//! | `mlp_activation.rs` | [`MlpActivation`]: GELU, ReLU, squared ReLU, SwiGLU |
//! | `gelu_form.rs` | [`GeluForm`]: the two forms of GELU |
//! | `layer_norm.rs` | [`LayerNorm`] |
//! | `rms_norm.rs` | [`RmsNorm`] |
//! | `norm.rs` | [`Norm`]: the norm of a sub-layer, of either kind |
//! | `norm_place.rs` | [`NormPlace`]: where a block applies its norms |
//! | `embedding.rs` | [`Embedding`]: a row of a table for each token |
//! | `positions.rs` | [`Positions`]: how a model encodes positions; [`PositionEmbedding`] |

mod activation;
mod attention;
mod block;
mod cross_attention;
mod embedding;
mod first_values;
mod fused;
mod gelu_form;
mod kv_cache;
mod layer_norm;
mod linear;
mod mlp;
mod mlp_activation;
mod norm;
mod norm_place;
mod positions;
mod rms_norm;
mod score;
mod self_attention;

pub use activation::Activation;
pub use attention::AttentionSettings;
pub use block::{Block, BlockSettings, Context};
pub use cross_attention::{CrossAttention, Memory};
pub use embedding::Embedding;
pub use first_values::FirstValues;
pub use fused::Branch;
pub use gelu_form::GeluForm;
pub use kv_cache::{KvCache, LayerCache};
pub use layer_norm::LayerNorm;
pub use linear::{Init, Linear};
pub use mlp::Mlp;
pub use mlp_activation::MlpActivation;
pub use norm::{Norm, NormKind};
pub use norm_place::NormPlace;
pub use positions::{PositionEmbedding, Positions, sinusoidal};
pub use rms_norm::RmsNorm;
pub use score::Score;
pub use self_attention::SelfAttention;
