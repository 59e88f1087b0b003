//! The precision of matrix products.

use serde::{Deserialize, Serialize};

/// The format of the factors of matrix products.
///
/// Parameters, gradients, moments, norms and sums are f32 in both cases (Micikevicius et al. 2018;
/// Kalamkar et al. 2019 for bf16, which needs no loss scaling). [Fused attention](crate::ops::attention) stays in
/// f32 too, except on processors with AMX tiles: elsewhere its products are too small to gain from bf16.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// The factors are not rounded.
    #[default]
    F32,
    /// Rounded to bf16, 8 bits of precision with the range of f32, and summed in f32. Faster on
    /// processors with bf16 instructions; others multiply the rounded factors as f32, which is no
    /// faster than f32. Models of f64 are not rounded.
    Bf16,
}

impl Precision {
    /// The name in flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}
