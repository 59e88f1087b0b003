//! Root-mean-square normalisation.

use crate::kernels::Kernels;
use crate::kernels::layer_norm::Centering;
use crate::ops::{Backward, Differentiable, Forward, Op, count, layer_norm};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = x / sqrt(mean(x^2) + eps) * w` for each row of C elements (Zhang and Sennrich 2019): `x`
/// `(.., C)`, `w` `(C)`. It is [layer normalisation](super::layer_norm) without the mean and without a
/// bias: one pass over the row less, and models train as well.
///
/// With `xhat = x r`, `r = 1 / sqrt(mean(x^2) + eps)` and `g = dL/dy * w`:
/// `dL/dx = r (g - xhat mean(g xhat))`, because scaling a row does not change `xhat`. `dL/dw` is the
/// sum of `dL/dy * xhat` over the rows.
#[derive(Debug)]
pub struct RmsNorm;

impl<T: Float> Tape<T> {
    /// Records [`RmsNorm`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless the weight has one element for each column.
    #[track_caller]
    pub fn rms_norm(&mut self, x: Var, weight: Var) -> Result<Var, Error> {
        self.record(RmsNorm, &[x, weight])
    }
}

impl<T: Float> Op<T> for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = xhat * w, xhat = x / sqrt(mean(x^2) + eps)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0].last() {
            Some(&c) if c > 0 && *inputs[1] == [c] => Ok(ndarray::IxDyn(inputs[0])),
            _ => Err("expected x (.., C) and w (C), with C at least 1".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (x, w) = (io.input(0), io.input(1));
        io.save(&[x.rows_cols().0, 2]);
        let stats = io.saved[0].data_mut();
        T::Kernels::layer_norm(
            io.out,
            stats,
            x.data(),
            w.data(),
            None,
            (layer_norm::EPSILON, Centering::Zero),
        );
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        4 * count(output)
    }
}

impl<T: Float> Differentiable<T> for RmsNorm {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = (g - xhat mean(g xhat)) / sqrt(mean(x^2) + eps), g = dy * w", "dw_j = sum_i dy_ij xhat_ij"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        layer_norm::backward(io, Centering::Zero);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [&[3, 5][..], &[2, 3, 4], &[1, 1], &[70, 3]] {
            let c = shape[shape.len() - 1];
            check(&[shape, &[c]], |tape, x| tape.rms_norm(x[0], x[1]));
        }
    }

    #[test]
    fn by_hand() {
        // The mean square of (3, -4) is 12.5.
        let mut tape = Tape::<f64>::new();
        let x = tape.input(Tensor::from_vec(&[2, 2], vec![3.0, -4.0, 0.0, 0.0]).unwrap());
        let w = tape.input(Tensor::from_vec(&[2], vec![1.0, 10.0]).unwrap());
        let y = tape.rms_norm(x, w).unwrap();
        let r = 1.0 / 12.500_01_f64.sqrt();
        for (got, want) in tape.value(y).data().iter().zip([3.0 * r, -40.0 * r, 0.0, 0.0]) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
        let wide = tape.input(constant(&[2, 3], 1.0));
        assert!(tape.rms_norm(wide, w).is_err());
    }
}
