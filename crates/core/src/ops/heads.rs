//! From one wide row for each token to several heads with short rows, and back.

use crate::kernels::by_rows;
use crate::ops::{Backward, Differentiable, Forward, Op};
use crate::{Error, Float, Shape, Tape, Var};

/// Part `part` of `parts` of each row, cut into H heads: `(B, T, parts C)` to
/// `(B, H, T, D)` with `D = C / H`. Q, K and V are the parts 0, 1 and 2 of 3.
///
/// It moves numbers and changes none, so that the gradient moves back the same way.
#[derive(Debug)]
pub struct SplitHeads {
    part: usize,
    parts: usize,
    n_head: usize,
}

/// The opposite of [`SplitHeads`] for one part: `(B, H, T, D)` to `(B, T, C)`.
#[derive(Debug)]
pub struct MergeHeads;

impl<T: Float> Tape<T> {
    /// Records [`SplitHeads`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless the last axis can be cut so.
    #[track_caller]
    pub fn split_heads(&mut self, x: Var, part: usize, parts: usize, n_head: usize) -> Result<Var, Error> {
        self.record(SplitHeads { part, parts, n_head }, &[x])
    }

    /// Records [`MergeHeads`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are four axes.
    #[track_caller]
    pub fn merge_heads(&mut self, x: Var) -> Result<Var, Error> {
        self.record(MergeHeads, &[x])
    }
}

/// Where the rows of heads lie among those of tokens.
struct Places {
    h: usize,
    t: usize,
    d: usize,
    /// Numbers of a token's row, and of those before the part.
    width: usize,
    offset: usize,
}

impl Places {
    /// Where row `(b, h, t)`, counted in that order, begins among the tokens' rows.
    fn of_head_row(&self, row: usize) -> usize {
        let (b, h, t) = (row / (self.t * self.h), row / self.t % self.h, row % self.t);
        (b * self.t + t) * self.width + self.offset + h * self.d
    }

    /// `heads[b, h, t] = tokens[b, t, part, h]`.
    fn split<T: Float>(&self, heads: &mut [T], tokens: &[T]) {
        by_rows(heads, self.d, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(self.d).enumerate() {
                row.copy_from_slice(&tokens[self.of_head_row(first + i)..][..self.d]);
            }
        });
    }

    /// `tokens[b, t, part, h] = heads[b, h, t]`, or `+=`.
    fn merge<T: Float>(&self, tokens: &mut [T], heads: &[T], add: bool) {
        by_rows(tokens, self.width, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(self.width).enumerate() {
                let (b, t) = ((first + i) / self.t, (first + i) % self.t);
                let part = &mut row[self.offset..][..self.h * self.d];
                for (h, to) in part.chunks_exact_mut(self.d).enumerate() {
                    let from = &heads[((b * self.h + h) * self.t + t) * self.d..][..self.d];
                    match add {
                        true => to.iter_mut().zip(from).for_each(|(to, &x)| *to += x),
                        false => to.copy_from_slice(from),
                    }
                }
            }
        });
    }
}

impl SplitHeads {
    fn places(&self, heads: &[usize]) -> Places {
        let &[_, h, t, d] = heads else { unreachable!("the output has four axes") };
        Places { h, t, d, width: self.parts * h * d, offset: self.part * h * d }
    }
}

impl MergeHeads {
    fn places(heads: &[usize]) -> Places {
        let &[_, h, t, d] = heads else { unreachable!("the input has four axes") };
        Places { h, t, d, width: h * d, offset: 0 }
    }
}

impl<T: Float> Op<T> for SplitHeads {
    fn name(&self) -> &'static str {
        "split_heads"
    }
    fn equation(&self) -> &'static str {
        "y[b, h, t] = x[b, t, part, h]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[b, t, width] if self.part < self.parts && width.is_multiple_of(self.parts * self.n_head) => {
                Ok(ndarray::IxDyn(&[b, self.n_head, t, width / (self.parts * self.n_head)]))
            }
            _ => Err(format!("(B, T, {} C) with C a multiple of {}", self.parts, self.n_head)),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        let (b, t, width) = (x.shape()[0], x.shape()[1], x.shape()[2]);
        let heads = [b, self.n_head, t, width / (self.parts * self.n_head)];
        self.places(&heads).split(io.out, x.data());
    }
    fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

impl<T: Float> Differentiable<T> for SplitHeads {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let dy = io.dy;
        io.add_to_input_grad(0, |dx| self.places(dy.shape()).merge(dx, dy.data(), true));
    }
}

impl<T: Float> Op<T> for MergeHeads {
    fn name(&self) -> &'static str {
        "merge_heads"
    }
    fn equation(&self) -> &'static str {
        "y[b, t, h] = x[b, h, t]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[b, h, t, d] => Ok(ndarray::IxDyn(&[b, t, h * d])),
            _ => Err("(B, H, T, D) gives (B, T, H D)".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        Self::places(x.shape()).merge(io.out, x.data(), false);
    }
    fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

impl<T: Float> Differentiable<T> for MergeHeads {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (places, dy) = (Self::places(io.input(0).shape()), io.dy.data());
        io.input_grad(0, |dx| places.split(dx, dy));
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
        // All three parts of one tensor, as attention takes them.
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
    }
}
