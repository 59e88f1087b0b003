//! Attention as one op, which never stores the T x T matrix.

use crate::kernels::attention::{Attention as Kernel, Dims};
use crate::kernels::dropout::DropoutMask;
use crate::mask::Mask;
use crate::ops::{Backward, Differentiable, Forward, Op};
use crate::{Error, Float, Shape, Tape, Var};

/// `Y = softmax(scale Q K^T + mask) V`, with the scale `1 / sqrt(D)`, for each of H heads (Vaswani et al. 2017,
/// equation 1), of Q, K and V side by side in `(B, T, 3 C)` to `(B, T, C)`, `C = H D`.
///
/// Query `i` asks, key `j` answers how well it fits, `Q_i . K_j`; softmax makes shares
/// of that, and `Y_i` is the mean of the values `V_j` in these shares. Row by row, with
/// `P = softmax(S)`, `S = Q K^T / sqrt(D)`:
///
/// `dV = P^T dY`, `dP = dY V^T`, `dS_ij = P_ij (dP_ij - sum_k P_ik dP_ik)`,
/// `dQ = dS K / sqrt(D)`, `dK = dS^T Q / sqrt(D)`.
///
/// The same from single ops: [`nn::MultiHeadAttention`](crate::nn::MultiHeadAttention)
/// in its primitive form; a test holds the two to each other.
#[derive(Debug)]
pub struct Attention {
    options: AttentionOptions,
    slopes: Option<Vec<f64>>,
    dropout: Option<DropoutMask>,
}

/// What [`Attention`] depends on besides Q, K and V.
#[derive(Debug, Clone)]
pub struct AttentionOptions {
    /// H: heads.
    pub n_head: usize,
    /// Which keys a query sees.
    pub mask: Mask,
    /// What scalar products are multiplied with; `1 / sqrt(D)` if nothing is said.
    pub scale: Option<f64>,
    /// Whether scores fall with the distance, as [`alibi_slopes`] say.
    pub alibi: bool,
    /// The probability with which a weight is left out of a training step.
    pub dropout: f64,
}

impl AttentionOptions {
    /// So many heads and this mask, the usual scale, neither ALiBi nor dropout.
    pub fn new(n_head: usize, mask: Mask) -> Self {
        Self { n_head, mask, scale: None, alibi: false, dropout: 0.0 }
    }
}

/// ALiBi's slope for each head (Press et al. 2022): `2^(-8 h / H)` for h from 1 to H. A
/// score loses so much with each token of distance.
pub fn alibi_slopes(n_head: usize) -> Vec<f64> {
    (1..=n_head).map(|h| (-8.0 * h as f64 / n_head as f64).exp2()).collect()
}

impl<T: Float> Tape<T> {
    /// Records [`Attention`] of `qkv`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `qkv` is `(B, T, 3 C)` with C a multiple of `n_head`;
    /// [`Error::Setting`] unless `0 <= dropout < 1`.
    #[track_caller]
    pub fn attention(&mut self, qkv: Var, options: AttentionOptions) -> Result<Var, Error> {
        let dropout = self.dropout_mask(options.dropout)?;
        let slopes = options.alibi.then(|| alibi_slopes(options.n_head));
        self.record(Attention { options, slopes, dropout }, &[qkv])
    }
}

impl Attention {
    fn dims(&self, qkv: &[usize]) -> Dims {
        Dims { b: qkv[0], t: qkv[1], h: self.options.n_head, d: qkv[2] / (3 * self.options.n_head) }
    }

    fn kernel(&self, qkv: &[usize]) -> Kernel<'_> {
        let dims = self.dims(qkv);
        let scale = self.options.scale.unwrap_or(1.0 / (dims.d as f64).sqrt());
        let (mask, slopes) = (&self.options.mask, self.slopes.as_deref());
        Kernel { dims, mask, scale, slopes, dropout: self.dropout }
    }
}

impl<T: Float> Op<T> for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }
    fn equation(&self) -> &'static str {
        "Y = softmax(scale Q K^T + mask) V"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[b, t, c3] if b * t * c3 > 0 && c3.is_multiple_of(3 * self.options.n_head) => {
                Ok(ndarray::IxDyn(&[b, t, c3 / 3]))
            }
            _ => {
                Err(format!("Q, K and V are (B, T, 3 C), C a multiple of the {} heads", self.options.n_head))
            }
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
        let queries = (0..b).flat_map(|b| (0..t).map(move |i| (b, i)));
        let pairs: usize = queries.map(|(b, i)| self.options.mask.visible(b, i, t).len()).sum();
        (h * pairs * (4 * d + 6)) as u64
    }
}

impl<T: Float> Differentiable<T> for Attention {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (qkv, dy, lse) = (io.input(0), io.dy.data(), io.saved(0));
        let kernel = self.kernel(qkv.shape());
        let mut scratch = io.scratch(kernel.dims.backward_scratch());
        io.input_grad(0, |dqkv| kernel.backward(dqkv, (qkv.data(), dy, lse.data()), scratch.data_mut()));
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
    use crate::gradcheck::check;
    use crate::rng::Streams;
    use crate::{Grads, Params, Tensor};

    #[test]
    fn gradient() {
        let plain = AttentionOptions::new;
        let masks = [Mask::Causal, Mask::None, Mask::Reversed, Mask::Window(2), Mask::Finite];
        for mask in masks.into_iter().chain([Mask::Padding([2, 0].into())]) {
            for (b, t, h, d) in [(2, 3, 2, 2), (1, 1, 1, 1), (1, 4, 1, 3), (2, 5, 3, 1)] {
                check(&[&[b, t, 3 * h * d]], |tape, x| tape.attention(x[0], plain(h, mask.clone())));
            }
        }
        // More than one tile of queries; another scale; ALiBi; dropout.
        for mask in [Mask::Causal, Mask::Reversed, Mask::Window(3)] {
            check(&[&[1, 70, 3]], |tape, x| tape.attention(x[0], plain(1, mask.clone())));
        }
        let causal = || plain(2, Mask::Causal);
        let more = [
            AttentionOptions { scale: Some(1.5), ..causal() },
            AttentionOptions { alibi: true, ..causal() },
            AttentionOptions { alibi: true, ..plain(2, Mask::Window(2)) },
            AttentionOptions { dropout: 0.3, ..causal() },
            AttentionOptions { dropout: 0.3, ..plain(2, Mask::Window(2)) },
        ];
        for options in more {
            check(&[&[2, 4, 12]], |tape, x| {
                tape.set_dropout(Some(Streams::new(1).dropout(0)));
                tape.attention(x[0], options.clone())
            });
        }
    }

    #[test]
    fn by_hand() {
        // Two tokens, one head of one number: q = 1, 0; k = 1, 1; v = 10, 20.
        let mut tape = Tape::new();
        let qkv = tape.input(Tensor::from_vec(&[1, 2, 3], vec![1.0_f32, 1.0, 10.0, 0.0, 1.0, 20.0]).unwrap());
        let y = tape.attention(qkv, AttentionOptions::new(1, Mask::Causal)).unwrap();
        // The first sees itself only; the second, whose query is 0, takes the mean.
        assert_eq!(tape.value(y).data(), [10.0, 15.0]);
        assert!(tape.attention(qkv, AttentionOptions::new(2, Mask::Causal)).is_err());
    }

    /// As the T x T matrix would not: four times as much for a text of twice the length.
    #[test]
    fn memory_grows_with_the_length_of_a_text_and_not_with_its_square() {
        let scratch = |t| {
            let dims = Dims { b: 1, t, h: 2, d: 4 };
            [dims.forward_scratch(), dims.backward_scratch()]
        };
        for (one, two) in [1024, 2048].map(|t| (scratch(t), scratch(2 * t))) {
            assert!(one.iter().zip(two).all(|(&one, two)| one < two && two <= 2 * one), "{one:?} {two:?}");
        }
        let step = |t| {
            let mut params = Params::new();
            let qkv = params.add("qkv", Tensor::<f32>::zeros(&[1, t, 24])).unwrap();
            let (mut tape, mut grads) = (Tape::new(), Grads::new());
            let qkv = tape.param(&params, qkv);
            let y = tape.attention(qkv, AttentionOptions::new(2, Mask::Causal)).unwrap();
            let loss = tape.mean(y).unwrap();
            tape.backward(loss, &mut grads).unwrap();
            tape.buffer_numbers()
        };
        let [one, two] = [1024, 2048].map(step);
        assert!(one < two && two <= 2 * one, "{one} {two}");
        // The matrix alone would have more.
        assert!(two < 2048 * 2048, "{two}");
    }

    fn waves(shape: &[usize]) -> Tensor<f32> {
        let mut n = 0.0_f32;
        Tensor::from_fn(shape, || {
            n += 1.0;
            (n * 0.37).sin()
        })
    }

    /// The output, and the gradient of the sum of its first `upto` rows, a factor for each number.
    fn gradient_of_first_rows(qkv: Tensor<f32>, upto: usize, options: AttentionOptions) -> [Vec<f32>; 2] {
        let mut params = Params::new();
        let qkv = params.add("qkv", qkv).unwrap();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_dropout(Some(Streams::new(1).dropout(0)));
        let x = tape.param(&params, qkv);
        let y = tape.attention(x, options).unwrap();
        let mut factors = waves(tape.value(y).shape());
        let c = factors.shape()[2];
        factors.data_mut()[upto * c..].fill(0.0);
        let factors = tape.input(factors);
        let product = tape.mul(y, factors).unwrap();
        let loss = tape.mean(product).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        [tape.value(y).data().to_vec(), grads.get(qkv).unwrap().data().to_vec()]
    }

    #[test]
    fn what_is_not_seen_changes_no_bit() {
        let (b, t, c, h) = (2, 100, 16, 2);
        let base = waves(&[b, t, 3 * c]);
        let output = |x: &Tensor<f32>, mask: Mask| {
            let mut tape = Tape::new();
            let x = tape.input(x.clone());
            let y = tape.attention(x, AttentionOptions::new(h, mask)).unwrap();
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

    /// A loss of the first tokens has the same gradient, bit for bit, whatever follows them.
    #[test]
    fn what_is_not_seen_changes_no_bit_of_a_gradient() {
        let (t, c) = (100, 16);
        let base = waves(&[1, t, 3 * c]);
        let mut changed = base.clone();
        changed.data_mut()[70 * 3 * c..].iter_mut().for_each(|x| *x = 3.0 - *x);
        for dropout in [0.0, 0.3] {
            let options = || AttentionOptions { dropout, ..AttentionOptions::new(2, Mask::Causal) };
            let [_, before] = gradient_of_first_rows(base.clone(), 70, options());
            let [_, after] = gradient_of_first_rows(changed.clone(), 70, options());
            assert_eq!(before[..70 * 3 * c], after[..70 * 3 * c]);
            assert!(after[70 * 3 * c..].iter().all(|&d| d == 0.0));
            assert!(before.iter().any(|&d| d != 0.0));
        }
    }

    /// Also through the weights that dropout leaves out: a run must stop, not go on without a token.
    #[test]
    fn nan_in_a_query_reaches_its_output_and_all_that_it_sees() {
        let (t, c) = (40, 8);
        let mut qkv = waves(&[1, t, 3 * c]);
        qkv.data_mut()[30 * 3 * c..][..c].fill(f32::NAN);
        for dropout in [0.0, 0.5] {
            let options = AttentionOptions { dropout, ..AttentionOptions::new(1, Mask::Causal) };
            let [y, dqkv] = gradient_of_first_rows(qkv.clone(), t, options);
            for (i, y) in y.chunks(c).enumerate() {
                assert!(y.iter().all(|y| y.is_nan() == (i == 30)), "output {i}");
            }
            for (j, d) in dqkv.chunks(3 * c).enumerate() {
                let [dq, dk, dv] = [&d[..c], &d[c..2 * c], &d[2 * c..]];
                assert!(dq.iter().all(|d| d.is_nan() == (j == 30)), "dQ {j}");
                assert!(dv.iter().all(|d| d.is_nan() == (j <= 30)), "dV {j}");
                // Of later keys too it may be: 0 times the query is NaN.
                assert!(j > 30 || dk.iter().all(|d| d.is_nan()), "dK {j}");
            }
        }
    }
}
