//! Where a block has its norms.

use serde::{Deserialize, Serialize};

/// Where a [`Block`](super::Block) has the norm of a sub-layer `f`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormPlace {
    /// `x + f(norm(x))`, and a last norm before the head: GPT-2. The stream itself is never
    /// normalised, so the gradient reaches the first layer undisturbed.
    #[default]
    Before,
    /// `norm(x + f(x))`: the paper (Vaswani et al. 2017, section 3.1).
    After,
    /// `x + f(x)`.
    None,
}
