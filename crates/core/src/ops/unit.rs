//! Each row with length one: only its direction stays.

use crate::kernels::by_rows;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::tensor::rows_cols;
use crate::{Error, Float, Shape, Tape, Var};

/// `y = x / |x|` over the last axis, with `|x|^2 = sum_j x_j^2`. A row of zeros, which
/// has no direction, stays as it is and gets no gradient.
///
/// `dL/dx = (dL/dy - y (y . dL/dy)) / |x|`: along `x` itself nothing changes.
#[derive(Debug)]
pub struct Unit;

impl<T: Float> Tape<T> {
    /// Records [`Unit`].
    ///
    /// # Errors
    /// None: every shape will do.
    #[track_caller]
    pub fn unit(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Unit, &[x])
    }
}

/// `1 / |x|`, and 0 for a row of zeros.
fn inverse_length<T: Float>(x: &[T]) -> T {
    let squares: T = x.iter().map(|&x| x * x).sum();
    if squares > T::zero() { T::one() / squares.sqrt() } else { T::zero() }
}

impl<T: Float> Op<T> for Unit {
    fn name(&self) -> &'static str {
        "unit"
    }
    fn equation(&self) -> &'static str {
        "y = x / |x|"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (x, cols) = (io.input(0).data(), io.input(0).rows_cols().1.max(1));
        by_rows(io.out, cols, |first, rows| {
            for (y, x) in rows.chunks_exact_mut(cols).zip(x[first * cols..].chunks_exact(cols)) {
                let inverse = inverse_length(x);
                y.iter_mut().zip(x).for_each(|(y, &x)| *y = x * inverse);
            }
        });
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        3 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Unit {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let cols = rows_cols(io.y.shape()).1.max(1);
        let (x, y, dy) = (io.input(0).data(), io.y.data(), io.dy.data());
        io.input_grad(0, |dx| {
            by_rows(dx, cols, |first, rows| {
                for (r, dx) in rows.chunks_exact_mut(cols).enumerate() {
                    let row = (first + r) * cols..(first + r + 1) * cols;
                    let (x, y, dy) = (&x[row.clone()], &y[row.clone()], &dy[row]);
                    let inverse = inverse_length(x);
                    let along: T = y.iter().zip(dy).map(|(&y, &dy)| y * dy).sum();
                    for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                        *dx = (dy - y * along) * inverse;
                    }
                }
            });
        });
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
            check(&[shape], |tape, x| tape.unit(x[0]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[2, 2], vec![3.0_f32, 4.0, 0.0, 0.0]).unwrap());
        let y = tape.unit(x).unwrap();
        assert!((tape.value(y).data()[0] - 0.6).abs() < 1e-6 && (tape.value(y).data()[1] - 0.8).abs() < 1e-6);
        assert_eq!(tape.value(y).data()[2..], [0.0, 0.0]);
    }
}
