//! Layers: parameters, and a `forward` that records ops.

mod activation;
mod attention;
mod linear;

pub use activation::Activation;
pub use attention::{AttentionForm, Positions};
pub use linear::{Init, Linear};
