//! Splits each token's row into heads, and merges the heads again.

use crate::kernels::Kernels;
use crate::kernels::heads::HeadLayout;
use crate::ops::{Backward, Differentiable, Forward, Op};
use crate::{Error, Float, Shape, Tape, Var};

/// Part `part` of `parts` of each row, split into H heads: `(B, T, parts C)` gives `(B, H, T, D)`
/// with `D = C / H`. Q, K and V are the parts 0, 1 and 2 of 3.
///
/// It only moves elements, and the gradient moves back in the same way.
#[derive(Debug)]
pub struct SplitHeads {
    part: usize,
    parts: usize,
    n_head: usize,
}

/// The inverse of [`SplitHeads`] for one part: `(B, H, T, D)` gives `(B, T, C)`.
#[derive(Debug)]
pub struct MergeHeads;

impl<T: Float> Tape<T> {
    /// Records [`SplitHeads`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` is `(B, T, parts C)`, C is a multiple of `n_head` and
    /// `part < parts`.
    #[track_caller]
    pub fn split_heads(&mut self, x: Var, part: usize, parts: usize, n_head: usize) -> Result<Var, Error> {
        self.record(SplitHeads { part, parts, n_head }, &[x])
    }

    /// Records [`MergeHeads`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` has four axes.
    #[track_caller]
    pub fn merge_heads(&mut self, x: Var) -> Result<Var, Error> {
        self.record(MergeHeads, &[x])
    }
}

/// The layout of heads `(B, H, T, D)` in part `part` of `parts` of each token's row.
fn layout(heads: &[usize], part: usize, parts: usize) -> HeadLayout {
    let &[_, h, t, d] = heads else { unreachable!("heads have four axes") };
    HeadLayout { h, t, d, part, parts }
}

impl<T: Float> Op<T> for SplitHeads {
    fn name(&self) -> &'static str {
        "split_heads"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y[b, h, t] = x[b, t, part, h]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[b, t, width]
                if width > 0 && self.part < self.parts && width.is_multiple_of(self.parts * self.n_head) =>
            {
                Ok(ndarray::IxDyn(&[b, self.n_head, t, width / (self.parts * self.n_head)]))
            }
            _ => Err(format!(
                "expected (B, T, {} C), with C a multiple of the {} heads",
                self.parts, self.n_head
            )),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        let (b, t, width) = (x.shape()[0], x.shape()[1], x.shape()[2]);
        let shape = [b, self.n_head, t, width / (self.parts * self.n_head)];
        T::Kernels::split_heads(io.out, x.data(), layout(&shape, self.part, self.parts));
    }
    fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

impl<T: Float> Differentiable<T> for SplitHeads {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx[b, t, part, h] = dy[b, h, t], 0 in the other parts"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (dy, layout) = (io.dy.data(), layout(io.dy.shape(), self.part, self.parts));
        io.add_to_input_grad(0, |dx| T::Kernels::merge_add_heads(dx, dy, layout));
    }
}

impl<T: Float> Op<T> for MergeHeads {
    fn name(&self) -> &'static str {
        "merge_heads"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y[b, t, h] = x[b, h, t]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[b, h, t, d] if h * d > 0 => Ok(ndarray::IxDyn(&[b, t, h * d])),
            _ => Err("expected (B, H, T, D), with heads that are not empty".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        T::Kernels::merge_heads(io.out, x.data(), layout(x.shape(), 0, 1));
    }
    fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

impl<T: Float> Differentiable<T> for MergeHeads {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx[b, h, t] = dy[b, t, h]"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (dy, layout) = (io.dy.data(), layout(io.input(0).shape(), 0, 1));
        io.input_grad(0, |dx| T::Kernels::split_heads(dx, dy, layout));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for (b, t, h, d) in [(2, 3, 2, 2), (1, 1, 1, 1), (1, 4, 3, 1)] {
            for part in 0..3 {
                check(&[&[b, t, 3 * h * d]], |tape, x| tape.split_heads(x[0], part, 3, h));
            }
            check(&[&[b, h, t, d]], |tape, x| tape.merge_heads(x[0]));
        }
        // All three parts of one tensor, as in attention.
        check(&[&[2, 3, 12]], |tape, x| {
            let [q, k, v] = [0, 1, 2].map(|part| tape.split_heads(x[0], part, 3, 2));
            let sum = tape.mul(q?, k?)?;
            tape.add(sum, v?)
        });
    }

    #[test]
    fn by_hand() {
        // Two tokens with K = (10, 11) and (20, 21): head 0 has 10, 20; head 1 has 11, 21.
        let mut tape = Tape::new();
        let x = vec![0.0_f32, 1.0, 10.0, 11.0, 5.0, 6.0, 7.0, 8.0, 20.0, 21.0, 9.0, 9.0];
        let x = tape.input(Tensor::from_vec(&[1, 2, 6], x).unwrap());
        let k = tape.split_heads(x, 1, 3, 2).unwrap();
        assert_eq!(tape.value(k).shape(), [1, 2, 2, 1]);
        assert_eq!(tape.value(k).data(), [10.0, 20.0, 11.0, 21.0]);
        let back = tape.merge_heads(k).unwrap();
        assert_eq!(tape.value(back).data(), [10.0, 11.0, 20.0, 21.0]);
        assert!(tape.split_heads(x, 0, 3, 4).is_err());
        let empty = tape.input(Tensor::zeros(&[1, 2, 0]));
        assert!(tape.split_heads(empty, 0, 3, 2).is_err());
        let empty = tape.input(Tensor::zeros(&[1, 2, 3, 0]));
        assert!(tape.merge_heads(empty).is_err());
    }
}
