//! How a matrix product writes its output, and the functions that it applies while the output is
//! still in a cache.

use rayon::prelude::*;

use crate::Number;
use crate::kernels::dropout::DropoutMask;
use crate::kernels::elementwise::{relu_and_slope, relu_squared_and_slope};
use crate::kernels::gelu::gelu_and_slope;
use crate::kernels::parallel::{ELEMENTS_PER_CHUNK, ForEachTask, MIN_PARALLEL_ELEMENTS};
use crate::kernels::simd::vectorised;

/// How a product is combined with the previous contents of the output.
#[derive(Debug, Clone, Copy)]
pub enum Accumulate<'a, T> {
    /// `C = A B`.
    Overwrite,
    /// `C = b + A B`, with the same `b` in every row.
    Bias(&'a [T]),
    /// `C = C + A B`.
    Add,
    /// `C = C * (A B)`, element by element.
    Multiply,
}

impl<T> Accumulate<'_, T> {
    /// The same, for the part of the output that starts at element `i` of the bias.
    pub(super) fn starting_at(self, i: usize) -> Self {
        match self {
            Self::Bias(bias) => Self::Bias(&bias[i..]),
            accumulate => accumulate,
        }
    }
}

/// The activation function of a hidden layer, which a product applies to its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiddenActivation {
    /// GELU in its tanh form.
    Gelu,
    /// `max(0, x)`.
    Relu,
    /// `max(0, x)^2`.
    ReluSquared,
}

/// An element-wise function of a finished product `C`. It is applied to complete rows while they
/// are in a cache, if the product is computed row by row; otherwise afterwards.
#[derive(Debug)]
pub enum Epilogue<'a, T> {
    /// `C` stays unchanged.
    None,
    /// `activation = f(C)`, and `C = f'(C)`, which the backward pass needs.
    Activate {
        /// `f`.
        function: HiddenActivation,
        /// Has the length of `C`.
        activation: &'a mut [T],
    },
    /// `C = residual + m C / (1 - p)`.
    AddResidual {
        /// Has the length of `C`.
        residual: &'a [T],
        /// The mask m; without it, `C = residual + C`.
        dropout: Option<DropoutMask>,
    },
}

impl<T> Epilogue<'_, T> {
    /// Whether its slices match a product of `n` elements.
    pub(super) fn fits(&self, n: usize) -> bool {
        match self {
            Self::None => true,
            Self::Activate { activation, .. } => activation.len() == n,
            Self::AddResidual { residual, .. } => residual.len() == n,
        }
    }
}

/// The part of an epilogue that is still to be applied: to the elements from `first` on.
#[derive(Debug)]
pub struct RemainingEpilogue<'a, T> {
    first: usize,
    epilogue: Epilogue<'a, T>,
}

impl<'a, T: Number> RemainingEpilogue<'a, T> {
    /// The epilogue of a whole product.
    pub fn new(epilogue: Epilogue<'a, T>) -> Self {
        Self { first: 0, epilogue }
    }

    /// Splits off the epilogue of the next `n` elements.
    pub fn take(&mut self, n: usize) -> Self {
        let epilogue = match &mut self.epilogue {
            Epilogue::None => Epilogue::None,
            Epilogue::Activate { function, activation } => {
                let activation = activation.split_off_mut(..n).expect("the length was checked");
                Epilogue::Activate { function: *function, activation }
            }
            &mut Epilogue::AddResidual { residual, dropout } => Epilogue::AddResidual { residual, dropout },
        };
        let first = self.first;
        self.first += n;
        Self { first, epilogue }
    }

    /// Applies it to the elements from `first` on.
    ///
    /// Not inlined into the innermost loops: it dispatches to an instruction set itself.
    #[inline(never)]
    pub fn apply(self, elements: &mut [T]) {
        match self.epilogue {
            Epilogue::None => {}
            Epilogue::Activate { function, activation } => match function {
                HiddenActivation::Gelu => gelu_and_slope(elements, activation),
                HiddenActivation::Relu => relu_and_slope(elements, activation),
                HiddenActivation::ReluSquared => relu_squared_and_slope(elements, activation),
            },
            Epilogue::AddResidual { residual, dropout } => {
                let pairs = elements.iter_mut().zip(&residual[self.first..]);
                match dropout {
                    None => vectorised(
                        #[inline(always)]
                        || pairs.for_each(|(c, &x)| *c = x + *c),
                    ),
                    Some(mask) => {
                        let factor = mask.factor_from::<T>(self.first as u64);
                        vectorised(
                            #[inline(always)]
                            || pairs.enumerate().for_each(|(i, (c, &x))| *c = x + factor(i as u32) * *c),
                        );
                    }
                }
            }
        }
    }

    /// Applies it to all remaining elements of `product`.
    pub fn apply_to_rest(mut self, product: &mut [T]) {
        let elements = &mut product[self.first..];
        if elements.len() < MIN_PARALLEL_ELEMENTS {
            return self.apply(elements);
        }
        let chunks = elements.chunks_mut(ELEMENTS_PER_CHUNK).map(|chunk| (self.take(chunk.len()), chunk));
        chunks.collect::<Vec<_>>().into_par_iter().for_each_task(&|(epilogue, chunk)| epilogue.apply(chunk));
    }
}
