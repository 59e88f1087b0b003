//! The embedding: a table with a row for each token.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::tokens::Tokens;
use crate::{Error, Float, Shape, Tape, Var};

/// `y_bt = W[token_bt]`: a table `W` `(V, C)` and tokens `(B, T)` give `(B, T, C)`.
///
/// It equals the product of one-hot rows `(B T, V)` and `W`, without the multiplications by zero:
/// the first layer of a network with one input neuron per token. Thus `dL/dW[v]` is the sum of
/// `dL/dy_bt` over all occurrences of token `v`.
#[derive(Debug)]
pub struct Embedding {
    tokens: Tokens,
}

impl<T: Float> Tape<T> {
    /// Records [`Embedding`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless `weight` is a table with a row for every token.
    #[track_caller]
    pub fn embedding(&mut self, weight: Var, tokens: &Tokens) -> Result<Var, Error> {
        self.record(Embedding { tokens: tokens.clone() }, &[weight])
    }
}

impl<T: Float> Op<T> for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = W[token]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let &[v, c] = inputs[0] else { return Err("expected a table (V, C)".into()) };
        let [b, t] = self.tokens.shape;
        match self.tokens.ids.iter().find(|&&id| id as usize >= v) {
            Some(id) => Err(format!("token {id} is not in a table of {v} rows")),
            None => Ok(ndarray::IxDyn(&[b, t, c])),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let table = io.input(0);
        T::Kernels::gather_rows(io.out, table.data(), &self.tokens.ids, table.rows_cols().1);
    }
    fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

impl<T: Float> Differentiable<T> for Embedding {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dW[v] = sum dy, where token = v"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (_, c) = io.input(0).rows_cols();
        let dy = io.dy.data();
        io.add_to_input_grad(0, |dw| T::Kernels::scatter_add_rows(dw, dy, &self.tokens.ids, c));
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Tokens;
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        // Token 2 occurs twice, token 1 never.
        for (v, c, shape, ids) in
            [(4, 3, [2, 2], vec![2, 0, 2, 3]), (1, 1, [1, 1], vec![0]), (5, 1, [1, 3], vec![4, 4, 4])]
        {
            let tokens = Tokens::new(shape, ids).unwrap();
            check(&[&[v, c]], |tape, x| tape.embedding(x[0], &tokens));
            // Twice on one tape: the gradients are summed.
            check(&[&[v, c]], |tape, x| {
                let (a, b) = (tape.embedding(x[0], &tokens)?, tape.embedding(x[0], &tokens)?);
                tape.mul(a, b)
            });
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let w = tape.input(Tensor::from_vec(&[3, 2], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap());
        let y = tape.embedding(w, &Tokens::new([1, 2], vec![2, 0]).unwrap()).unwrap();
        assert_eq!(tape.value(y).data(), [5.0, 6.0, 1.0, 2.0]);
        let error = tape.embedding(w, &Tokens::new([1, 1], vec![3]).unwrap()).unwrap_err().to_string();
        assert!(error.contains("token 3 is not in a table of 3 rows"), "{error}");
        assert!(Tokens::new([2, 2], vec![0]).is_err());
    }
}
