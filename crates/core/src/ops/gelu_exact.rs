//! The Gaussian error linear unit, exact.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = x P(x)` with the normal distribution function `P(x) = (1 + erf(x / sqrt(2))) / 2` (Hendrycks
/// and Gimpel 2016): the form of nanoGPT and of PyTorch's `nn.GELU()`. [`Gelu`](super::gelu::Gelu) is
/// GPT-2's approximation, which differs by at most 0.0005 and is faster.
///
/// `dy/dx = P(x) + x P'(x)` with the density `P'(x) = e^(-x^2 / 2) / sqrt(2 pi)`.
#[derive(Debug)]
pub struct GeluExact;

impl<T: Float> Tape<T> {
    /// Records [`GeluExact`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn gelu_exact(&mut self, x: Var) -> Result<Var, Error> {
        self.record(GeluExact, &[x])
    }
}

impl<T: Float> Op<T> for GeluExact {
    fn name(&self) -> &'static str {
        "gelu_exact"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = x/2 (1 + erf(x / sqrt(2)))"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::gelu_exact(io.out, io.input(0).data());
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        8 * count(output)
    }
}

impl<T: Float> Differentiable<T> for GeluExact {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = dy ((1 + erf(x / sqrt(2))) / 2 + x exp(-x^2 / 2) / sqrt(2 pi))"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (x, dy) = (io.input(0).data(), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::gelu_exact_backward(dx, x, dy));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[1, 1]] {
            check(&[shape], |tape, x| tape.gelu_exact(x[0]));
        }
    }

    /// Values of PyTorch 2's `nn.GELU()` in f64: x P(x) with P from a table of the normal distribution.
    #[test]
    fn by_table() {
        let xs = [-60.0_f64, -2.0, -1.0, 0.0, 1.0, 2.0, 60.0];
        let want =
            [0.0, -0.045_500_263_896, -0.158_655_253_931, 0.0, 0.841_344_746_069, 1.954_499_736_104, 60.0];
        let mut tape = Tape::<f64>::new();
        let x = tape.input(Tensor::from_vec(&[7], xs.to_vec()).unwrap());
        let (exact, tanh) = (tape.gelu_exact(x).unwrap(), tape.gelu(x).unwrap());
        let both = tape.value(exact).data().iter().zip(tape.value(tanh).data());
        for ((exact, tanh), want) in both.zip(want) {
            assert!((exact - want).abs() < 1e-11, "{exact}, not {want}");
            assert!((exact - tanh).abs() < 5e-4, "{exact} and {tanh}");
        }
    }
}
