//! Layers: parameters, and a `forward` that records ops.

mod activation;
mod linear;

pub use activation::Activation;
pub use linear::{Init, Linear};
