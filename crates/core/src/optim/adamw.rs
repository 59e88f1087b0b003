//! Adam with decoupled weight decay.

use super::{AppliesTo, FindTensor, Optimizer, named, restored, zeros};
use crate::kernels::Kernels;
use crate::kernels::optimizer::{AdamWParam, AdamWStep};
use crate::{Error, Float, Grads, Params, Tensor};

/// AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019), as PyTorch computes it:
///
/// ```text
/// w := w - lr decay w
/// m := beta1 m + (1 - beta1) g        mean of the gradient
/// v := beta2 v + (1 - beta2) g^2      mean of its square
/// w := w - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
/// ```
///
/// Every step moves each element by about `lr`, however large its gradient is. The decay applies
/// to weights, not to biases.
#[derive(Debug, Clone)]
pub struct AdamW<T: Float> {
    /// The decay rates of the two means, `(beta1, beta2)`.
    pub betas: (f64, f64),
    /// Keeps the division finite.
    pub eps: f64,
    /// The strength of the weight decay.
    pub weight_decay: f64,
    /// Whether it updates this parameter; another optimiser updates the others.
    pub(super) applies_to: AppliesTo<T>,
    steps: u64,
    m: Vec<Tensor<T>>,
    v: Vec<Tensor<T>>,
}

impl<T: Float> AdamW<T> {
    /// AdamW with `betas` (0.9, 0.999), `eps` 1e-8 and this weight decay.
    pub fn new(weight_decay: f64) -> Self {
        Self {
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay,
            applies_to: |_| true,
            steps: 0,
            m: Vec::new(),
            v: Vec::new(),
        }
    }
}

impl<T: Float> Optimizer<T> for AdamW<T> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn update(&mut self, params: &mut Params<T>, grads: &Grads<T>, scale: f64, lr: f64) {
        if self.m.is_empty() {
            (self.m, self.v) = (zeros(params, self.applies_to), zeros(params, self.applies_to));
        }
        self.steps += 1;
        let (beta1, beta2) = self.betas;
        let t = self.steps.min(i32::MAX as u64) as i32;
        let step = AdamWStep {
            rate: T::of(lr / (1.0 - beta1.powi(t))),
            unbias: T::of(1.0 / (1.0 - beta2.powi(t)).sqrt()),
            betas: [T::of(beta1), T::of(beta2)],
            complements: [T::of(1.0 - beta1), T::of(1.0 - beta2)],
            eps: T::of(self.eps),
            scale: T::of(scale),
        };
        let moments = self.m.iter_mut().zip(&mut self.v);
        let applies_to = self.applies_to;
        let all = params.iter_mut().zip(grads.iter()).zip(moments).filter_map(|((param, grad), (m, v))| {
            let grad = grad.filter(|_| applies_to(param));
            let keep = T::of(if param.decay { 1.0 - lr * self.weight_decay } else { 1.0 });
            let (w, m, v) = (param.value.data_mut(), m.data_mut(), v.data_mut());
            Some(AdamWParam { w, m, v, g: grad?.data(), keep })
        });
        T::Kernels::adamw(all.collect(), step);
    }

    fn cost(&self) -> (u64, u64) {
        (15, 7)
    }

    fn state(&self, params: &Params<T>) -> Vec<(String, Tensor<T>)> {
        let mut state = named("m", params, &self.m, self.applies_to);
        state.extend(named("v", params, &self.v, self.applies_to));
        state
    }

    fn restore(&mut self, params: &Params<T>, steps: u64, get: &mut FindTensor<'_, T>) -> Result<(), Error> {
        self.steps = steps;
        if steps > 0 {
            self.m = restored("m", params, get, self.applies_to)?;
            self.v = restored("v", params, get, self.applies_to)?;
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
        let mut tape = Tape::new();
        let mut adam = AdamW::new(0.1);
        let mut step = |g: f64| {
            let mut grads = Grads::new();
            grads.add(w, Tensor::from_vec(&[1, 1], vec![g]).unwrap(), &mut tape);
            adam.update(&mut params, &grads, 1.0, 0.01);
            params.get(w).value.data()[0]
        };
        // The first step has length lr and the sign of the gradient: 1 - 0.001 - 0.01.
        let first = step(5.0);
        assert!((first - 0.989).abs() < 1e-9, "{first}");
        // m = 0.9 * 0.5 - 0.1 = 0.35, v = 0.999 * 0.025 + 0.001 = 0.025975.
        let want = first * 0.999 - 0.01 * (0.35 / 0.19) / ((0.025_975_f64 / 0.001_999).sqrt() + 1e-8);
        assert!((step(-1.0) - want).abs() < 1e-12);
    }
}
