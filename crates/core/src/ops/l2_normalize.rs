//! L2 normalisation: each row is scaled to length 1.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = x / |x|` over the last axis, with `|x|^2 = sum_j x_j^2`. A row of zeros, which has no
/// direction, stays zero and gets a zero gradient.
///
/// `dL/dx = (dL/dy - y (y . dL/dy)) / |x|`: no part of the gradient is parallel to `x`, because
/// scaling `x` does not change `y`.
#[derive(Debug)]
pub struct L2Normalize;

impl<T: Float> Tape<T> {
    /// Records [`L2Normalize`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn l2_normalize(&mut self, x: Var) -> Result<Var, Error> {
        self.record(L2Normalize, &[x])
    }
}

impl<T: Float> Op<T> for L2Normalize {
    fn name(&self) -> &'static str {
        "l2_normalize"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = x / |x|"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        T::Kernels::normalize(io.out, x.data(), x.rows_cols().1.max(1));
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        3 * count(output)
    }
}

impl<T: Float> Differentiable<T> for L2Normalize {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = (dy - y (y . dy)) / |x|"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let cols = io.y.rows_cols().1.max(1);
        let (x, y, dy) = (io.input(0).data(), io.y.data(), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::normalize_backward(dx, x, y, dy, cols));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[2, 1, 3]] {
            check(&[shape], |tape, x| tape.l2_normalize(x[0]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[2, 2], vec![3.0_f32, 4.0, 0.0, 0.0]).unwrap());
        let y = tape.l2_normalize(x).unwrap();
        assert!((tape.value(y).data()[0] - 0.6).abs() < 1e-6 && (tape.value(y).data()[1] - 0.8).abs() < 1e-6);
        assert_eq!(tape.value(y).data()[2..], [0.0, 0.0]);
        // The squares of these overflow, or round to 0.
        let x = tape.input(Tensor::from_vec(&[2, 2], vec![3e30_f32, 4e30, -3e-30, 4e-30]).unwrap());
        let y = tape.l2_normalize(x).unwrap();
        for (got, want) in tape.value(y).data().iter().zip([0.6, 0.8, -0.6, 0.8]) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
        // The inverse of the length of these is too small, and single squares of the last count as 0.
        let mut small = vec![1.08e-19_f32; 1000];
        small[0] = 1.1e-19;
        for x in [vec![3e38, 0.0], vec![1e38, 1e38], small] {
            let x = tape.input(Tensor::from_vec(&[1, x.len()], x).unwrap());
            let y = tape.l2_normalize(x).unwrap();
            let length = tape.value(y).data().iter().map(|&y| f64::from(y).powi(2)).sum::<f64>().sqrt();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
    }
}
