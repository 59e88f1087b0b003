//! The residual connection: the output of a layer is added to its input.

use crate::kernels::Kernels;
use crate::kernels::dropout::DropoutMask;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Tensor, Var};

/// `y = x + m b / (1 - p)`, for an input `x` and the output `b` of a layer, of the same shape:
/// [dropout](super::dropout) and the sum in one pass (Vaswani et al. 2017, section 5.4), without
/// storing the output of dropout.
///
/// `dL/dx = dL/dy`, `dL/db = m dL/dy / (1 - p)`.
#[derive(Debug, Clone, Copy)]
pub struct Residual {
    dropout: DropoutMask,
}

impl<T: Float> Tape<T> {
    /// Records [`Residual`] with dropout of probability `p` if the tape is
    /// [training](Tape::set_dropout), otherwise the [sum](super::add).
    ///
    /// # Errors
    /// [`Error::Setting`] unless `0 <= p < 1`; [`Error::Shape`] unless both have the same shape.
    /// Without dropout, the shape of `x` may also end with that of `b`.
    #[track_caller]
    pub fn residual(&mut self, x: Var, b: Var, p: f64) -> Result<Var, Error> {
        match self.dropout_mask(p)? {
            Some(dropout) => self.record(Residual { dropout }, &[x, b]),
            None => self.add(x, b),
        }
    }
}

/// The gradient of a residual branch: `m dL/dy / (1 - p)`, or `dL/dy` without dropout. The caller
/// returns its memory with [`Backward::give_back`].
pub(super) fn branch_gradient<T: Float>(io: &mut Backward<'_, T>, dropout: Option<DropoutMask>) -> Tensor<T> {
    let Some(mask) = dropout else { return io.dy.clone() };
    let mut db = io.pool.take(io.dy.dims());
    T::Kernels::dropout(db.data_mut(), io.dy.data(), &mask);
    db
}

impl<T: Float> Op<T> for Residual {
    fn name(&self) -> &'static str {
        "residual"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = x + m b / (1 - p), m = 0 with probability p"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (x, b) = (io.input(0).data(), io.input(1).data());
        T::Kernels::dropout_add(io.out, x, b, &self.dropout);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Residual {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = dy", "db = m dy / (1 - p)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let dy = io.dy.data();
        io.input_grad(1, |db| T::Kernels::dropout(db, dy, &self.dropout));
        io.pass(0);
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::rng::Streams;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        let key = Streams::new(1).dropout(0);
        for shape in [&[30, 4][..], &[1, 5], &[1, 1]] {
            check(&[shape, shape], |tape, x| {
                tape.set_dropout(Some(key));
                tape.residual(x[0], x[1], 0.4)
            });
        }
    }

    #[test]
    fn is_the_sum_with_the_output_of_dropout() {
        let key = Streams::new(7).dropout(3);
        // More than one chunk of the loop.
        let (x, b) = (constant(&[20_000], 0.3), constant(&[20_000], 0.7));
        let [mut one, mut two] = [(); 2].map(|()| Tape::<f64>::new());
        let [of_one, of_two] = [&mut one, &mut two].map(|tape| {
            tape.set_dropout(Some(key));
            [&x, &b].map(|x| tape.input(x.clone()))
        });
        let y = one.residual(of_one[0], of_one[1], 0.2).unwrap();
        let dropped = two.dropout(of_two[1], 0.2).unwrap();
        let want = two.add(of_two[0], dropped).unwrap();
        assert_eq!(one.value(y), two.value(want));
    }

    #[test]
    fn shapes_must_be_the_same() {
        let mut tape = Tape::<f32>::new();
        let (x, b) = (tape.input(Tensor::zeros(&[2, 3])), tape.input(Tensor::zeros(&[3, 2])));
        assert!(tape.residual(x, b, 0.0).is_err() && tape.residual(x, x, 1.0).is_err());
        tape.set_dropout(Some(Streams::new(1).dropout(0)));
        assert!(tape.residual(x, b, 0.5).is_err());
    }
}
