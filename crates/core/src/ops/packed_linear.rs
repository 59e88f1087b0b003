//! The fully connected layer with packed weights, for generation and evaluation.

use std::sync::Arc;

use crate::kernels::Kernels;
use crate::kernels::packed_weights::PackedWeights;
use crate::ops::{Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Tensor, Var};

/// `Y = X W^T + b`: `(.., K)`, `(N, K)` and `(N)` give `(.., N)`. The result is that of
/// [linear](super::linear) with the rounded weights.
///
/// With a scale `s_j` for each row, `W_jk = s_j q_jk`, a row of X gives
/// `y_j = s_j (sum_k q_jk x_k) + b_j`; X and the sums are not rounded. It has no backward pass:
/// weights are packed after training.
#[derive(Debug)]
pub struct PackedLinear<T: Float> {
    weights: Arc<PackedWeights<T>>,
}

impl<T: Float> Tape<T> {
    /// Whether [`PackedLinear`] can replace [linear](super::linear) for `x`, and is faster.
    pub(crate) fn packed_linear_is_faster(&self, x: Var) -> bool {
        !self.wants_gradients() && self.value(x).rows_cols().0 == 1
    }

    /// Records [`PackedLinear`], with or without a bias.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the weights fit `x` and the bias has one element for each output;
    /// [`Error::NoBackward`] if an input needs a gradient.
    #[track_caller]
    pub(crate) fn packed_linear(
        &mut self,
        x: Var,
        weights: &Arc<PackedWeights<T>>,
        bias: Option<Var>,
    ) -> Result<Var, Error> {
        let op = PackedLinear { weights: weights.clone() };
        match bias {
            Some(bias) => self.record_forward_only(op, &[x, bias]),
            None => self.record_forward_only(op, &[x]),
        }
    }
}

impl<T: Float> Op<T> for PackedLinear<T> {
    fn name(&self) -> &'static str {
        "packed_linear"
    }
    fn equation(&self, inputs: usize) -> &'static str {
        if inputs == 2 { "Y = X W^T + b, W packed" } else { "Y = X W^T, W packed" }
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let [n, k] = self.weights.shape();
        let Some((&last, rows)) = inputs[0].split_last() else {
            return Err("expected X (.., K)".into());
        };
        if last != k || inputs.get(1).is_some_and(|bias| *bias != [n]) {
            return Err("expected X (.., K), packed weights (N, K) and b (N)".into());
        }
        let mut shape = ndarray::IxDyn(inputs[0]);
        shape[rows.len()] = n;
        Ok(shape)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let bias = io.optional_input(1).map(Tensor::data);
        T::Kernels::packed_matvec(&self.weights, io.input(0).data(), bias, io.out);
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        let bias = if inputs.len() == 2 { count(output) } else { 0 };
        2 * count(output) * self.weights.shape()[1] as u64 + bias
    }
    fn own_bytes(&self) -> u64 {
        self.weights.bytes() as u64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use crate::gradcheck::constant;
    use crate::kernels::packed_weights::{PackedWeights, WeightFormat};
    use crate::{Error, Params, Tape, Tensor};

    #[test]
    fn agrees_with_linear_on_the_rounded_weights() {
        let (n, k) = (37, 70);
        for format in WeightFormat::ALL {
            let mut w = constant(&[n, k], 1.0);
            let packed = Arc::new(PackedWeights::new(w.data(), k, format));
            packed.unpack(w.data_mut());
            let mut tape = Tape::new();
            let (w, b) = (tape.input(w), tape.input(constant(&[n], 3.0)));
            for (t, b) in [(1, None), (1, Some(b)), (5, None), (5, Some(b))] {
                let x = tape.input(constant(&[2, t, k], 2.0));
                let want = tape.linear(x, w, b).unwrap();
                let got = tape.packed_linear(x, &packed, b).unwrap();
                let [got, want] = [got, want].map(|y| tape.value(y));
                assert_eq!((got.shape(), want.shape()), (&[2, t, n][..], &[2, t, n][..]));
                assert!(got.data().iter().zip(want.data()).all(|(g, w)| (g - w).abs() < 1e-12), "{format:?}");
            }
        }
    }

    #[test]
    fn by_hand() {
        let w = [1.0_f32, 0.0, 0.0, 1.0, 1.0, 1.0];
        let packed = Arc::new(PackedWeights::new(&w, 2, WeightFormat::Bf16));
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[1, 2], vec![1.0, 2.0]).unwrap());
        let b = tape.input(Tensor::from_vec(&[3], vec![10.0, 20.0, 30.0]).unwrap());
        let y = tape.packed_linear(x, &packed, Some(b)).unwrap();
        assert_eq!((tape.value(y).shape(), tape.value(y).data()), (&[1, 3][..], &[11.0, 22.0, 33.0][..]));
        for (x, b) in [(b, None), (x, Some(x))] {
            assert!(matches!(tape.packed_linear(x, &packed, b), Err(Error::Shape { .. })));
        }
    }

    #[test]
    fn cannot_be_trained_through() {
        let packed = Arc::new(PackedWeights::new(&[1.0_f32], 1, WeightFormat::F32));
        let mut params = Params::new();
        let id = params.add("x", Tensor::zeros(&[1])).unwrap();
        let mut tape = Tape::new();
        let x = tape.param(&params, id);
        assert!(matches!(tape.packed_linear(x, &packed, None), Err(Error::NoBackward { .. })));
    }
}
