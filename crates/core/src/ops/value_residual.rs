//! The values of the first layer, mixed into those of a later one.

use crate::kernels::Kernels;
use crate::kernels::value_residual::ValuesOf;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// Replaces the values V of a layer by the mean `(V + V_1) / 2` with those of the first layer (Zhou et al. 2024,
/// "Value Residual Learning", whose shares are one half each). Q and K are unchanged. Two tensors
/// `(B, T, 3 C)`, each with Q, K and V side by side, give one `(B, T, 3 C)`.
///
/// So every layer can still pass on the token itself, however much the residual stream has changed by then.
///
/// `dL/dV = dL/dV_1 = 1/2 dL/dY` on the values.
#[derive(Debug)]
pub struct ValueResidual;

impl<T: Float> Tape<T> {
    /// Records [`ValueResidual`] of a layer's `qkv` and of the first layer's.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both are `(B, T, 3 C)`.
    #[track_caller]
    pub fn value_residual(&mut self, qkv: Var, first: Var) -> Result<Var, Error> {
        self.record(ValueResidual, &[qkv, first])
    }
}

impl<T: Float> Op<T> for ValueResidual {
    fn name(&self) -> &'static str {
        "value_residual"
    }
    fn equation(&self, _: usize) -> &'static str {
        "Y = (V + V_1) / 2 in V, Q and K unchanged"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match *inputs {
            [a, b] if a == b && a.len() == 3 && a[2] > 0 && a[2].is_multiple_of(3) => Ok(ndarray::IxDyn(a)),
            _ => Err("expected (B, T, 3 C) twice".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (qkv, first) = (io.input(0), io.input(1));
        T::Kernels::mean_of_values(io.out, qkv.data(), first.data(), qkv.shape()[2]);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output) / 3
    }
}

impl<T: Float> Differentiable<T> for ValueResidual {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dV = dY / 2 in V, dQ and dK unchanged", "dV_1 = dY / 2 in V, 0 for dQ_1 and dK_1"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (dy, width) = (io.dy.data(), io.dy.shape()[2]);
        io.input_grad(0, |dx| T::Kernels::mean_of_values_backward(dx, dy, width, ValuesOf::Layer));
        io.input_grad(1, |dx| T::Kernels::mean_of_values_backward(dx, dy, width, ValuesOf::First));
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output) / 3
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [[2, 3, 12], [1, 1, 3], [2, 1, 6]] {
            check(&[&shape, &shape], |tape, x| tape.value_residual(x[0], x[1]));
        }
        // A layer that mixes its values with themselves.
        check(&[&[2, 2, 6]], |tape, x| tape.value_residual(x[0], x[0]));
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::<f64>::new();
        let mut row = |x: [f64; 6]| tape.input(Tensor::from_vec(&[1, 1, 6], x.to_vec()).unwrap());
        let (qkv, first) = (row([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), row([9.0, 9.0, 9.0, 9.0, 1.0, 0.0]));
        let y = tape.value_residual(qkv, first).unwrap();
        assert_eq!(tape.value(y).data(), [1.0, 2.0, 3.0, 4.0, 3.0, 3.0]);
        let longer = tape.input(constant(&[1, 2, 6], 0.0));
        assert!(tape.value_residual(qkv, longer).is_err());
        let odd = tape.input(constant(&[1, 1, 4], 0.0));
        assert!(tape.value_residual(odd, odd).is_err());
    }
}
