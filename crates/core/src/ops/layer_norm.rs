//! Layer normalisation.

use crate::kernels::Kernels;
use crate::kernels::layer_norm::{Centering, sums_len};
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Tensor, Var};

/// `y = (x - mean) / sqrt(variance + eps) * w + b` for each row of C elements (Ba, Kiros and
/// Hinton 2016): `x` `(.., C)`, `w` `(C)` and optionally `b` `(C)`.
///
/// With `xhat = (x - mean) rstd`, `rstd = 1 / sqrt(variance + eps)` and `g = dL/dy * w`:
/// `dL/dx = rstd (g - mean(g) - xhat mean(g xhat))`, because shifting or scaling a row does not
/// change `xhat`. `dL/dw` is the sum of `dL/dy * xhat` over the rows, and `dL/db` is that of
/// `dL/dy`.
#[derive(Debug)]
pub struct LayerNorm;

/// Keeps the division finite for a row of equal elements; the default of PyTorch.
pub const EPSILON: f64 = 1e-5;

impl<T: Float> Tape<T> {
    /// Records [`LayerNorm`], with or without a bias.
    ///
    /// # Errors
    /// [`Error::Shape`] unless weight and bias have one element for each column.
    #[track_caller]
    pub fn layer_norm(&mut self, x: Var, weight: Var, bias: Option<Var>) -> Result<Var, Error> {
        match bias {
            Some(bias) => self.record(LayerNorm, &[x, weight, bias]),
            None => self.record(LayerNorm, &[x, weight]),
        }
    }
}

impl<T: Float> Op<T> for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }
    fn equation(&self, inputs: usize) -> &'static str {
        match inputs {
            3 => "y = xhat * w + b, xhat = (x - mean) / sqrt(variance + eps)",
            _ => "y = xhat * w, xhat = (x - mean) / sqrt(variance + eps)",
        }
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0].last() {
            Some(&c) if c > 0 && inputs[1..].iter().all(|p| *p == [c]) => Ok(ndarray::IxDyn(inputs[0])),
            _ => Err("expected x (.., C), w (C) and b (C), with C at least 1".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (x, w) = (io.input(0), io.input(1));
        let b = io.optional_input(2).map(Tensor::data);
        let (rows, _) = x.rows_cols();
        io.save(&[rows, 2]);
        let stats = io.saved[0].data_mut();
        T::Kernels::layer_norm(io.out, stats, x.data(), w.data(), b, (EPSILON, Centering::Mean));
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        8 * count(output)
    }
}

impl<T: Float> Differentiable<T> for LayerNorm {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &[
            "dx = (g - mean(g) - xhat mean(g xhat)) / sqrt(variance + eps), g = dy * w",
            "dw_j = sum_i dy_ij xhat_ij",
            "db_j = sum_i dy_ij",
        ]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        backward(io, Centering::Mean);
    }
}

/// The backward pass of both norms. `dL/db`, of the third input, is the second half of the sums.
pub(super) fn backward<T: Float>(io: &mut Backward<'_, T>, centering: Centering) {
    let (x, w, dy, stats) = (io.input(0), io.input(1).data(), io.dy.data(), io.saved(0));
    let (rows, c) = x.rows_cols();
    let mut sums = io.scratch(sums_len(rows, c));
    let backward = |dx: &mut [T], sums: &mut [T]| {
        T::Kernels::layer_norm_backward(dx, sums, dy, x.data(), w, stats.data(), centering);
    };
    if io.wants_input_grad(0) {
        io.add_to_input_grad(0, |dx| backward(dx, sums.data_mut()));
    } else {
        let mut unused = io.scratch(x.len());
        backward(unused.data_mut(), sums.data_mut());
        io.give_back(unused);
    }
    io.input_grad(1, |dw| T::Kernels::copy(dw, &sums.data()[..c]));
    io.input_grad(2, |db| T::Kernels::copy(db, &sums.data()[c..2 * c]));
    io.give_back(sums);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for (shape, c) in [(&[3, 4][..], 4), (&[1, 5], 5), (&[2, 3, 20], 20), (&[4, 1], 1), (&[70, 3], 3)] {
            check(&[shape, &[c], &[c]], |tape, x| tape.layer_norm(x[0], x[1], Some(x[2])));
            check(&[shape, &[c]], |tape, x| tape.layer_norm(x[0], x[1], None));
        }
        // With a residual connection, the gradients with respect to x are added up.
        check(&[&[3, 4], &[4]], |tape, x| {
            let y = tape.layer_norm(x[0], x[1], None)?;
            tape.add(x[0], y)
        });
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[2, 2], vec![1.0_f64, 3.0, 5.0, 5.0]).unwrap());
        let w = tape.input(Tensor::from_vec(&[2], vec![1.0, 2.0]).unwrap());
        let b = tape.input(Tensor::from_vec(&[2], vec![0.5, 0.0]).unwrap());
        let y = tape.layer_norm(x, w, Some(b)).unwrap();
        // Mean 2, variance 1: xhat = -1, 1. Equal elements: xhat = 0.
        for (got, want) in tape.value(y).data().iter().zip([-0.5, 2.0, 0.5, 0.0]) {
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
        assert!(tape.layer_norm(w, x, None).is_err());
    }
}
