//! The sigmoid, the activation function of the book's neurons.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = 1 / (1 + e^-x)` (Nielsen, chapter 1, equation 3).
///
/// Its slope, `y (1 - y)`, is at most 1/4 and nearly 0 where the neuron is saturated: such a
/// neuron learns slowly (chapter 3).
#[derive(Debug)]
pub struct Sigmoid;

impl<T: Float> Tape<T> {
    /// Records [`Sigmoid`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn sigmoid(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Sigmoid, &[x])
    }
}

impl<T: Float> Op<T> for Sigmoid {
    fn name(&self) -> &'static str {
        "sigmoid"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = 1 / (1 + exp(-x))"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::sigmoid(io.out, io.input(0).data());
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        4 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Sigmoid {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = dy * y (1 - y)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (y, dy) = (io.y.data(), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::sigmoid_backward(dx, dy, y));
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        3 * count(output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[2, 1, 3], &[1]] {
            check(&[shape], |tape, x| tape.sigmoid(x[0]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[3], vec![0.0_f32, 3.0_f32.ln(), -1000.0]).unwrap());
        let y = tape.sigmoid(x).unwrap();
        let y = tape.value(y).data();
        assert!((y[0] - 0.5).abs() < 1e-7 && (y[1] - 0.75).abs() < 1e-7 && y[2] == 0.0, "{y:?}");
    }
}
