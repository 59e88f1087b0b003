//! The feed-forward layers of a Transformer block in one op.

use super::residual::branch_gradient;
use crate::kernels::Kernels;
use crate::kernels::dropout::DropoutMask;
use crate::kernels::matmul::{self, Accumulate, Epilogue};
use crate::ops::{Backward, Differentiable, Forward, Op, count, matrix};
use crate::{Error, Float, Shape, Tape, Var};

/// `Y = R + m O / (1 - p)` with `O = f(X W1^T + b1) W2^T + b2` (Vaswani et al. 2017, equation 2): a
/// [linear](super::linear) layer, its activation `f` ([GELU](super::gelu), [ReLU](super::relu) or its
/// [square](super::relu_squared)), a second linear layer and the [residual](super::residual) connection, in fewer
/// passes over memory. R, X, W1, W2, b1 and b2 are `(.., M)`, `(.., C)`, `(N, C)`, `(M, N)`, `(N)` and `(M)`; Y is
/// `(.., M)`.
///
/// With `Z = X W1^T + b1`, `H = f(Z)`, `dY = dL/dY` and `dO = m dY / (1 - p)`: `dL/dR = dY`,
/// `dZ = dL/dZ = (dO W2) * f'(Z)`, element by element (BP2), `dL/dX = dZ W1`, `dL/dW1 = dZ^T X`,
/// `dL/dW2 = dO^T H`, and `dL/db1` and `dL/db2` are the sums over the rows of `dZ` and `dO`.
/// `forward` saves `H` and `f'(Z)`, which `dZ` then overwrites.
#[derive(Debug)]
pub struct FeedForward {
    function: HiddenActivation,
    dropout: Option<DropoutMask>,
}

/// The activation function of the hidden layer of [`FeedForward`].
pub type HiddenActivation = matmul::HiddenActivation;

impl<T: Float> Tape<T> {
    /// Records [`FeedForward`] with the activation `function`, weights `[w1, w2]`, with or without biases
    /// `[b1, b2]`, and with dropout of probability `p` if the tape is [training](Tape::set_dropout).
    ///
    /// # Errors
    /// [`Error::Setting`] unless `0 <= p < 1`; [`Error::Shape`] unless each layer fits its input, the
    /// biases have one element for each output and `r` has the shape of the result.
    #[track_caller]
    pub fn feed_forward(
        &mut self,
        function: HiddenActivation,
        (r, x): (Var, Var),
        weights: [Var; 2],
        biases: Option<[Var; 2]>,
        p: f64,
    ) -> Result<Var, Error> {
        let (op, [w1, w2]) = (FeedForward { function, dropout: self.dropout_mask(p)? }, weights);
        match biases {
            Some([b1, b2]) => self.record(op, &[r, x, w1, w2, b1, b2]),
            None => self.record(op, &[r, x, w1, w2]),
        }
    }
}

impl<T: Float> Op<T> for FeedForward {
    fn name(&self) -> &'static str {
        "feed_forward"
    }
    fn equation(&self, inputs: usize) -> &'static str {
        match (self.function, &self.dropout, inputs) {
            (HiddenActivation::Gelu, None, 6) => "Y = R + gelu(X W1^T + b1) W2^T + b2",
            (HiddenActivation::Gelu, None, _) => "Y = R + gelu(X W1^T) W2^T",
            (HiddenActivation::Gelu, Some(_), 6) => {
                "Y = R + m (gelu(X W1^T + b1) W2^T + b2) / (1 - p), m = 0 with probability p"
            }
            (HiddenActivation::Gelu, Some(_), _) => {
                "Y = R + m gelu(X W1^T) W2^T / (1 - p), m = 0 with probability p"
            }
            (HiddenActivation::Relu, None, 6) => "Y = R + max(0, X W1^T + b1) W2^T + b2",
            (HiddenActivation::Relu, None, _) => "Y = R + max(0, X W1^T) W2^T",
            (HiddenActivation::Relu, Some(_), 6) => {
                "Y = R + m (max(0, X W1^T + b1) W2^T + b2) / (1 - p), m = 0 with probability p"
            }
            (HiddenActivation::Relu, Some(_), _) => {
                "Y = R + m max(0, X W1^T) W2^T / (1 - p), m = 0 with probability p"
            }
            (HiddenActivation::ReluSquared, None, 6) => "Y = R + max(0, X W1^T + b1)^2 W2^T + b2",
            (HiddenActivation::ReluSquared, None, _) => "Y = R + max(0, X W1^T)^2 W2^T",
            (HiddenActivation::ReluSquared, Some(_), 6) => {
                "Y = R + m (max(0, X W1^T + b1)^2 W2^T + b2) / (1 - p), m = 0 with probability p"
            }
            (HiddenActivation::ReluSquared, Some(_), _) => {
                "Y = R + m max(0, X W1^T)^2 W2^T / (1 - p), m = 0 with probability p"
            }
        }
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let (Some((&last, rows)), &[n, c], &[m, hidden]) = (inputs[1].split_last(), inputs[2], inputs[3])
        else {
            return Err("expected X (.., C), W1 (N, C) and W2 (M, N)".into());
        };
        let shape = [rows, &[m]].concat();
        let biases_fit = inputs.get(4..6).is_none_or(|b| b == [&[n][..], &[m][..]]);
        if last != c || hidden != n || inputs[0] != shape || !biases_fit {
            return Err("expected R (.., M), X (.., C), W1 (N, C), W2 (M, N), b1 (N) and b2 (M)".into());
        }
        Ok(ndarray::IxDyn(&shape))
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let [x, w1, w2] = [1, 2, 3].map(|i| matrix(io.input(i)));
        let bias = |i| io.optional_input(i).map_or(Accumulate::Overwrite, |b| Accumulate::Bias(b.data()));
        let [b1, b2] = [4, 5].map(bias);
        let shape = ndarray::IxDyn(&[x.rows(), w1.rows()]);
        let [mut hidden, mut slope] = [(); 2].map(|()| io.pool.take(shape.clone()));
        let activate = Epilogue::Activate { function: self.function, activation: hidden.data_mut() };
        T::Kernels::matmul_with_epilogue(
            x,
            w1.t(),
            b1,
            slope.data_mut(),
            (io.precision, io.row_bits),
            activate,
        ); // Z -> f'(Z), H
        let add = Epilogue::AddResidual { residual: io.input(0).data(), dropout: self.dropout };
        T::Kernels::matmul_with_epilogue(
            matrix(&hidden),
            w2.t(),
            b2,
            io.out,
            (io.precision, io.row_bits),
            add,
        );
        io.saved.extend([hidden, slope]);
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        let [n, c, m] = [inputs[2][0], inputs[2][1], inputs[3][0]].map(|n| n as u64);
        let bias = if inputs.len() > 4 { n + m } else { 0 };
        let sum_and_dropout = m * (1 + u64::from(self.dropout.is_some()));
        let activation = match self.function {
            HiddenActivation::Gelu => 8 * n,
            HiddenActivation::Relu => n,
            HiddenActivation::ReluSquared => 2 * n,
        };
        count(output) / m.max(1) * (2 * n * c + 2 * m * n + bias + activation + sum_and_dropout)
    }
}

impl<T: Float> Differentiable<T> for FeedForward {
    fn gradient_equations(&self) -> &'static [&'static str] {
        match self.dropout {
            None => &[
                "dR = dY",
                "dX = dZ W1, dZ = (dY W2) * f'(Z), f(Z) the hidden layer",
                "dW1 = dZ^T X",
                "dW2 = dY^T f(Z)",
                "db1_j = sum_i dZ_ij",
                "db2_j = sum_i dY_ij",
            ],
            Some(_) => &[
                "dR = dY",
                "dX = dZ W1, dZ = (dO W2) * f'(Z), dO = m dY / (1 - p)",
                "dW1 = dZ^T X",
                "dW2 = dO^T f(Z), f(Z) the hidden layer",
                "db1_j = sum_i dZ_ij",
                "db2_j = sum_i dO_ij",
            ],
        }
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let [x, w1, w2] = [1, 2, 3].map(|i| matrix(io.input(i)));
        let (hidden, mut dz, precision) = (io.saved(0), io.take_saved(1), io.precision);
        let d_out = branch_gradient(io, self.dropout);
        io.input_grad(3, |dw2| {
            T::Kernels::matmul(matrix(&d_out).t(), matrix(&hidden), Accumulate::Overwrite, dw2, precision)
        });
        T::Kernels::matmul(matrix(&d_out), w2, Accumulate::Multiply, dz.data_mut(), precision); // f'(Z) -> dZ
        io.input_grad(1, |dx| T::Kernels::matmul(matrix(&dz), w1, Accumulate::Overwrite, dx, precision));
        io.input_grad(2, |dw1| T::Kernels::matmul(matrix(&dz).t(), x, Accumulate::Overwrite, dw1, precision));
        io.input_grad(4, |db1| T::Kernels::column_sums(dz.data(), db1));
        io.input_grad(5, |db2| T::Kernels::column_sums(d_out.data(), db2));
        io.give_back(dz);
        io.give_back(d_out);
        io.pass(0);
    }
    fn input_grad_flops(&self, i: usize, inputs: &[&[usize]], output: &[usize]) -> u64 {
        let [n, c, m] = [inputs[2][0], inputs[2][1], inputs[3][0]].map(|n| n as u64);
        let rows = count(output) / m.max(1);
        match i {
            1 | 2 => 2 * rows * n * c,
            3 => 2 * rows * m * n,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::kernels::matmul::HiddenActivation::{self, Gelu, Relu, ReluSquared};
    use crate::rng::Streams;
    use crate::{Grads, Params, Precision, Tape, Tensor};

    #[test]
    fn gradient() {
        let key = Streams::new(1).dropout(0);
        for (function, p) in [(Gelu, 0.0), (Gelu, 0.4), (Relu, 0.0), (Relu, 0.4), (ReluSquared, 0.4)] {
            for (b, c, n, m) in [(3, 4, 5, 2), (1, 4, 1, 3), (2, 1, 3, 1), (1, 1, 1, 1), (7, 5, 70, 6)] {
                let shapes = [&[b, m][..], &[b, c], &[n, c], &[m, n], &[n], &[m]];
                check(&shapes, |tape, x| {
                    tape.set_dropout(Some(key));
                    tape.feed_forward(function, (x[0], x[1]), [x[2], x[3]], Some([x[4], x[5]]), p)
                });
                check(&shapes[..4], |tape, x| {
                    tape.set_dropout(Some(key));
                    tape.feed_forward(function, (x[0], x[1]), [x[2], x[3]], None, p)
                });
            }
        }
        check(&[&[2, 3, 4], &[2, 3, 4], &[5, 4], &[4, 5]], |tape, x| {
            tape.feed_forward(Gelu, (x[0], x[1]), [x[2], x[3]], None, 0.0)
        });
    }

    /// The output and the gradients, computed by one op or by four.
    fn run(
        in_one: bool,
        function: HiddenActivation,
        [rows, c, n]: [usize; 3],
        precision: Precision,
        p: f64,
    ) -> Vec<Tensor<f32>> {
        let mut params = Params::new();
        let shapes = [&[rows, c][..], &[rows, c], &[n, c], &[c, n], &[n], &[c]];
        let ids = shapes.iter().enumerate().map(|(i, shape)| {
            let values = constant(shape, i as f64);
            let mut next = values.data().iter();
            let value = Tensor::from_fn(shape, || (next.next().unwrap() / (c as f64).sqrt()) as f32);
            params.add(format!("{i}"), value).unwrap()
        });
        let ids: Vec<_> = ids.collect();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_precision(precision);
        tape.set_keep_values(true);
        tape.set_dropout(Some(Streams::new(7).dropout(3)));
        let inputs: Vec<_> = ids.iter().map(|&id| tape.param(&params, id)).collect();
        let &[r, x, w1, w2, b1, b2] = &inputs[..] else { unreachable!() };
        let y = match in_one {
            true => tape.feed_forward(function, (r, x), [w1, w2], Some([b1, b2]), p).unwrap(),
            false => {
                let z = tape.linear(x, w1, Some(b1)).unwrap();
                let h = match function {
                    Gelu => tape.gelu(z).unwrap(),
                    Relu => tape.relu(z).unwrap(),
                    ReluSquared => tape.relu_squared(z).unwrap(),
                };
                let o = tape.linear(h, w2, Some(b2)).unwrap();
                tape.residual(r, o, p).unwrap()
            }
        };
        let squares = tape.mul(y, y).unwrap();
        let loss = tape.mean(squares).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        let results = std::iter::once(tape.value(y)).chain(ids.iter().map(|&id| grads.get(id).unwrap()));
        results.cloned().collect()
    }

    #[test]
    fn is_linear_activation_linear_residual() {
        // Panels per thread and blocks of rows; one slice and several; transposed products.
        for shape in [[1, 8, 32], [5, 24, 96], [200, 32, 256], [200, 48, 100], [70, 600, 640]] {
            for (function, precision, p) in [
                (Gelu, Precision::F32, 0.0),
                (Gelu, Precision::F32, 0.3),
                (Gelu, Precision::Bf16, 0.0),
                (Relu, Precision::F32, 0.3),
                (ReluSquared, Precision::F32, 0.0),
            ] {
                let both = [true, false].map(|in_one| run(in_one, function, shape, precision, p));
                for (i, (one, four)) in both[0].iter().zip(&both[1]).enumerate() {
                    let scale = four.data().iter().fold(0.0, |m: f32, x| m.max(x.abs()));
                    let off =
                        one.data().iter().zip(four.data()).fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
                    assert!(
                        off <= 1e-5 * scale,
                        "{function:?} {shape:?} {precision:?} {p}, result {i}: off by {off} of {scale}"
                    );
                }
            }
        }
    }

    #[test]
    fn shapes_must_fit() {
        let mut tape = Tape::<f32>::new();
        let [x, w1, w2, b] =
            [&[2, 3][..], &[4, 3], &[3, 4], &[4]].map(|shape| tape.input(Tensor::zeros(shape)));
        assert!(tape.feed_forward(Gelu, (x, x), [w1, w2], None, 0.0).is_ok());
        assert!(tape.feed_forward(Gelu, (b, x), [w1, w2], None, 0.0).is_err());
        assert!(tape.feed_forward(Gelu, (x, x), [w2, w1], None, 0.0).is_err());
        assert!(tape.feed_forward(Gelu, (x, x), [w1, w1], None, 0.0).is_err());
        assert!(tape.feed_forward(Gelu, (x, x), [w1, w2], Some([b, b]), 0.0).is_err());
        assert!(tape.feed_forward(Gelu, (x, x), [w1, w2], None, 1.0).is_err());
    }
}
