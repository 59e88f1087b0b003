//! The feed-forward layers of a Transformer block in one op.

use super::gelu::slope_and_gelu;
use crate::kernels::map;
use crate::kernels::matmul::{Mat, Start, matmul};
use crate::kernels::reduce;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Real, Shape, Tape, Tensor, Var};

/// `Y = gelu(X W1^T + b1) W2^T + b2`, of `(.., C)`, `(N, C)`, `(N)`, `(M, N)` and `(M)` to
/// `(.., M)`: [linear](super::linear), [GELU](super::gelu) and linear (Vaswani et al. 2017,
/// equation 2), in fewer passes over the memory.
///
/// With `Z = X W1^T + b1`, `H = gelu(Z)` and `dY = dL/dY`: `dZ = dL/dZ = (dY W2) * gelu'(Z)`,
/// number by number (BP2), `dL/dX = dZ W1`, `dL/dW1 = dZ^T X`, `dL/dW2 = dY^T H`, `dL/db1` and
/// `dL/db2` = the sums of the rows of `dZ` and `dY`. `forward` saves `H` and `gelu'(Z)`, whose
/// place `dZ` then takes.
#[derive(Debug)]
pub struct FeedForward;

impl<T: Real> Tape<T> {
    /// Records [`FeedForward`] of weights `[w1, w2]`, with or without biases `[b1, b2]`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless each layer takes what comes before it and the biases have one
    /// number for each output.
    #[track_caller]
    pub fn feed_forward(
        &mut self,
        x: Var,
        weights: [Var; 2],
        biases: Option<[Var; 2]>,
    ) -> Result<Var, Error> {
        let [w1, w2] = weights;
        match biases {
            Some([b1, b2]) => self.record(FeedForward, &[x, w1, w2, b1, b2]),
            None => self.record(FeedForward, &[x, w1, w2]),
        }
    }
}

impl<T: Real> Op<T> for FeedForward {
    fn name(&self) -> &'static str {
        "feed_forward"
    }
    fn equation(&self) -> &'static str {
        "Y = gelu(X W1^T + b1) W2^T + b2"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let (Some((&last, rows)), &[n, c], &[m, hidden]) = (inputs[0].split_last(), inputs[1], inputs[2])
        else {
            return Err("X is (.., C), W1 is (N, C) and W2 is (M, N)".into());
        };
        if last != c || hidden != n || inputs.get(3..5).is_some_and(|b| b != [&[n][..], &[m][..]]) {
            return Err("(.., C), (N, C), (M, N), (N) and (M) give (.., M)".into());
        }
        Ok(ndarray::IxDyn(&[rows, &[m]].concat()))
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let [x, w1, w2] = [0, 1, 2].map(|i| matrix(io.input(i)));
        let [b1, b2] = match io.inputs.len() {
            3 => [Start::Zero; 2],
            _ => [3, 4].map(|i| Start::Bias(io.input(i).data())),
        };
        let shape = ndarray::IxDyn(&[x.rows(), w1.rows()]);
        let [mut hidden, mut slope] = [(); 2].map(|()| io.pool.take(shape.clone()));
        matmul(x, w1.t(), b1, slope.data_mut(), io.precision); // Z
        map::update_and_map(slope.data_mut(), hidden.data_mut(), slope_and_gelu); // Z -> gelu'(Z), H
        matmul(matrix(&hidden), w2.t(), b2, io.out, io.precision);
        io.saved.extend([hidden, slope]);
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        let [n, c, m] = [inputs[1][0], inputs[1][1], inputs[2][0]].map(|n| n as u64);
        let bias = if inputs.len() > 3 { n + m } else { 0 };
        count(output) / m.max(1) * (2 * n * c + 2 * m * n + bias + 8 * n)
    }
}

/// All axes but the last are one.
fn matrix<T: Real>(x: &Tensor<T>) -> Mat<'_, T> {
    Mat::new(x.data(), x.rows_cols())
}

impl<T: Real> Differentiable<T> for FeedForward {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let [x, w1, w2, dy] = [io.input(0), io.input(1), io.input(2), io.dy].map(matrix);
        let (hidden, mut dz, precision) = (io.saved(0), io.take_saved(1), io.precision);
        io.input_grad(2, |dw2| matmul(dy.t(), matrix(&hidden), Start::Zero, dw2, precision));
        matmul(dy, w2, Start::Times, dz.data_mut(), precision); // gelu'(Z) -> dZ
        io.input_grad(0, |dx| matmul(matrix(&dz), w1, Start::Zero, dx, precision));
        io.input_grad(1, |dw1| matmul(matrix(&dz).t(), x, Start::Zero, dw1, precision));
        if io.inputs.len() > 3 {
            let dy = io.dy.data();
            io.input_grad(3, |db1| reduce::column_sums(dz.data(), db1));
            io.input_grad(4, |db2| reduce::column_sums(dy, db2));
        }
        io.give_back(dz);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Grads, Params, Precision, Tape, Tensor};

    #[test]
    fn gradient() {
        for (b, c, n, m) in [(3, 4, 5, 2), (1, 4, 1, 3), (2, 1, 3, 1), (1, 1, 1, 1), (7, 5, 70, 6)] {
            let shapes = [&[b, c][..], &[n, c], &[m, n], &[n], &[m]];
            check(&shapes, |tape, x| tape.feed_forward(x[0], [x[1], x[2]], Some([x[3], x[4]])));
            check(&shapes[..3], |tape, x| tape.feed_forward(x[0], [x[1], x[2]], None));
        }
        check(&[&[2, 3, 4], &[5, 4], &[4, 5]], |tape, x| tape.feed_forward(x[0], [x[1], x[2]], None));
    }

    /// Output and gradients, in one op or in three.
    fn run(in_one: bool, [rows, c, n]: [usize; 3], precision: Precision) -> Vec<Tensor<f32>> {
        let mut params = Params::new();
        let shapes = [&[rows, c][..], &[n, c], &[c, n], &[n], &[c]];
        let ids = shapes.iter().enumerate().map(|(i, shape)| {
            let numbers = constant(shape, i as f64);
            let mut next = numbers.data().iter();
            let value = Tensor::from_fn(shape, || (next.next().unwrap() / (c as f64).sqrt()) as f32);
            params.add(format!("{i}"), value).unwrap()
        });
        let ids: Vec<_> = ids.collect();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_precision(precision);
        tape.set_keep_values(true);
        let inputs: Vec<_> = ids.iter().map(|&id| tape.param(&params, id)).collect();
        let &[x, w1, w2, b1, b2] = &inputs[..] else { unreachable!() };
        let y = match in_one {
            true => tape.feed_forward(x, [w1, w2], Some([b1, b2])).unwrap(),
            false => {
                let z = tape.linear(x, w1, Some(b1)).unwrap();
                let h = tape.gelu(z).unwrap();
                tape.linear(h, w2, Some(b2)).unwrap()
            }
        };
        let squares = tape.mul(y, y).unwrap();
        let loss = tape.mean(squares).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        let results = std::iter::once(tape.value(y)).chain(ids.iter().map(|&id| grads.get(id).unwrap()));
        results.cloned().collect()
    }

    #[test]
    fn is_linear_gelu_linear() {
        // Panels by thread and blocks of rows; one slice and more; products that are turned.
        for shape in [[1, 8, 32], [5, 24, 96], [200, 32, 256], [200, 48, 100], [70, 600, 640]] {
            for precision in [Precision::F32, Precision::Bf16] {
                let both = [true, false].map(|in_one| run(in_one, shape, precision));
                for (i, (one, three)) in both[0].iter().zip(&both[1]).enumerate() {
                    let scale = three.data().iter().fold(0.0, |m: f32, x| m.max(x.abs()));
                    let off =
                        one.data().iter().zip(three.data()).fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
                    assert!(
                        off <= 1e-5 * scale,
                        "{shape:?} {precision:?}, result {i}: off by {off} of {scale}"
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
        assert!(tape.feed_forward(x, [w1, w2], None).is_ok());
        assert!(tape.feed_forward(x, [w2, w1], None).is_err());
        assert!(tape.feed_forward(x, [w1, w1], None).is_err());
        assert!(tape.feed_forward(x, [w1, w2], Some([b, b])).is_err());
    }
}
