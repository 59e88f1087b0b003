//! A hidden layer with a gate.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = a s(a) b` with `z = [a b]`, two layers of N neurons side by side, and the logistic function `s`
/// (Shazeer 2020): `(.., 2 N)` gives `(.., N)`. One layer decides how much of the other passes.
///
/// `dL/da = dL/dy b (s + a s (1 - s))` and `dL/db = dL/dy a s`.
#[derive(Debug)]
pub struct Swiglu;

impl<T: Float> Tape<T> {
    /// Records [`Swiglu`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless `z` has an even number of columns.
    #[track_caller]
    pub fn swiglu(&mut self, z: Var) -> Result<Var, Error> {
        self.record(Swiglu, &[z])
    }
}

impl<T: Float> Op<T> for Swiglu {
    fn name(&self) -> &'static str {
        "swiglu"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = a s(a) b, z = [a b]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            [rows @ .., columns] if *columns > 0 && columns.is_multiple_of(2) => {
                Ok(ndarray::IxDyn(&[rows, &[columns / 2]].concat()))
            }
            _ => Err("expected z (.., 2 N), with N at least 1".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let z = io.input(0);
        T::Kernels::swiglu(io.out, z.data(), z.rows_cols().1 / 2);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        6 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Swiglu {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dz = [da db], da = dy b (s + a s (1 - s)), db = dy a s, s = s(a)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (z, dy) = (io.input(0), io.dy.data());
        io.input_grad(0, |dz| T::Kernels::swiglu_backward(dz, z.data(), dy, z.rows_cols().1 / 2));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[2, 2, 6], &[1, 2], &[40, 10]] {
            check(&[shape], |tape, x| tape.swiglu(x[0]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::<f64>::new();
        let z = tape.input(Tensor::from_vec(&[1, 4], vec![0.0, 2.0, 5.0, -3.0]).unwrap());
        let y = tape.swiglu(z).unwrap();
        let want = [0.0, -6.0 / (1.0 + (-2.0_f64).exp())];
        assert!(tape.value(y).data().iter().zip(want).all(|(y, want)| (y - want).abs() < 1e-12));
        let odd = tape.input(constant(&[1, 3], 0.0));
        assert!(tape.swiglu(odd).is_err());
    }
}
