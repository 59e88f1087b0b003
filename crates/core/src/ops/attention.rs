//! Attention as one op, which never stores the T x T matrix.

use crate::kernels::attention::{Attention as Kernel, Dims};
use crate::ops::dropout::Dropout;
use crate::ops::masked_softmax::Mask;
use crate::ops::{Backward, Differentiable, Forward, Op};
use crate::{Error, Real, Shape, Tape, Var};

/// `Y = softmax(Q K^T / sqrt(D) + mask) V` for each of H heads (Vaswani et al. 2017,
/// equation 1), of Q, K and V side by side in `(B, T, 3 C)` to `(B, T, C)`, `C = H D`.
///
/// Query `i` asks, key `j` answers how well it fits, `Q_i . K_j`; softmax makes shares
/// of that, and `Y_i` is the mean of the values `V_j` in these shares. Row by row, with
/// `P = softmax(S)`, `S = Q K^T / sqrt(D)`:
///
/// `dV = P^T dY`, `dP = dY V^T`, `dS_ij = P_ij (dP_ij - Y_i . dY_i)`,
/// `dQ = dS K / sqrt(D)`, `dK = dS^T Q / sqrt(D)`.
///
/// The same from single ops: [`nn::MultiHeadAttention`](crate::nn::MultiHeadAttention)
/// in its primitive form; a test holds the two to each other.
#[derive(Debug)]
pub struct Attention {
    n_head: usize,
    mask: Mask,
    slopes: Option<Vec<f64>>,
    dropout: Option<Dropout>,
}

/// ALiBi's slope for each head (Press et al. 2022): `2^(-8 h / H)` for h from 1 to H. A
/// score loses so much with each token of distance.
pub fn alibi_slopes(n_head: usize) -> Vec<f64> {
    (1..=n_head).map(|h| (-8.0 * h as f64 / n_head as f64).exp2()).collect()
}

impl<T: Real> Tape<T> {
    /// Records [`Attention`] of `qkv` with `n_head` heads. With `alibi`, scores fall with
    /// the distance; `dropout` is the probability with which a weight is left out.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `qkv` is `(B, T, 3 C)` with C a multiple of `n_head`;
    /// [`Error::Setting`] unless `0 <= dropout < 1`.
    #[track_caller]
    pub fn attention(
        &mut self,
        qkv: Var,
        n_head: usize,
        mask: Mask,
        alibi: bool,
        dropout: f64,
    ) -> Result<Var, Error> {
        let dropout = self.dropout_mask(dropout)?;
        let slopes = alibi.then(|| alibi_slopes(n_head));
        self.record(Attention { n_head, mask, slopes, dropout }, &[qkv])
    }
}

impl Attention {
    fn dims(&self, qkv: &[usize]) -> Dims {
        Dims { b: qkv[0], t: qkv[1], h: self.n_head, d: qkv[2] / (3 * self.n_head) }
    }

    fn kernel(&self, qkv: &[usize]) -> Kernel<'_> {
        let dims = self.dims(qkv);
        let scale = 1.0 / (dims.d as f64).sqrt();
        Kernel { dims, mask: &self.mask, scale, slopes: self.slopes.as_deref(), dropout: self.dropout }
    }
}

impl<T: Real> Op<T> for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }
    fn equation(&self) -> &'static str {
        "Y = softmax(Q K^T / sqrt(D) + mask) V"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[b, t, c3] if b * t * c3 > 0 && c3.is_multiple_of(3 * self.n_head) => {
                Ok(ndarray::IxDyn(&[b, t, c3 / 3]))
            }
            _ => Err(format!("Q, K and V are (B, T, 3 C), C a multiple of the {} heads", self.n_head)),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let qkv = io.input(0);
        let kernel = self.kernel(qkv.shape());
        let Dims { b, t, h, .. } = kernel.dims;
        let mut scratch = io.scratch(kernel.dims.forward_scratch());
        io.save(&[b, h, t]);
        kernel.forward(io.out, io.saved[0].data_mut(), qkv.data(), scratch.data_mut());
        io.give_back(scratch);
    }
    /// Half of the full products where the mask hides half.
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        let Dims { b, t, h, d } = self.dims(inputs[0]);
        let pairs: usize =
            (0..b).flat_map(|b| (0..t).map(move |i| (b, i))).map(|(b, i)| self.mask.visible(b, i, t)).sum();
        (h * pairs * (4 * d + 6)) as u64
    }
}

impl<T: Real> Differentiable<T> for Attention {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (qkv, lse, y, dy) = (io.input(0), io.saved(0).data(), io.y.data(), io.dy.data());
        let kernel = self.kernel(qkv.shape());
        let mut scratch = io.scratch(kernel.dims.backward_scratch());
        io.input_grad(0, |dqkv| kernel.backward(dqkv, (qkv.data(), y, dy, lse), scratch.data_mut()));
        io.give_back(scratch);
    }
    /// Five products instead of two: the scores are computed once more.
    fn backward_flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        5 * Op::<T>::flops(self, inputs, output) / 2
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Tensor;
    use crate::gradcheck::check;
    use crate::rng::Streams;

    #[test]
    fn gradient() {
        for mask in [Mask::Causal, Mask::None, Mask::Padding([2, 0].into())] {
            for (b, t, h, d) in [(2, 3, 2, 2), (1, 1, 1, 1), (1, 4, 1, 3), (2, 5, 3, 1)] {
                check(&[&[b, t, 3 * h * d]], |tape, x| tape.attention(x[0], h, mask.clone(), false, 0.0));
            }
        }
        // More than one tile of queries; ALiBi; dropout.
        check(&[&[1, 70, 3]], |tape, x| tape.attention(x[0], 1, Mask::Causal, false, 0.0));
        check(&[&[2, 4, 12]], |tape, x| tape.attention(x[0], 2, Mask::Causal, true, 0.0));
        check(&[&[2, 4, 12]], |tape, x| {
            tape.set_dropout(Some(Streams::new(1).dropout(0)));
            tape.attention(x[0], 2, Mask::Causal, false, 0.3)
        });
    }

    #[test]
    fn by_hand() {
        // Two tokens, one head of one number: q = 1, 0; k = 1, 1; v = 10, 20.
        let mut tape = Tape::new();
        let qkv = tape.input(Tensor::from_vec(&[1, 2, 3], vec![1.0_f32, 1.0, 10.0, 0.0, 1.0, 20.0]).unwrap());
        let y = tape.attention(qkv, 1, Mask::Causal, false, 0.0).unwrap();
        // The first sees itself only; the second, whose query is 0, takes the mean.
        assert_eq!(tape.value(y).data(), [10.0, 15.0]);
        assert!(tape.attention(qkv, 2, Mask::Causal, false, 0.0).is_err());
    }

    #[test]
    fn what_is_not_seen_changes_no_bit() {
        let (b, t, c, h) = (2, 100, 16, 2);
        let mut numbers = 0.0_f32;
        let base = Tensor::from_fn(&[b, t, 3 * c], || {
            numbers += 1.0;
            (numbers * 0.37).sin()
        });
        let output = |x: &Tensor<f32>, mask: Mask| {
            let mut tape = Tape::new();
            let x = tape.input(x.clone());
            let y = tape.attention(x, h, mask, false, 0.0).unwrap();
            tape.value(y).data().to_vec()
        };
        let mut changed = base.clone();
        // Sequence 0 from token 70 on.
        changed.data_mut()[70 * 3 * c..t * 3 * c].iter_mut().for_each(|x| *x = 3.0 - *x);
        let (before, after) = (output(&base, Mask::Causal), output(&changed, Mask::Causal));
        assert_eq!(before[..70 * c], after[..70 * c]);
        assert_ne!(before[70 * c..t * c], after[70 * c..t * c]);
        assert_eq!(before[t * c..], after[t * c..]);
        let padding = || Mask::Padding([70, t].into());
        let (before, after) = (output(&base, padding()), output(&changed, padding()));
        assert_eq!(before[..70 * c], after[..70 * c]);
    }
}
