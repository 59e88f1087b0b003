//! Cross-entropy with smoothed targets, where some rows may be padding.

use crate::kernels::Kernels;
use crate::kernels::loss::Smoothed;
use crate::ops::{Backward, Differentiable, Forward, Op, count, token_cost_shape};
use crate::tokens::Tokens;
use crate::{Error, Float, Shape, Tape, Var};

/// `C = -1/N sum_n sum_j q_nj ln softmax(z_n)_j` with the smoothed target
///
/// `q_nj = (1 - eps) [j = y_n] + eps / V`
///
/// (Szegedy et al. 2016, section 7, which Vaswani et al. 2017, section 5.4, use with eps 0.1): the share
/// eps of each target is spread evenly over all V tokens, the right one and padding included, as PyTorch
/// computes it. Even a right prediction costs more the surer it is beyond `q`, so the smoothed loss cannot be read as
/// the logarithm of a perplexity. With eps 0 it is [cross-entropy](super::cross_entropy).
///
/// Rows whose target is the padding token do not count. N is the number of the others, or
/// [`SmoothedTargets::rows`].
///
/// `dC/dz_nj = (softmax(z_n)_j - q_nj) / N`, and 0 in rows of padding.
#[derive(Debug)]
pub struct SmoothedCrossEntropy(SmoothedTargets);

/// The targets of [`SmoothedCrossEntropy`].
#[derive(Debug, Clone)]
pub struct SmoothedTargets {
    /// The right tokens, `(B, T)`.
    pub tokens: Tokens,
    /// The token that fills up short sequences, if any.
    pub padding: Option<u32>,
    /// eps: the share of each target that is spread over all tokens, at least 0 and below 1.
    pub smoothing: f64,
    /// N, if it is not the number of targets: several batches whose losses are averaged divide by the
    /// mean number of targets, so that each token counts the same.
    pub rows: Option<f64>,
}

impl SmoothedTargets {
    /// The number of targets that are not padding.
    pub fn count(&self) -> usize {
        self.tokens.ids.iter().filter(|&&id| Some(id) != self.padding).count()
    }
}

impl<T: Float> Tape<T> {
    /// Records [`SmoothedCrossEntropy`] of logits `(B, T, V)` and target tokens `(B, T)`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one row of logits for each target, a logit for each target token,
    /// and a target that is not padding; [`Error::Setting`] unless `0 <= smoothing < 1`.
    #[track_caller]
    pub fn smoothed_cross_entropy(&mut self, logits: Var, targets: SmoothedTargets) -> Result<Var, Error> {
        if !(0.0..1.0).contains(&targets.smoothing) {
            let rule = "it must be at least 0 and below 1";
            return Err(Error::Setting {
                name: "label_smoothing",
                value: targets.smoothing.to_string(),
                rule,
            });
        }
        self.record(SmoothedCrossEntropy(targets), &[logits])
    }
}

impl SmoothedCrossEntropy {
    fn kernel(&self) -> Smoothed<'_> {
        let SmoothedTargets { tokens, padding, smoothing, rows } = &self.0;
        let rows = rows.unwrap_or_else(|| self.0.count() as f64);
        Smoothed { targets: &tokens.ids, padding: *padding, smoothing: *smoothing, rows }
    }
}

impl<T: Float> Op<T> for SmoothedCrossEntropy {
    fn name(&self) -> &'static str {
        "smoothed_cross_entropy"
    }
    fn equation(&self, _: usize) -> &'static str {
        "C = -1/N sum ((1 - eps) [y] + eps / V) ln softmax(z)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        token_cost_shape(inputs[0], &self.0.tokens.ids, self.0.count() > 0, ", which are not all padding")
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let z = io.input(0);
        io.save(&[z.rows_cols().0, 2]);
        let (normalizers, _) = io.saved[0].data_mut().as_chunks_mut();
        T::Kernels::smoothed_cross_entropy(io.out, normalizers, z.data(), self.kernel());
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        5 * count(inputs[0])
    }
}

impl<T: Float> Differentiable<T> for SmoothedCrossEntropy {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dz = (softmax(z) - (1 - eps) [y] - eps / V) / N * dC, 0 at padding"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (z, saved, dy) = (io.input(0).data(), io.saved(0), io.dy.data());
        let (normalizers, _) = saved.data().as_chunks();
        io.input_grad(0, |dz| {
            T::Kernels::smoothed_cross_entropy_backward(dz, z, normalizers, self.kernel(), dy)
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Tensor;
    use crate::gradcheck::{check, constant};

    fn targets(ids: &[u32], padding: Option<u32>, smoothing: f64) -> SmoothedTargets {
        SmoothedTargets { tokens: Tokens::new([1, ids.len()], ids).unwrap(), padding, smoothing, rows: None }
    }

    #[test]
    fn gradient() {
        for smoothing in [0.0, 0.1, 0.7] {
            for (v, ids, padding) in
                [(5, &[0, 4, 2, 2, 1][..], None), (7, &[3, 0, 6, 0], Some(0)), (20, &[19], Some(3))]
            {
                let targets = targets(ids, padding, smoothing);
                check(&[&[1, ids.len(), v]], |tape, x| tape.smoothed_cross_entropy(x[0], targets.clone()));
                let fewer = SmoothedTargets { rows: Some(2.5), ..targets };
                check(&[&[1, ids.len(), v]], |tape, x| tape.smoothed_cross_entropy(x[0], fewer.clone()));
            }
        }
    }

    #[test]
    fn without_smoothing_it_is_cross_entropy() {
        let mut tape = Tape::<f64>::new();
        let z = tape.input(constant(&[1, 4, 6], 3.0));
        let ids = [0, 5, 2, 2];
        let plain = tape.cross_entropy(z, &Tokens::new([1, 4], &ids[..]).unwrap()).unwrap();
        let smoothed = tape.smoothed_cross_entropy(z, targets(&ids, None, 0.0)).unwrap();
        assert!((tape.read_loss(plain) - tape.read_loss(smoothed)).abs() < 1e-14);
    }

    /// Logits 0 and ln 3 give probabilities 1/4 and 3/4.
    #[test]
    fn by_hand() {
        let mut tape = Tape::<f64>::new();
        let row = [0.0, 3.0_f64.ln()];
        let z = tape.input(Tensor::from_vec(&[1, 3, 2], [row, row, row].concat()).unwrap());
        let cost = tape.smoothed_cross_entropy(z, targets(&[1, 0, 1], Some(0), 0.1)).unwrap();
        let want = -(0.95 * 0.75_f64.ln() + 0.05 * 0.25_f64.ln());
        assert!((tape.read_loss(cost) - want).abs() < 1e-14);
        for (ids, smoothing) in [(&[0, 0, 0], 0.1), (&[1, 2, 1], 0.1), (&[1, 1, 1], 1.0), (&[1, 1, 1], -0.1)]
        {
            assert!(tape.smoothed_cross_entropy(z, targets(ids, Some(0), smoothing)).is_err());
        }
    }
}
