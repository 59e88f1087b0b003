//! The Gaussian error linear unit.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = x/2 (1 + tanh(u))` with `u = sqrt(2/pi) (x + 0.044715 x^3)`: GPT-2's form of GELU
/// (Hendrycks and Gimpel 2016), a smooth ReLU.
///
/// `(1 + tanh(u)) / 2 = s(2u)` with the logistic function `s`, so `y = x s(2u)`: a sigmoid neuron
/// decides how much of each element passes. Hence `dy/dx = s + x s (1 - s) 2u'` with
/// `u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)`.
#[derive(Debug)]
pub struct Gelu;

impl<T: Float> Tape<T> {
    /// Records [`Gelu`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn gelu(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Gelu, &[x])
    }
}

impl<T: Float> Op<T> for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::gelu(io.out, io.input(0).data());
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        8 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Gelu {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = dy/2 (1 + t + x (1 - t^2) u'), t = tanh(u)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (x, dy) = (io.input(0).data(), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::gelu_backward(dx, x, dy));
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
            check(&[shape], |tape, x| tape.gelu(x[0]));
        }
    }

    #[test]
    fn by_definition() {
        let xs = [-60.0_f64, -3.0, -0.5, 0.0, 0.1, 1.0, 4.0, 60.0];
        let by_tanh = xs.map(|x| {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + u.tanh())
        });
        let mut tape = Tape::<f64>::new();
        let x = tape.input(Tensor::from_vec(&[8], xs.to_vec()).unwrap());
        let y = tape.gelu(x).unwrap();
        let mut tape_32 = Tape::<f32>::new();
        let x = tape_32.input(Tensor::from_vec(&[8], xs.map(|x| x as f32).to_vec()).unwrap());
        let y_32 = tape_32.gelu(x).unwrap();
        for ((y, y_32), want) in tape.value(y).data().iter().zip(tape_32.value(y_32).data()).zip(by_tanh) {
            assert!((y - want).abs() < 1e-12 && (f64::from(*y_32) - want).abs() < 1e-5, "{y} {y_32} {want}");
        }
    }
}
