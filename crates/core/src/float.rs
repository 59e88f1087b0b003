//! The element types with their kernels.

use crate::kernels::{Cpu, Kernels};
use crate::number::Number;

/// An element type that ops, layers and models compute with: a [`Number`] with its kernels.
pub trait Float: Number {
    /// The kernels for this type.
    type Kernels: Kernels<Self>;
}

impl Float for f32 {
    type Kernels = Cpu;
}

impl Float for f64 {
    type Kernels = Cpu;
}
