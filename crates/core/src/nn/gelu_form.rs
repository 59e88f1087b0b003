//! The two forms of GELU.

use serde::{Deserialize, Serialize};

/// How GELU is computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeluForm {
    /// [`ops::gelu`](crate::ops::gelu): by the hyperbolic tangent, as in GPT-2.
    #[default]
    Tanh,
    /// [`ops::gelu_exact`](crate::ops::gelu_exact): by the error function, as in nanoGPT. Slower.
    Exact,
}
