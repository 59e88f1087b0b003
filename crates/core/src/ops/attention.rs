//! Fused attention: one op that never stores the T x T matrix of weights.

use crate::kernels::Kernels;
use crate::kernels::attention::{Attention as Kernel, Dims, Gradients, Inputs};
use crate::kernels::dropout::DropoutMask;
use crate::mask::Mask;
use crate::ops::{Backward, Differentiable, Forward, Op};
use crate::{Error, Float, Precision, Shape, Tape, Var};

/// `Y = softmax(scale Q K^T + mask) V` for each of H heads, with the scale `1 / sqrt(D)`
/// (Vaswani et al. 2017, equation 1).
///
/// Query `i` is compared with every key `j`: the score `Q_i . K_j` says how well the key
/// answers the query. Softmax turns the scores of a query into weights that sum to 1, and
/// `Y_i` is the mean of the values `V_j` with these weights.
///
/// | | input | output |
/// | --- | --- | --- |
/// | self-attention, [`Tape::attention`] | Q, K and V side by side, `(B, T, 3 C)` | `(B, T, C)` |
/// | cross-attention, [`Tape::cross_attention`] | Q `(B, T, C)`; K and V side by side, `(B, S, 2 C)` | `(B, T, C)` |
///
/// Here, `C = H D`, and head `h` has the D columns from `h D` on in each of Q, K, V and Y. With
/// `P = softmax(scale Q K^T)`, and with `dS` for the gradient of the scores `scale Q K^T`, the gradients of a head are:
///
/// `dV = P^T dY`, `dP = dY V^T`, `dS_ij = P_ij (dP_ij - sum_k P_ik dP_ik)`,
/// `dQ = scale dS K`, `dK = scale dS^T Q`.
///
/// With dropout, `Y = A V` with `A = M * P`, where M is 0 with probability p and `1 / (1 - p)` otherwise; so
/// `dV = A^T dY` and `dP = M * dY V^T`.
///
/// A query that sees no key has a zero output and passes on no gradient.
/// [`nn::SelfAttention`](crate::nn::SelfAttention) computes the same from primitive ops;
/// tests check that the two agree.
#[derive(Debug)]
pub struct Attention {
    kind: Kind,
    options: AttentionOptions,
    slopes: Option<Vec<f64>>,
    dropout: Option<DropoutMask>,
}

/// Where the keys and values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// From the same tokens as the queries; the input is `[qkv]`.
    SelfAttention,
    /// From another sequence; the inputs are `[q, kv]`.
    CrossAttention,
}

/// The settings of [`Attention`].
#[derive(Debug, Clone)]
pub struct AttentionOptions {
    /// H: heads.
    pub n_head: usize,
    /// Which keys each query sees.
    pub mask: Mask,
    /// The factor of the scores `Q K^T`; `None` means `1 / sqrt(D)`.
    pub scale: Option<f64>,
    /// Whether scores decrease with the distance between query and key: see [`alibi_slopes`].
    pub alibi: bool,
    /// The probability that a training step drops a weight.
    pub dropout: f64,
}

impl AttentionOptions {
    /// The default scale, without ALiBi and dropout.
    pub fn new(n_head: usize, mask: Mask) -> Self {
        Self { n_head, mask, scale: None, alibi: false, dropout: 0.0 }
    }
}

/// ALiBi's slope for each head, `2^(-8 h / H)` for h from 1 to H (Press et al. 2022): the decrease
/// of a score per token of distance.
pub fn alibi_slopes(n_head: usize) -> Vec<f64> {
    (1..=n_head).map(|h| (-8.0 * h as f64 / n_head as f64).exp2()).collect()
}

impl<T: Float> Tape<T> {
    /// Records self-attention: [`Attention`] of Q, K and V in `qkv`, `(B, T, 3 C) -> (B, T, C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `qkv` is `(B, T, 3 C)` with C a multiple of `n_head`, or if the
    /// mask lacks a length for a sequence; [`Error::Setting`] unless `0 <= dropout < 1`.
    #[track_caller]
    pub fn attention(&mut self, qkv: Var, options: AttentionOptions) -> Result<Var, Error> {
        self.record_attention(Kind::SelfAttention, &[qkv], options)
    }

    /// Records cross-attention: [`Attention`] of the queries `q`, `(B, T, C)`, to the keys and
    /// values of another sequence, side by side in `kv`, `(B, S, 2 C)`. Gives `(B, T, C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the inputs have these shapes, with C a multiple of `n_head`, or if
    /// the mask lacks a length for a sequence; [`Error::Setting`] unless `0 <= dropout < 1`, or if
    /// `alibi` is set, because tokens of different sequences have no distance.
    #[track_caller]
    pub fn cross_attention(&mut self, q: Var, kv: Var, options: AttentionOptions) -> Result<Var, Error> {
        if options.alibi {
            let rule = "ALiBi needs the distance between tokens of one sequence, which cross-attention lacks";
            return Err(Error::Setting { name: "positions", value: "alibi".into(), rule });
        }
        self.record_attention(Kind::CrossAttention, &[q, kv], options)
    }

    #[track_caller]
    fn record_attention(
        &mut self,
        kind: Kind,
        inputs: &[Var],
        options: AttentionOptions,
    ) -> Result<Var, Error> {
        let dropout = self.dropout_mask(options.dropout)?;
        let slopes = options.alibi.then(|| alibi_slopes(options.n_head));
        self.record(Attention { kind, options, slopes, dropout }, inputs)
    }
}

impl Attention {
    /// The sizes of the operands, from the shapes of the inputs.
    fn dims(&self, inputs: &[&[usize]]) -> Dims {
        let h = self.options.n_head;
        let (b, t_q) = (inputs[0][0], inputs[0][1]);
        match self.kind {
            Kind::SelfAttention => Dims { b, t_q, t_k: t_q, h, d: inputs[0][2] / (3 * h) },
            Kind::CrossAttention => Dims { b, t_q, t_k: inputs[1][1], h, d: inputs[0][2] / h },
        }
    }

    fn kernel(&self, dims: Dims, precision: Precision) -> Kernel<'_> {
        let scale = self.options.scale.unwrap_or(1.0 / (dims.d as f64).sqrt());
        let (mask, slopes) = (&self.options.mask, self.slopes.as_deref());
        Kernel { dims, mask, scale, slopes, dropout: self.dropout, precision }
    }
}

impl<T: Float> Op<T> for Attention {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::SelfAttention => "attention",
            Kind::CrossAttention => "cross_attention",
        }
    }
    fn equation(&self, _: usize) -> &'static str {
        match self.dropout {
            None => "Y = P V, P = softmax(scale Q K^T + mask)",
            Some(_) => "Y = A V, A = M * P, M = m / (1 - p), P = softmax(scale Q K^T + mask)",
        }
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let h = self.options.n_head;
        let (fits, [b, t, c]) = match (self.kind, inputs) {
            (Kind::SelfAttention, &[&[b, t, c3]]) => {
                (b * t * c3 > 0 && c3.is_multiple_of(3 * h), [b, t, c3 / 3])
            }
            (Kind::CrossAttention, &[&[b, t_q, c], &[b_k, t_k, c2]]) => {
                let not_empty = b * t_q * t_k * c > 0;
                (not_empty && b == b_k && c2 == 2 * c && c.is_multiple_of(h), [b, t_q, c])
            }
            _ => (false, [0; 3]),
        };
        if !fits {
            return Err(match self.kind {
                Kind::SelfAttention => {
                    format!("expected Q, K and V (B, T, 3 C), with C a multiple of the {h} heads")
                }
                Kind::CrossAttention => {
                    format!("expected Q (B, T, C) and K, V (B, S, 2 C), with C a multiple of the {h} heads")
                }
            });
        }
        self.options.mask.check_sequences(b)?;
        Ok(ndarray::IxDyn(&[b, t, c]))
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (first, second) = (io.input(0), (self.kind == Kind::CrossAttention).then(|| io.input(1)));
        let dims = self.dims(&[first.shape(), second.map_or(&[], |kv| kv.shape())]);
        let mut scratch = io.scratch(dims.forward_scratch());
        io.save(&[dims.b, dims.h, dims.t_q]);
        let inputs = match second {
            None => Inputs::self_attention(dims, first.data()),
            Some(kv) => Inputs::cross_attention(dims, first.data(), kv.data()),
        };
        let log_sums = io.saved[0].data_mut();
        T::Kernels::attention(&self.kernel(dims, io.precision), io.out, log_sums, inputs, scratch.data_mut());
        io.give_back(scratch);
    }
    /// Two products and a softmax, for the pairs of query and key that see each other: with a
    /// causal mask about half of all pairs.
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        let Dims { b, t_q, t_k, h, d } = self.dims(inputs);
        let queries = (0..b).flat_map(|b| (0..t_q).map(move |i| (b, i)));
        let pairs: usize = queries.map(|(b, i)| self.options.mask.visible(b, i, t_k).len()).sum();
        (h * pairs * (4 * d + 6)) as u64
    }
}

impl<T: Float> Differentiable<T> for Attention {
    fn gradient_equations(&self) -> &'static [&'static str] {
        match (self.kind, self.dropout) {
            (Kind::SelfAttention, None) => {
                &["dQ = scale dS K, dK = scale dS^T Q, dV = P^T dY, dS = softmax'(dY V^T)"]
            }
            (Kind::SelfAttention, Some(_)) => {
                &["dQ = scale dS K, dK = scale dS^T Q, dV = A^T dY, dS = softmax'(M * dY V^T)"]
            }
            (Kind::CrossAttention, None) => &[
                "dQ = scale dS K, dS = softmax'(dY V^T)",
                "dK = scale dS^T Q, dV = P^T dY, dS = softmax'(dY V^T)",
            ],
            (Kind::CrossAttention, Some(_)) => &[
                "dQ = scale dS K, dS = softmax'(M * dY V^T)",
                "dK = scale dS^T Q, dV = A^T dY, dS = softmax'(M * dY V^T)",
            ],
        }
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (first, second) = (io.input(0), (self.kind == Kind::CrossAttention).then(|| io.input(1)));
        let dims = self.dims(&[first.shape(), second.map_or(&[], |kv| kv.shape())]);
        let (kernel, dy, log_sums) = (self.kernel(dims, io.precision), io.dy.data(), io.saved(0));
        let mut scratch = io.scratch(dims.backward_scratch());
        let mut run = |gradients: Gradients<'_, T>, inputs: Inputs<'_, T>| {
            let from = (dy, log_sums.data());
            T::Kernels::attention_backward(&kernel, gradients, inputs, from, scratch.data_mut());
        };
        match second {
            None => io.input_grad(0, |dqkv| {
                run(Gradients::self_attention(dims, dqkv), Inputs::self_attention(dims, first.data()));
            }),
            Some(kv) => io.two_input_grads([0, 1], |dq, dkv| {
                let inputs = Inputs::cross_attention(dims, first.data(), kv.data());
                run(Gradients::cross_attention(dims, dq, dkv), inputs);
            }),
        }
        io.give_back(scratch);
    }
    /// Five products instead of two, because the scores are recomputed.
    fn backward_flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        5 * Op::<T>::flops(self, inputs, output) / 2
    }
}

#[cfg(test)]
mod property_tests;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gradcheck::{check, constant};
    use crate::kernels::bf16_path::Bf16Path;
    use crate::rng::Streams;
    use crate::{Grads, Params, Tensor};

    #[test]
    fn gradient() {
        let plain = AttentionOptions::new;
        let masks = [Mask::Causal, Mask::None, Mask::Reversed, Mask::Window(2), Mask::Finite];
        let padded = [Mask::Padding([2, 0].into()), Mask::CausalPadding([2, 0].into())];
        for mask in masks.into_iter().chain(padded) {
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
    fn the_equations_have_dropout() {
        let mut tape = Tape::<f64>::new();
        tape.trace.switch(true);
        tape.set_dropout(Some(Streams::new(1).dropout(0)));
        let qkv = tape.input(constant(&[1, 2, 3], 0.0));
        for (dropout, product) in [(0.0, "Y = P V, "), (0.3, "Y = A V, ")] {
            let options = AttentionOptions { dropout, ..AttentionOptions::new(1, Mask::Causal) };
            tape.attention(qkv, options).unwrap();
            let equations = tape.trace.records().last().unwrap().equations();
            assert!(equations.starts_with(product), "{equations}");
        }
    }

    #[test]
    fn gradient_of_cross_attention() {
        let padding = [Mask::Padding([2, 0, 9].into()), Mask::CausalPadding([2, 0, 9].into())];
        let masks = [Mask::None, Mask::Causal, Mask::Window(2), Mask::Reversed, Mask::Finite];
        for mask in masks.into_iter().chain(padding) {
            // T < S, T > S, equal, a single query, a single key.
            for (b, t_q, t_k, h, d) in
                [(3, 2, 4, 2, 2), (2, 5, 3, 1, 3), (2, 3, 3, 2, 1), (1, 1, 4, 1, 2), (1, 4, 1, 1, 1)]
            {
                check(&[&[b, t_q, h * d], &[b, t_k, 2 * h * d]], |tape, x| {
                    tape.cross_attention(x[0], x[1], AttentionOptions::new(h, mask.clone()))
                });
                check(&[&[b, t_q, h * d], &[b, t_k, 2 * h * d]], |tape, x| {
                    tape.set_dropout(Some(Streams::new(1).dropout(0)));
                    let options = AttentionOptions { dropout: 0.3, ..AttentionOptions::new(h, mask.clone()) };
                    tape.cross_attention(x[0], x[1], options)
                });
            }
        }
        // More than one tile of queries and one block of keys.
        for (t_q, t_k) in [(70, 50), (20, 100), (66, 66)] {
            for mask in
                [Mask::None, Mask::Causal, Mask::Padding([49].into()), Mask::CausalPadding([49].into())]
            {
                check(&[&[1, t_q, 1], &[1, t_k, 2]], |tape, x| {
                    tape.cross_attention(x[0], x[1], AttentionOptions::new(1, mask.clone()))
                });
            }
        }
    }

    /// Where AMX multiplies bf16, the factors are rounded; elsewhere nothing changes.
    #[test]
    fn bf16_is_close_to_f32() {
        let masks = [Mask::None, Mask::Causal, Mask::Reversed, Mask::Window(40), Mask::Finite];
        let padded = [Mask::Padding([70, 0].into()), Mask::CausalPadding([70, 0].into())];
        for mask in masks.into_iter().chain(padded) {
            for (t, h, d, dropout) in [(130, 2, 24, 0.0), (130, 1, 64, 0.3), (33, 3, 1, 0.0)] {
                let run = |precision| {
                    let mut params = Params::new();
                    let values = constant(&[2, t, 3 * h * d], 1.0);
                    let mut values = values.data().iter().map(|&x| x as f32);
                    let qkv = Tensor::from_fn(&[2, t, 3 * h * d], || values.next().unwrap());
                    let qkv = params.add("qkv", qkv).unwrap();
                    let (mut tape, mut grads) = (Tape::new(), Grads::new());
                    tape.set_precision(precision);
                    tape.set_keep_values(true);
                    tape.set_dropout(Some(Streams::new(1).dropout(0)));
                    let x = tape.param(&params, qkv);
                    let options = AttentionOptions { dropout, ..AttentionOptions::new(h, mask.clone()) };
                    let y = tape.attention(x, options).unwrap();
                    let squares = tape.mul(y, y).unwrap();
                    let loss = tape.mean(squares).unwrap();
                    tape.backward(loss, &mut grads).unwrap();
                    [tape.value(y).clone(), grads.get(qkv).unwrap().clone()]
                };
                let [exact, rounded] = [Precision::F32, Precision::Bf16].map(run);
                if Bf16Path::in_use() != Bf16Path::Tiles {
                    assert_eq!(exact, rounded);
                }
                for (exact, rounded) in exact.iter().zip(&rounded) {
                    let scale = exact.data().iter().fold(0.0, |m: f32, x| m.max(x.abs()));
                    let pairs = exact.data().iter().zip(rounded.data());
                    let off = pairs.fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
                    assert!(off <= 0.02 * scale, "{mask:?} {t} {h} {d}: off by {off} of {scale}");
                }
            }
        }
    }

    #[test]
    fn by_hand() {
        // Two tokens, one head of one element: q = 1, 0; k = 1, 1; v = 10, 20.
        let mut tape = Tape::new();
        let qkv = tape.input(Tensor::from_vec(&[1, 2, 3], vec![1.0_f32, 1.0, 10.0, 0.0, 1.0, 20.0]).unwrap());
        let y = tape.attention(qkv, AttentionOptions::new(1, Mask::Causal)).unwrap();
        // The first sees only itself; the second, whose query is 0, takes the mean.
        assert_eq!(tape.value(y).data(), [10.0, 15.0]);
        assert!(tape.attention(qkv, AttentionOptions::new(2, Mask::Causal)).is_err());
        assert!(tape.attention(qkv, AttentionOptions::new(1, Mask::Padding([].into()))).is_err());
    }

    /// With equal scores, and values that are one-hot, the output is the weights.
    #[test]
    fn alibi_lowers_weights_by_the_distance_on_both_sides() {
        const T: usize = 5;
        let mut tape = Tape::new();
        let mut index = 0..;
        // Rows q k v of a head of T elements: q and k are 0.
        let qkv = Tensor::from_fn(&[1, T, 3 * T], || {
            let at: usize = index.next().unwrap();
            if at % (3 * T) == 2 * T + at / (3 * T) { 1.0_f64 } else { 0.0 }
        });
        let qkv = tape.input(qkv);
        for mask in [Mask::None, Mask::Causal, Mask::Reversed] {
            let options = AttentionOptions { alibi: true, ..AttentionOptions::new(1, mask.clone()) };
            let y = tape.attention(qkv, options).unwrap();
            let weights = tape.value(y).data();
            for i in 0..T {
                // The slope of a single head is 2^-8.
                let seen = mask.visible(0, i, T);
                let raw: Vec<(usize, f64)> =
                    seen.map(|j| (j, (-(i.abs_diff(j) as f64) / 256.0).exp())).collect();
                let sum: f64 = raw.iter().map(|(_, w)| w).sum();
                for (j, w) in raw {
                    assert!((weights[i * T + j] - w / sum).abs() < 1e-12, "{mask:?} {i} {j}: {weights:?}");
                }
            }
        }
    }

    #[test]
    fn cross_attention_by_hand() {
        // One query, three keys of one element: q = 1; k = 0, ln 3, 9; v = 8, 4, 100.
        let mut tape = Tape::new();
        let q = tape.input(Tensor::from_vec(&[1, 1, 1], vec![1.0_f64]).unwrap());
        let kv = vec![0.0, 8.0, 3.0_f64.ln(), 4.0, 9.0, 100.0];
        let kv = tape.input(Tensor::from_vec(&[1, 3, 2], kv).unwrap());
        let options = |mask| AttentionOptions::new(1, mask);
        // The weights of the two keys that are not padding are 1/4 and 3/4.
        let y = tape.cross_attention(q, kv, options(Mask::Padding([2].into()))).unwrap();
        assert!((tape.value(y).data()[0] - 5.0).abs() < 1e-14);
        assert!(tape.cross_attention(q, q, options(Mask::None)).is_err());
        assert!(tape.cross_attention(kv, kv, options(Mask::None)).is_err());
        let alibi = AttentionOptions { alibi: true, ..options(Mask::None) };
        assert!(matches!(tape.cross_attention(q, kv, alibi), Err(Error::Setting { .. })));
        // The products of one query with the two keys that it sees.
        let op = Attention {
            kind: Kind::CrossAttention,
            options: options(Mask::Padding([2].into())),
            slopes: None,
            dropout: None,
        };
        assert_eq!(Op::<f64>::flops(&op, &[&[1, 1, 1], &[1, 3, 2]], &[1, 1, 1]), 2 * (4 + 6));
    }
}
