//! The softmax of attention scores over the keys that each query sees.

use crate::kernels::Kernels;
use crate::mask::Mask;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `y_ij = e^(x_ij) / sum_k e^(x_ik)` over the keys `k` that query `i` sees, and 0 for the other
/// keys, for scores `(B, H, T, S)`.
///
/// This is [softmax](super::softmax) after adding minus infinity to the scores of the hidden
/// keys, and it has the same derivative: `dL/dx_ij = y_ij (dL/dy_ij - sum_k y_ik dL/dy_ik)`. The
/// row of a query that sees no key is zero.
#[derive(Debug)]
pub struct MaskedSoftmax {
    mask: Mask,
}

impl<T: Float> Tape<T> {
    /// Records [`MaskedSoftmax`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless the scores are `(B, H, T, S)`, or if the mask lacks a length
    /// for a sequence.
    #[track_caller]
    pub fn masked_softmax(&mut self, scores: Var, mask: Mask) -> Result<Var, Error> {
        self.record(MaskedSoftmax { mask }, &[scores])
    }
}

impl<T: Float> Op<T> for MaskedSoftmax {
    fn name(&self) -> &'static str {
        "masked_softmax"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y_ij = exp(x_ij) / sum_k exp(x_ik), k not masked"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[b, _, _, _] => self.mask.check_sequences(b).map(|()| ndarray::IxDyn(inputs[0])),
            _ => Err("expected scores (B, H, T, S)".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        let &[_, h, t_q, t_k] = x.shape() else { unreachable!("the shape was checked") };
        T::Kernels::masked_softmax(io.out, x.data(), [h, t_q, t_k], &self.mask);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        5 * count(output)
    }
}

impl<T: Float> Differentiable<T> for MaskedSoftmax {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx_ij = y_ij (dy_ij - sum_k y_ik dy_ik)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (y, dy, t_k) = (io.y.data(), io.dy.data(), io.y.shape()[3].max(1));
        io.input_grad(0, |dx| T::Kernels::softmax_backward(dx, y, dy, t_k));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::mask::Mask;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        let all = [Mask::None, Mask::Causal, Mask::Reversed, Mask::Window(2), Mask::Finite];
        let padded = [Mask::Padding([2, 0].into()), Mask::CausalPadding([2, 0].into())];
        for mask in all.into_iter().chain(padded) {
            for shape in [[2, 2, 3, 3], [1, 1, 1, 1], [2, 1, 20, 20], [2, 2, 3, 5], [2, 1, 5, 3]] {
                check(&[&shape], |tape, x| tape.masked_softmax(x[0], mask.clone()));
            }
        }
    }

    #[test]
    fn masked_weights_are_exactly_zero() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[1, 1, 2, 2], vec![5.0_f32, 900.0, 2.0, 2.0]).unwrap());
        let y = tape.masked_softmax(x, Mask::Causal).unwrap();
        assert_eq!(tape.value(y).data(), [1.0, 0.0, 0.5, 0.5]);
        let y = tape.masked_softmax(x, Mask::Reversed).unwrap();
        assert_eq!(tape.value(y).data()[2..], [0.0, 1.0]);
        let y = tape.masked_softmax(x, Mask::Window(1)).unwrap();
        assert_eq!(tape.value(y).data(), [1.0, 0.0, 0.0, 1.0]);
        // The finite mask hides a score only if it is not larger than the others by more than the
        // mask subtracts.
        let y = tape.masked_softmax(x, Mask::Finite).unwrap();
        assert_eq!(tape.value(y).data(), [1.0, 0.0, 0.5, 0.5]);
        let large = tape.input(Tensor::from_vec(&[1, 1, 2, 2], vec![0.0_f32, 1e5, 0.0, 0.0]).unwrap());
        let y = tape.masked_softmax(large, Mask::Finite).unwrap();
        assert_eq!(tape.value(y).data()[..2], [0.0, 1.0]);
        // The row of a query that sees no key is zero, not NaN.
        let y = tape.masked_softmax(x, Mask::Padding([0].into())).unwrap();
        assert_eq!(tape.value(y).data(), [0.0; 4]);
        let y = tape.masked_softmax(x, Mask::CausalPadding([1].into())).unwrap();
        assert_eq!(tape.value(y).data(), [1.0, 0.0, 1.0, 0.0]);
        assert!(tape.masked_softmax(x, Mask::Padding([].into())).is_err());
        let wrong = tape.input(Tensor::zeros(&[1, 2, 2]));
        assert!(tape.masked_softmax(wrong, Mask::None).is_err());
    }
}
