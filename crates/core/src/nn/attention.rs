//! Multi-head self-attention, and its variants as values.

use serde::{Deserialize, Serialize};

/// How a model knows where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// A learned vector for each position, added to the token's (GPT-2).
    Learned,
    /// Fixed sines and cosines, added to the token's (Vaswani et al. 2017, section 3.5).
    Sinusoidal,
    /// Q and K are turned by an angle that grows with the position (Su et al. 2021).
    Rotary,
    /// Scores fall with the distance, at a slope of each head's own (Press et al. 2022).
    Alibi,
    /// Not at all: only the causal mask tells.
    None,
}

/// Which form of attention computes. The result is the same but for rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionForm {
    /// Op by op: scores, mask, softmax, weighted sum. Every matrix can be looked at.
    Primitive,
    /// One op that never stores the T x T matrix. Fast.
    Fused,
}
