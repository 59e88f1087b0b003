//! The largest elements of each row, for generation.

use crate::kernels::Kernels;
use crate::ops::{Forward, Op, count};
use crate::tensor::rows_cols;
use crate::{Error, Float, Shape, Tape, Var};

/// `y_b = (x_b j1, .., x_b jk, j1, .., jk)` with `x_b j1 >= .. >= x_b jk >= all others`: the K largest
/// elements of each row, largest first, then their columns. `(B, N)` gives `(B, 2 K)`; of equal elements,
/// the first count.
///
/// A column is stored exactly up to 2^24 in single precision, which is as large as a vocabulary may be. NaN is
/// never taken; without enough elements, minus infinity fills up. The op has no backward pass, like
/// [`argmax`](super::argmax).
#[derive(Debug)]
pub struct TopK {
    k: usize,
}

impl<T: Float> Tape<T> {
    /// Records [`TopK`].
    ///
    /// # Errors
    /// [`Error::NoBackward`] if `x` needs a gradient; [`Error::Shape`] if `k` is 0 or the rows are empty.
    #[track_caller]
    pub fn top_k(&mut self, x: Var, k: usize) -> Result<Var, Error> {
        self.record_forward_only(TopK { k }, &[x])
    }
}

impl<T: Float> Op<T> for TopK {
    fn name(&self) -> &'static str {
        "top_k"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y_b = the K largest x_bj, and their columns j"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match rows_cols(inputs[0]) {
            (rows, cols) if cols > 0 && self.k > 0 => Ok(ndarray::IxDyn(&[rows, 2 * self.k])),
            _ => Err("every row needs at least one element, and K must be at least 1".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        T::Kernels::top_k(io.out, x.data(), x.rows_cols().1, self.k);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        count(inputs[0])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use crate::{Tape, Tensor};

    fn top_k(x: &[f32], k: usize) -> Vec<f32> {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[1, x.len()], x.to_vec()).unwrap());
        let y = tape.top_k(x, k).unwrap();
        tape.value(y).data().to_vec()
    }

    #[test]
    fn by_hand() {
        let x = [1.0, 5.0, f32::NAN, 5.0, 9.0, 2.0];
        assert_eq!(top_k(&x, 3), [9.0, 5.0, 5.0, 4.0, 1.0, 3.0]);
        let none = f32::NEG_INFINITY;
        assert_eq!(top_k(&[f32::NAN, 2.0], 3), [2.0, none, none, 1.0, 0.0, 0.0]);
    }

    proptest! {
        #[test]
        fn agrees_with_a_stable_sort(x in prop::collection::vec(-9..9_i8, 20..200), k in 1..20_usize) {
            let x: Vec<f32> = x.into_iter().map(f32::from).collect();
            let mut order: Vec<usize> = (0..x.len()).collect();
            order.sort_by(|&i, &j| x[j].total_cmp(&x[i]));
            let values = order[..k].iter().map(|&i| x[i]);
            let want: Vec<f32> = values.chain(order[..k].iter().map(|&i| i as f32)).collect();
            prop_assert_eq!(top_k(&x, k), want);
        }
    }
}
