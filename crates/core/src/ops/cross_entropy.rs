//! The loss of a GPT: how surprised the model is by the next token.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, token_cost_shape};
use crate::tokens::Tokens;
use crate::{Error, Float, Shape, Tape, Var};

/// `C = -1/N sum_n ln softmax(z_n)[y_n]`: N rows of logits `z` `(.., V)` and the target tokens
/// `y_n` give a single value.
///
/// It is [softmax and cross-entropy](super::softmax_cross_entropy) with one-hot targets, given as
/// indices, and has the same derivative: `dC/dz = (softmax(z) - onehot(y)) / N`. Equal logits cost
/// `ln V`.
#[derive(Debug)]
pub struct CrossEntropy {
    targets: Tokens,
}

impl<T: Float> Tape<T> {
    /// Records [`CrossEntropy`] of logits `(B, T, V)` and target tokens `(B, T)`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one row of logits for each target, and a logit for each
    /// target token.
    #[track_caller]
    pub fn cross_entropy(&mut self, logits: Var, targets: &Tokens) -> Result<Var, Error> {
        self.record(CrossEntropy { targets: targets.clone() }, &[logits])
    }
}

impl<T: Float> Op<T> for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }
    fn equation(&self, _: usize) -> &'static str {
        "C = -1/N sum ln softmax(z)[y]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let ids = &self.targets.ids;
        token_cost_shape(inputs[0], ids, !ids.is_empty(), "")
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let z = io.input(0);
        io.save(&[z.rows_cols().0, 2]);
        let (normalizers, _) = io.saved[0].data_mut().as_chunks_mut();
        T::Kernels::cross_entropy(io.out, normalizers, z.data(), &self.targets.ids);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        4 * count(inputs[0])
    }
}

impl<T: Float> Differentiable<T> for CrossEntropy {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dz = (softmax(z) - onehot(y)) / N * dC"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (z, saved, dy) = (io.input(0).data(), io.saved(0), io.dy.data());
        let (normalizers, _) = saved.data().as_chunks();
        io.input_grad(0, |dz| T::Kernels::cross_entropy_backward(dz, z, normalizers, &self.targets.ids, dy));
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
        assert!((tape.read_loss(cost) - 4.0_f32.ln()).abs() < 1e-6);
        // A confident wrong prediction costs the difference of the logits.
        let z = tape.input(Tensor::from_vec(&[1, 1, 2], vec![200.0_f32, 0.0]).unwrap());
        let cost = tape.cross_entropy(z, &Tokens::new([1, 1], vec![1]).unwrap()).unwrap();
        assert_eq!(tape.read_loss(cost), 200.0);
        assert!(tape.cross_entropy(z, &Tokens::new([1, 2], vec![1, 0]).unwrap()).is_err());
        assert!(tape.cross_entropy(z, &Tokens::new([1, 1], vec![2]).unwrap()).is_err());
    }
}
