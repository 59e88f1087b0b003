//! Where a block applies its norms.

use serde::{Deserialize, Serialize};

/// Where a [`Block`](super::Block) applies the norm of a sub-layer `f`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormPlace {
    /// Pre-norm, `x + f(norm(x))`, and a last norm before the head: GPT-2. The stream itself is
    /// never normalised, so gradients flow unchanged to the first layer.
    #[default]
    Before,
    /// Post-norm, `norm(x + f(x))`: the paper (Vaswani et al. 2017, section 3.1).
    After,
    /// No norms, `x + f(x)`.
    None,
}
