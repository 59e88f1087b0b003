//! The residual connection: a layer adds to what is there.

use crate::kernels::dropout::DropoutMask;
use crate::kernels::{map, vectorised};
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Tensor, Var};

/// `y = x + m b / (1 - p)`, of `x` and what a layer adds to it, of one shape: the sum and
/// [dropout](super::dropout) in one pass (Vaswani et al. 2017, section 5.4), so that what
/// dropout leaves of `b` need not be stored.
///
/// `dL/dx = dL/dy`, `dL/db = m dL/dy / (1 - p)`.
#[derive(Debug, Clone, Copy)]
pub struct Residual {
    dropout: DropoutMask,
}

impl<T: Float> Tape<T> {
    /// Records [`Residual`] with dropout of probability `p` if the tape is
    /// [training](Tape::set_dropout); else the [sum](super::add).
    ///
    /// # Errors
    /// [`Error::Setting`] unless `0 <= p < 1`; [`Error::Shape`] unless both have one shape; a
    /// sum also takes a `b` whose shape ends that of `x`.
    #[track_caller]
    pub fn residual(&mut self, x: Var, b: Var, p: f64) -> Result<Var, Error> {
        match self.dropout_mask(p)? {
            Some(dropout) => self.record(Residual { dropout }, &[x, b]),
            None => self.add(x, b),
        }
    }
}

/// What a product does with its numbers, from number `first` on, to be [`Residual`]'s `b` and then
/// its `y`.
pub(super) fn add_to<T: Float>(
    x: &[T],
    dropout: Option<DropoutMask>,
) -> impl Fn(usize, &mut [T], &mut [T]) + Sync {
    move |first, b, _| {
        let numbers = b.iter_mut().zip(&x[first..]);
        match &dropout {
            None => vectorised(
                #[inline(always)]
                || numbers.for_each(|(b, &x)| *b = x + *b),
            ),
            Some(dropout) => {
                let factor = dropout.factor_from::<T>(first as u64);
                vectorised(
                    #[inline(always)]
                    || numbers.enumerate().for_each(|(i, (b, &x))| *b = x + factor(i as u32) * *b),
                );
            }
        }
    }
}

/// From `dL/dy` what [`Residual`]'s `b` gets; without dropout that is `dL/dy` itself.
/// [`Backward::give_back`] returns it.
pub(super) fn behind_dropout<T: Float>(io: &mut Backward<'_, T>, dropout: Option<DropoutMask>) -> Tensor<T> {
    let Some(dropout) = dropout else { return io.dy.clone() };
    let mut db = io.pool.take(io.dy.dims());
    dropout.apply(db.data_mut(), io.dy.data());
    db
}

impl<T: Float> Op<T> for Residual {
    fn name(&self) -> &'static str {
        "residual"
    }
    fn equation(&self) -> &'static str {
        "y = x + m b / (1 - p), m = 0 with probability p"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (x, b) = (io.input(0).data(), io.input(1).data());
        map::map2_indexed(io.out, x, b, |start| {
            let factor = self.dropout.factor_from::<T>(start);
            move |i, x, b| x + factor(i) * b
        });
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Residual {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let dy = io.dy.data();
        io.input_grad(1, |db| self.dropout.apply(db, dy));
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
    fn is_the_sum_with_what_dropout_leaves() {
        let key = Streams::new(7).dropout(3);
        // More than one piece of the loop.
        let (x, b) = (constant(&[20_000], 0.3), constant(&[20_000], 0.7));
        let [mut one, mut two] = [(); 2].map(|()| Tape::<f64>::new());
        let [of_one, of_two] = [&mut one, &mut two].map(|tape| {
            tape.set_dropout(Some(key));
            [&x, &b].map(|x| tape.input(x.clone()))
        });
        let y = one.residual(of_one[0], of_one[1], 0.2).unwrap();
        let left = two.dropout(of_two[1], 0.2).unwrap();
        let want = two.add(of_two[0], left).unwrap();
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
