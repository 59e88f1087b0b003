//! Stochastic gradient descent.

use super::{FindTensor, Optimizer, named, restored, zeros};
use crate::kernels::Kernels;
use crate::kernels::optimizer::SgdStep;
use crate::{Error, Float, Grads, Params, Tensor};

/// Stochastic gradient descent: `w := w - lr (g + l2 w)`, or with momentum
/// `v := momentum v + g + l2 w`, `w := w - lr v`.
///
/// `l2` is the book's `lambda / n` (chapter 3, equation 93) and applies to weights, not to
/// biases. Momentum is that of PyTorch; at a constant learning rate, the book's (chapter 3,
/// equations 107 and 108) is the same with `v` scaled by `-lr`.
#[derive(Debug, Clone, Default)]
pub struct Sgd<T: Float> {
    /// The share of the previous velocity that is kept: 0 for none, 0.9 is usual.
    pub momentum: f64,
    /// The strength of the L2 regularisation.
    pub l2: f64,
    velocity: Vec<Tensor<T>>,
}

impl<T: Float> Sgd<T> {
    /// Plain gradient descent.
    pub fn new() -> Self {
        Self { momentum: 0.0, l2: 0.0, velocity: Vec::new() }
    }

    /// The same optimiser with momentum.
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// The same optimiser with L2 regularisation of strength `l2` per step.
    pub fn l2(self, l2: f64) -> Self {
        Self { l2, ..self }
    }
}

impl<T: Float> Optimizer<T> for Sgd<T> {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn update(&mut self, params: &mut Params<T>, grads: &Grads<T>, scale: f64, lr: f64) {
        let (scale, rate, momentum) = (T::of(scale), T::of(lr), T::of(self.momentum));
        if self.momentum != 0.0 && self.velocity.is_empty() {
            self.velocity = zeros(params, |_| true);
        }
        for (i, (param, grad)) in params.iter_mut().zip(grads.iter()).enumerate() {
            let Some(grad) = grad else { continue };
            let l2 = T::of(if param.decay { self.l2 } else { 0.0 });
            let (w, g) = (param.value.data_mut(), grad.data());
            if self.momentum == 0.0 {
                T::Kernels::sgd(w, g, SgdStep { rate, scale, l2 });
            } else {
                let v = self.velocity[i].data_mut();
                T::Kernels::sgd_with_momentum(w, v, g, SgdStep { rate, scale, l2 }, momentum);
            }
        }
    }

    fn cost(&self) -> (u64, u64) {
        if self.momentum == 0.0 { (5, 3) } else { (7, 5) }
    }

    fn state(&self, params: &Params<T>) -> Vec<(String, Tensor<T>)> {
        named("velocity", params, &self.velocity, |_| true)
    }

    fn restore(&mut self, params: &Params<T>, steps: u64, get: &mut FindTensor<'_, T>) -> Result<(), Error> {
        if self.momentum != 0.0 && steps > 0 {
            self.velocity = restored("velocity", params, get, |_| true)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Tape;

    #[test]
    fn two_steps_by_hand() {
        let mut params = Params::new();
        let w = params.add("w", Tensor::from_vec(&[1, 1], vec![1.0_f64]).unwrap()).unwrap();
        let b = params.add("b", Tensor::from_vec(&[1], vec![1.0]).unwrap()).unwrap();
        let (mut grads, mut tape) = (Grads::new(), Tape::new());
        grads.add(w, Tensor::from_vec(&[1, 1], vec![2.0]).unwrap(), &mut tape);
        grads.add(b, Tensor::from_vec(&[1], vec![2.0]).unwrap(), &mut tape);
        let mut sgd = Sgd::new().momentum(0.5).l2(0.1);
        sgd.update(&mut params, &grads, 1.0, 0.1);
        // w: v = 2 + 0.1 = 2.1, w = 0.79. b is not decayed: v = 2, b = 0.8.
        assert!((params.get(w).value.data()[0] - 0.79).abs() < 1e-12);
        assert!((params.get(b).value.data()[0] - 0.8).abs() < 1e-12);
        sgd.update(&mut params, &grads, 1.0, 0.1);
        // w: v = 1.05 + 2.079 = 3.129, w = 0.4771.
        assert!((params.get(w).value.data()[0] - 0.4771).abs() < 1e-12);
    }
}
