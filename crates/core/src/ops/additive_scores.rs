//! Additive attention scores, from a small network.

use crate::kernels::Kernels;
use crate::kernels::pairwise_scores::{ScoreGradients, ScoreInputs};
use crate::ops::negative_distance::{head_shape, scores_shape};
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `s_ij = sum_d w_d tanh(q_id + k_jd)`: queries and keys `(B, H, T, D)` and weights `w` `(H, D)`
/// give `(B, H, T, T)` (Bahdanau et al. 2015, appendix A.1.2; here, its two matrices are the
/// projections to Q and K).
///
/// With `z_ijd = ds_ij w_d (1 - tanh^2(q_id + k_jd))`: `dq_i = sum_j z_ij`, `dk_j = sum_i z_ij`,
/// `dw = sum_ij ds_ij tanh(q_i + k_j)`.
#[derive(Debug)]
pub struct AdditiveScores;

impl<T: Float> Tape<T> {
    /// Records [`AdditiveScores`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless `q` and `k` are `(B, H, T, D)` and `w` is `(H, D)`.
    #[track_caller]
    pub fn additive_scores(&mut self, q: Var, k: Var, w: Var) -> Result<Var, Error> {
        self.record(AdditiveScores, &[q, k, w])
    }
}

impl<T: Float> Op<T> for AdditiveScores {
    fn name(&self) -> &'static str {
        "additive_scores"
    }
    fn equation(&self, _: usize) -> &'static str {
        "s_ij = sum_d w_d tanh(q_id + k_jd)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match scores_shape(inputs[0], inputs[1]) {
            Ok(shape) if inputs[2] == [inputs[0][1], inputs[0][3]] => Ok(shape),
            _ => Err("expected queries and keys (B, H, T, D) of the same shape, and weights (H, D)".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (q, k, w) = (io.input(0), io.input(1), io.input(2).data());
        let shape = head_shape(q.shape());
        let mut scratch = io.scratch(shape.forward_scratch());
        T::Kernels::additive_scores(io.out, (q.data(), k.data()), w, scratch.data_mut(), shape);
        io.give_back(scratch);
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        8 * count(output) * inputs[0][3] as u64
    }
}

impl<T: Float> Differentiable<T> for AdditiveScores {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &[
            "dq_id = sum_j ds_ij w_d (1 - tanh(q_id + k_jd)^2)",
            "dk_jd = sum_i ds_ij w_d (1 - tanh(q_id + k_jd)^2)",
            "dw_d = sum_ij ds_ij tanh(q_id + k_jd), over all sequences",
        ]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (q, k, w, ds) = (io.input(0), io.input(1), io.input(2).data(), io.dy.data());
        let shape = head_shape(q.shape());
        let [mut dq, mut dk, mut dw] = [q.len(), q.len(), shape.b * w.len()].map(|len| io.scratch(len));
        let mut scratch = io.scratch(shape.backward_scratch());
        T::Kernels::additive_scores_backward(
            ScoreGradients { dq: dq.data_mut(), dk: dk.data_mut(), dw: dw.data_mut() },
            ScoreInputs { q: q.data(), k: k.data(), ds },
            w,
            scratch.data_mut(),
            shape,
        );
        io.input_grad(0, |to| T::Kernels::copy(to, dq.data()));
        io.input_grad(1, |to| T::Kernels::copy(to, dk.data()));
        io.input_grad(2, |to| T::Kernels::sum_over_sequences(to, dw.data())); // (B, H, D) -> (H, D)
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
            check(&[&shape, &shape, &[h, d]], |tape, x| tape.additive_scores(x[0], x[1], x[2]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let q = tape.input(Tensor::from_vec(&[1, 1, 1, 2], vec![0.5_f64, -1.0]).unwrap());
        let k = tape.input(Tensor::from_vec(&[1, 1, 1, 2], vec![0.25, 1.0]).unwrap());
        let w = tape.input(Tensor::from_vec(&[1, 2], vec![2.0, 100.0]).unwrap());
        let s = tape.additive_scores(q, k, w).unwrap();
        assert!((tape.value(s).data()[0] - 2.0 * 0.75_f64.tanh()).abs() < 1e-9);
        assert!(tape.additive_scores(q, k, q).is_err());
    }
}
