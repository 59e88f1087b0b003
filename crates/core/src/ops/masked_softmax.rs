//! Softmax of attention scores, where some tokens must not be seen.

use crate::kernels::by_rows;
use crate::kernels::softmax::softmax_rows;
use crate::mask::Mask;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `y_ij = e^(x_ij) / sum_k e^(x_ik)` over the keys `k` that query `i` sees, and 0 for
/// the others, of scores `(B, H, T, T)`.
///
/// It is [softmax](super::softmax) after adding minus infinity to the scores of the
/// keys that are not seen, and has its derivative:
/// `dL/dx_ij = y_ij (dL/dy_ij - sum_k y_ik dL/dy_ik)`.
#[derive(Debug)]
pub struct MaskedSoftmax {
    mask: Mask,
}

impl<T: Float> Tape<T> {
    /// Records [`MaskedSoftmax`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless the scores are `(B, H, T, T)`.
    #[track_caller]
    pub fn masked_softmax(&mut self, scores: Var, mask: Mask) -> Result<Var, Error> {
        self.record(MaskedSoftmax { mask }, &[scores])
    }
}

impl<T: Float> Op<T> for MaskedSoftmax {
    fn name(&self) -> &'static str {
        "masked_softmax"
    }
    fn equation(&self) -> &'static str {
        "y_ij = exp(x_ij) / sum_k exp(x_ik), k not masked"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[_, _, queries, keys] if queries == keys => Ok(ndarray::IxDyn(inputs[0])),
            _ => Err("scores are (B, H, T, T)".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        let (h, t) = (x.shape()[1], x.shape()[3]);
        by_rows(io.out, t, |first, out| {
            let mut scores = vec![T::zero(); if self.mask == Mask::Finite { t } else { 0 }];
            let rows = out.chunks_exact_mut(t.max(1)).zip(x.data()[first * t..].chunks_exact(t.max(1)));
            for (row, (out, x)) in rows.enumerate().map(|(r, pair)| (first + r, pair)) {
                let (b, i) = (row / (h * t), row % t);
                let seen = self.mask.visible(b, i, t);
                out[..seen.start].fill(T::zero());
                out[seen.end..].fill(T::zero());
                let out = &mut out[seen.clone()];
                match self.mask {
                    Mask::Finite => {
                        for (j, (score, &x)) in scores.iter_mut().zip(x).enumerate() {
                            *score = x + self.mask.added(i, j);
                        }
                        softmax_rows(out, &scores, t);
                    }
                    _ => softmax_rows(out, &x[seen.clone()], seen.len()),
                }
            }
        });
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        5 * count(output)
    }
}

impl<T: Float> Differentiable<T> for MaskedSoftmax {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let t = io.y.shape()[3].max(1);
        let (y, dy) = (io.y.data(), io.dy.data());
        io.input_grad(0, |dx| {
            by_rows(dx, t, |first, dx| {
                let rows = y[first * t..].chunks_exact(t).zip(dy[first * t..].chunks_exact(t));
                for (dx, (y, dy)) in dx.chunks_exact_mut(t).zip(rows) {
                    let inner: T = y.iter().zip(dy).map(|(&y, &dy)| y * dy).sum();
                    for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                        *dx = y * (dy - inner);
                    }
                }
            });
        });
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
        for mask in all.into_iter().chain([Mask::Padding([2, 0].into())]) {
            for (b, h, t) in [(2, 2, 3), (1, 1, 1), (2, 1, 20)] {
                check(&[&[b, h, t, t]], |tape, x| tape.masked_softmax(x[0], mask.clone()));
            }
        }
    }

    #[test]
    fn what_is_masked_is_exactly_zero() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[1, 1, 2, 2], vec![5.0_f32, 900.0, 2.0, 2.0]).unwrap());
        let y = tape.masked_softmax(x, Mask::Causal).unwrap();
        assert_eq!(tape.value(y).data(), [1.0, 0.0, 0.5, 0.5]);
        let y = tape.masked_softmax(x, Mask::Reversed).unwrap();
        assert_eq!(tape.value(y).data()[2..], [0.0, 1.0]);
        let y = tape.masked_softmax(x, Mask::Window(1)).unwrap();
        assert_eq!(tape.value(y).data(), [1.0, 0.0, 0.0, 1.0]);
        // With a finite mask only as long as no score is larger than what is added.
        let y = tape.masked_softmax(x, Mask::Finite).unwrap();
        assert_eq!(tape.value(y).data(), [1.0, 0.0, 0.5, 0.5]);
        let large = tape.input(Tensor::from_vec(&[1, 1, 2, 2], vec![0.0_f32, 1e5, 0.0, 0.0]).unwrap());
        let y = tape.masked_softmax(large, Mask::Finite).unwrap();
        assert_eq!(tape.value(y).data()[..2], [0.0, 1.0]);
        // A row that sees nothing is zero, not NaN.
        let y = tape.masked_softmax(x, Mask::Padding([0].into())).unwrap();
        assert_eq!(tape.value(y).data(), [0.0; 4]);
        let wrong = tape.input(Tensor::zeros(&[1, 2, 2]));
        assert!(tape.masked_softmax(wrong, Mask::None).is_err());
    }
}
