//! Layers: parameters, and a `forward` that records ops.

mod activation;
mod attention;
mod embedding;
mod form;
mod layer_norm;
mod linear;
mod mlp;
mod norm_place;
mod positions;
mod residual;
mod score;

pub use activation::Activation;
pub use attention::{AttentionSettings, KvCache, LayerCache, MultiHeadAttention};
pub use embedding::Embedding;
pub use form::Form;
pub use layer_norm::LayerNorm;
pub use linear::{Init, Linear};
pub use mlp::Mlp;
pub use norm_place::NormPlace;
pub use positions::{Positions, sinusoidal};
pub use residual::Residual;
pub use score::Score;
