//! The cost of a GPT: how surprised the model is by the token that came.

use rayon::prelude::*;

use crate::kernels::softmax::log_sum_exp;
use crate::kernels::{by_rows, vectorised};
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::tokens::Tokens;
use crate::{Error, Float, Shape, Tape, Var};

/// `C = -1/N sum_n ln softmax(z_n)[y_n]`, of logits `z` `(.., V)`, N rows of them, and
/// the token `y_n` that came, to one number.
///
/// It is [softmax and cross-entropy](super::softmax_cross_entropy) with the wished-for
/// output given as the number of its 1, and has the same derivative:
/// `dC/dz = (softmax(z) - onehot(y)) / N`. Equal logits cost `ln V`.
#[derive(Debug)]
pub struct CrossEntropy {
    targets: Tokens,
}

impl<T: Float> Tape<T> {
    /// Records [`CrossEntropy`] of logits `(B, T, V)` and the tokens `(B, T)` that came.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a row of logits for each target.
    #[track_caller]
    pub fn cross_entropy(&mut self, logits: Var, targets: &Tokens) -> Result<Var, Error> {
        self.record(CrossEntropy { targets: targets.clone() }, &[logits])
    }
}

impl<T: Float> Op<T> for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }
    fn equation(&self) -> &'static str {
        "C = -1/N sum ln softmax(z)[y]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let ids = &self.targets.ids;
        match inputs[0].split_last() {
            Some((&v, rows)) if !ids.is_empty() && count(rows) == ids.len() as u64 => {
                match ids.iter().find(|&&id| id as usize >= v) {
                    Some(id) => Err(format!("target {id} is not among {v} logits")),
                    None => Ok(ndarray::IxDyn(&[])),
                }
            }
            _ => Err(format!("{} targets need as many rows of logits", ids.len())),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (n, v) = io.input(0).rows_cols();
        let (z, ids) = (io.input(0).data(), &self.targets.ids);
        let lse = io.save(&[n]);
        let rows = |(lse, z): (&mut T, &[T])| {
            *lse = vectorised(
                #[inline(always)]
                || log_sum_exp(z),
            );
        };
        if z.len() < crate::kernels::PARALLEL_FROM / 4 {
            lse.iter_mut().zip(z.chunks_exact(v)).for_each(rows);
        } else {
            lse.par_iter_mut().zip(z.par_chunks_exact(v)).with_min_len(16).for_each(rows);
        }
        let costs = lse.iter().zip(z.chunks_exact(v)).zip(ids.iter());
        let total: f64 = costs.map(|((&lse, z), &id)| (lse - z[id as usize]).as_f64()).sum();
        io.out[0] = T::of(total / n as f64);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        4 * count(inputs[0])
    }
}

impl<T: Float> Differentiable<T> for CrossEntropy {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (n, v) = io.input(0).rows_cols();
        let (z, lse, ids) = (io.input(0).data(), io.saved(0), &self.targets.ids);
        let c = io.dy.data()[0] / T::of(n as f64);
        io.input_grad(0, |dz| {
            by_rows(dz, v, |first, dz| {
                let rows = dz.chunks_exact_mut(v).zip(z[first * v..].chunks_exact(v));
                for ((dz, z), (&lse, &id)) in rows.zip(lse.data()[first..].iter().zip(&ids[first..])) {
                    vectorised(
                        #[inline(always)]
                        || dz.iter_mut().zip(z).for_each(|(dz, &z)| *dz = c * (z - lse).exp_fast()),
                    );
                    dz[id as usize] -= c;
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::tokens::Tokens;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for (shape, ids) in
            [(&[2, 3, 5][..], vec![0, 4, 2, 2, 1, 3]), (&[1, 1, 20], vec![19]), (&[1, 2, 1], vec![0, 0])]
        {
            let targets = Tokens::new([shape[0], shape[1]], ids).unwrap();
            check(&[shape], |tape, x| tape.cross_entropy(x[0], &targets));
        }
    }

    #[test]
    fn equal_logits_cost_ln_v() {
        let mut tape = Tape::new();
        let z = tape.input(Tensor::from_vec(&[1, 2, 4], vec![7.0_f32; 8]).unwrap());
        let cost = tape.cross_entropy(z, &Tokens::new([1, 2], vec![3, 0]).unwrap()).unwrap();
        assert!((tape.value(cost).item().unwrap() - 4.0_f32.ln()).abs() < 1e-6);
        // A sure and wrong one costs the difference of the logits.
        let z = tape.input(Tensor::from_vec(&[1, 1, 2], vec![200.0_f32, 0.0]).unwrap());
        let cost = tape.cross_entropy(z, &Tokens::new([1, 1], vec![1]).unwrap()).unwrap();
        assert_eq!(tape.value(cost).item().unwrap(), 200.0);
        assert!(tape.cross_entropy(z, &Tokens::new([1, 2], vec![1, 0]).unwrap()).is_err());
        assert!(tape.cross_entropy(z, &Tokens::new([1, 1], vec![2]).unwrap()).is_err());
    }
}
