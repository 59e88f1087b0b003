//! Dropout: every step drops a different part of the network.

use crate::kernels::Kernels;
use crate::kernels::dropout::DropoutMask;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y_i = m_i x_i / (1 - p)`, where `m_i` is 0 with probability `p` and 1 otherwise (Srivastava et
/// al. 2014; the scaling keeps the mean, so that evaluation needs no change).
///
/// `dL/dx_i = m_i dL/dy_i / (1 - p)`. The mask is not stored: `backward` recomputes it with the
/// counter-based generator.
#[derive(Debug)]
pub struct Dropout {
    mask: DropoutMask,
}

impl<T: Float> Tape<T> {
    /// Records [`Dropout`] with probability `p` if the tape is [training](Tape::set_dropout);
    /// otherwise returns `x`.
    ///
    /// # Errors
    /// [`Error::Setting`] unless `0 <= p < 1`.
    #[track_caller]
    pub fn dropout(&mut self, x: Var, p: f64) -> Result<Var, Error> {
        match self.dropout_mask(p)? {
            Some(mask) => self.record(Dropout { mask }, &[x]),
            None => Ok(x),
        }
    }

    /// The mask of the next dropout of this step; `None` if nothing is dropped.
    pub(crate) fn dropout_mask(&mut self, p: f64) -> Result<Option<DropoutMask>, Error> {
        if !(0.0..1.0).contains(&p) {
            let rule = "it must be a probability of at least 0 and below 1";
            return Err(Error::Setting { name: "dropout", value: p.to_string(), rule });
        }
        let key = (p > 0.0).then(|| self.next_dropout()).flatten();
        Ok(key.map(|key| DropoutMask::new(p, key)))
    }
}

impl<T: Float> Op<T> for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = m x / (1 - p), m = 0 with probability p"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::dropout(io.out, io.input(0).data(), &self.mask);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

impl<T: Float> Differentiable<T> for Dropout {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = m dy / (1 - p)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let dy = io.dy.data();
        io.input_grad(0, |dx| T::Kernels::dropout(dx, dy, &self.mask));
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::rng::Streams;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        let key = Streams::new(1).dropout(0);
        for shape in [&[30, 4][..], &[1, 5], &[1, 1]] {
            check(&[shape], |tape, x| {
                tape.set_dropout(Some(key));
                tape.dropout(x[0], 0.4)
            });
        }
    }

    #[test]
    fn drops_the_given_share_and_keeps_the_mean() {
        let mut tape = Tape::new();
        tape.set_dropout(Some(Streams::new(7).dropout(3)));
        let x = tape.input(Tensor::from_vec(&[100_000], vec![1.0_f32; 100_000]).unwrap());
        let (y, z) = (tape.dropout(x, 0.2).unwrap(), tape.dropout(x, 0.2).unwrap());
        let dropped = tape.value(y).data().iter().filter(|&&y| y == 0.0).count();
        assert!((19_500..20_500).contains(&dropped), "{dropped}");
        assert!(tape.value(y).data().iter().all(|&y| y == 0.0 || y == 1.25));
        assert_ne!(tape.value(y), tape.value(z), "each dropout of a step has its own mask");
    }

    #[test]
    fn does_nothing_in_evaluation() {
        let mut tape = Tape::<f32>::new();
        let x = tape.input(Tensor::zeros(&[3]));
        assert_eq!(tape.dropout(x, 0.5).unwrap(), x);
        assert!(tape.dropout(x, 1.0).is_err() && tape.dropout(x, f64::NAN).is_err());
    }
}
