//! How exactly a model is computed.

use serde::{Deserialize, Serialize};

use crate::kernels::isa::Isa;

/// The numbers that matrix products multiply.
///
/// Parameters, gradients, moments, norms and sums are in f32 either way (Micikevicius et
/// al. 2018; Kalamkar et al. 2019 for bf16, which needs no scaling of the loss), and so is
/// the [fused attention](crate::ops::attention), whose products are too small to gain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bf16, 8 bits of precision with the range of f32, and added up in f32.
    /// Faster on processors that multiply bf16; on others the rounded numbers are multiplied
    /// as f32, which is no faster than f32. Models of f64 stay as they are.
    Bf16,
}

impl Precision {
    /// Whether this processor multiplies such numbers.
    pub fn is_native(self) -> bool {
        self == Self::F32 || Isa::best() == Isa::Avx512Bf16
    }

    /// As flags and files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}
