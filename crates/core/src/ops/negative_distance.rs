//! Attention scores that measure how close a key is to a query.

use crate::kernels::Kernels;
use crate::kernels::pairwise_scores::{HeadShape, ScoreGradients, ScoreInputs};
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `s_ij = -|q_i - k_j|^2`: queries and keys `(B, H, T, D)` give `(B, H, T, T)`. The closer, the
/// higher. Expanded, it is `2 q_i . k_j - |q_i|^2 - |k_j|^2`: a dot product that does not favour
/// long keys. (Softmax cancels `|q_i|^2`, which is the same for all keys.)
///
/// `dq_i = -2 sum_j ds_ij (q_i - k_j)`, `dk_j = 2 sum_i ds_ij (q_i - k_j)`.
#[derive(Debug)]
pub struct NegativeDistance;

impl<T: Float> Tape<T> {
    /// Records [`NegativeDistance`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless both are `(B, H, T, D)`, and neither T nor D is 0.
    #[track_caller]
    pub fn negative_distance(&mut self, q: Var, k: Var) -> Result<Var, Error> {
        self.record(NegativeDistance, &[q, k])
    }
}

/// The shape of scores: queries and keys `(B, H, T, D)` give `(B, H, T, T)`.
pub(super) fn scores_shape(q: &[usize], k: &[usize]) -> Result<Shape, String> {
    match q {
        &[b, h, t, d] if q == k && t * d > 0 => Ok(ndarray::IxDyn(&[b, h, t, t])),
        _ => Err("expected queries and keys (B, H, T, D) of the same shape".into()),
    }
}

/// The named sizes of queries and keys `(B, H, T, D)`.
pub(super) fn head_shape(shape: &[usize]) -> HeadShape {
    let &[b, h, t, d] = shape else { unreachable!("queries and keys have four axes") };
    HeadShape { b, h, t, d }
}

impl<T: Float> Op<T> for NegativeDistance {
    fn name(&self) -> &'static str {
        "negative_distance"
    }
    fn equation(&self, _: usize) -> &'static str {
        "s_ij = -|q_i - k_j|^2"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        scores_shape(inputs[0], inputs[1])
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (q, k) = (io.input(0), io.input(1));
        let shape = head_shape(q.shape());
        let mut scratch = io.scratch(shape.forward_scratch());
        T::Kernels::negative_distance(io.out, (q.data(), k.data()), scratch.data_mut(), shape);
        io.give_back(scratch);
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        3 * count(output) * inputs[0][3] as u64
    }
}

impl<T: Float> Differentiable<T> for NegativeDistance {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dq_i = -2 sum_j ds_ij (q_i - k_j)", "dk_j = 2 sum_i ds_ij (q_i - k_j)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (q, k, ds) = (io.input(0), io.input(1), io.dy.data());
        let shape = head_shape(q.shape());
        let per_head = shape.b * shape.h * shape.d;
        let [mut dq, mut dk, mut dw] = [q.len(), q.len(), per_head].map(|len| io.scratch(len));
        let mut scratch = io.scratch(shape.backward_scratch());
        T::Kernels::negative_distance_backward(
            ScoreGradients { dq: dq.data_mut(), dk: dk.data_mut(), dw: dw.data_mut() },
            ScoreInputs { q: q.data(), k: k.data(), ds },
            scratch.data_mut(),
            shape,
        );
        io.input_grad(0, |to| T::Kernels::copy(to, dq.data()));
        io.input_grad(1, |to| T::Kernels::copy(to, dk.data()));
        [dq, dk, dw, scratch].into_iter().for_each(|scratch| io.give_back(scratch));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for (b, h, t, d) in [(2, 2, 3, 2), (1, 1, 1, 1), (1, 2, 4, 5)] {
            let shape = [b, h, t, d];
            check(&[&shape, &shape], |tape, x| tape.negative_distance(x[0], x[1]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let q = tape.input(Tensor::from_vec(&[1, 1, 2, 2], vec![0.0_f32, 0.0, 1.0, 2.0]).unwrap());
        let k = tape.input(Tensor::from_vec(&[1, 1, 2, 2], vec![3.0, 4.0, 1.0, 2.0]).unwrap());
        let s = tape.negative_distance(q, k).unwrap();
        assert_eq!(tape.value(s).data(), [-25.0, -5.0, -8.0, 0.0]);
        let wrong = tape.input(Tensor::zeros(&[1, 1, 2, 3]));
        assert!(tape.negative_distance(q, wrong).is_err());
    }
}
