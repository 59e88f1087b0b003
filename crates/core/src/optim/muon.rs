//! Momentum whose matrices are made orthogonal.

use super::orthogonalize::{Scratch, orthogonalize};
use super::{AdamW, FindTensor, Optimizer, named, restored, zeros};
use crate::kernels::Kernels;
use crate::{Error, Float, Grads, Param, Params, Precision, Tensor};

/// Muon (Jordan et al. 2024) for the matrices between the embeddings and the output, and [`AdamW`] for all
/// other parameters:
///
/// ```text
/// m := momentum m + g
/// u  = g + momentum m                     Nesterov's look ahead
/// w := w - lr decay w - lr sqrt(max(1, rows / cols)) orthogonal(u)
/// ```
///
/// A gradient's matrix is mostly a few directions with large singular values; `orthogonal(u)`, with all of them
/// about 1, moves the rare directions as far as the common ones. `orthogonal` is the iteration of Newton and
/// Schulz, which needs products only. A parameter that holds several matrices, such as those of queries, keys
/// and values, is orthogonalised matrix by matrix.
#[derive(Debug, Clone)]
pub struct Muon<T: Float> {
    /// AdamW for the other parameters.
    pub adamw: AdamW<T>,
    /// The learning rate as a multiple of AdamW's.
    pub rate: f64,
    /// The share of the last step's momentum that is kept.
    pub momentum: f64,
    /// The precision of the products.
    pub precision: Precision,
    /// The momentum of each matrix; other parameters have an empty one.
    m: Vec<Tensor<T>>,
    /// The memory of an update, which the next one uses again.
    u: Vec<T>,
    scratch: Scratch<T>,
}

impl<T: Float> Muon<T> {
    /// Muon whose learning rate is `rate` times that of `adamw`, with momentum 0.95.
    pub fn new(mut adamw: AdamW<T>, rate: f64) -> Self {
        adamw.applies_to = |param| !is_hidden(param);
        Self {
            adamw,
            rate,
            momentum: 0.95,
            precision: Precision::F32,
            m: Vec::new(),
            u: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    fn update_matrix(
        &mut self,
        param: &mut Param<T>,
        m: &mut Tensor<T>,
        grad: &Tensor<T>,
        scale: f64,
        lr: f64,
    ) {
        let matrices = param.hidden_matrices;
        let (all_rows, cols) = param.value.rows_cols();
        let rows = all_rows / matrices;
        let (scale, momentum) = (T::of(scale), T::of(self.momentum));
        let lr = lr * self.rate;
        let keep = T::of(1.0 - lr * self.adamw.weight_decay);
        let step = T::of(lr * (rows as f64 / cols as f64).max(1.0).sqrt());
        let w = param.value.data_mut().chunks_exact_mut(rows * cols);
        let m = m.data_mut().chunks_exact_mut(rows * cols);
        for ((w, m), g) in w.zip(m).zip(grad.data().chunks_exact(rows * cols)) {
            self.u.resize(rows * cols, T::zero()); // which the next line overwrites
            T::Kernels::nesterov(&mut self.u, m, g, scale, momentum);
            orthogonalize(&mut self.u, (rows, cols), self.precision, &mut self.scratch);
            T::Kernels::combine(w, &self.u, keep, -step);
        }
    }
}

/// Whether a parameter holds matrices between the embeddings and the output.
fn is_hidden<T: Float>(param: &Param<T>) -> bool {
    param.hidden_matrices > 0
}

/// The name of the momenta in a checkpoint.
const MOMENTUM: &str = "momentum";

impl<T: Float> Optimizer<T> for Muon<T> {
    fn name(&self) -> &'static str {
        "muon"
    }

    fn update(&mut self, params: &mut Params<T>, grads: &Grads<T>, scale: f64, lr: f64) {
        self.adamw.update(params, grads, scale, lr);
        if self.m.is_empty() {
            self.m = zeros(params, is_hidden);
        }
        let mut all = std::mem::take(&mut self.m);
        for ((param, grad), m) in params.iter_mut().zip(grads.iter()).zip(&mut all) {
            if let Some(grad) = grad.filter(|_| is_hidden(param)) {
                self.update_matrix(param, m, grad, scale, lr);
            }
        }
        self.m = all;
    }

    fn cost(&self) -> (u64, u64) {
        // The products, whose number depends on the shape, do not count.
        (9, 5)
    }

    fn state(&self, params: &Params<T>) -> Vec<(String, Tensor<T>)> {
        let mut state = self.adamw.state(params);
        state.extend(named(MOMENTUM, params, &self.m, is_hidden));
        state
    }

    fn restore(&mut self, params: &Params<T>, steps: u64, get: &mut FindTensor<'_, T>) -> Result<(), Error> {
        self.adamw.restore(params, steps, get)?;
        if steps > 0 {
            self.m = restored(MOMENTUM, params, get, is_hidden)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{ParamId, Tape};

    /// A vector, which AdamW updates, and two stacked 1 x 1 matrices, whose orthogonal form is their sign times
    /// about 1.
    fn params() -> Params<f64> {
        let mut params = Params::new();
        params.add("b", Tensor::from_vec(&[1], vec![1.0]).unwrap()).unwrap();
        let w = params.add("w", Tensor::from_vec(&[2, 1], vec![1.0, 1.0]).unwrap()).unwrap();
        params.get_mut(w).hidden_matrices = 2;
        params
    }

    fn step(muon: &mut Muon<f64>, params: &mut Params<f64>, g: [f64; 2]) {
        let (mut grads, mut tape) = (Grads::new(), Tape::new());
        grads.add(ParamId(0), Tensor::from_vec(&[1], vec![3.0]).unwrap(), &mut tape);
        grads.add(ParamId(1), Tensor::from_vec(&[2, 1], g.to_vec()).unwrap(), &mut tape);
        muon.update(params, &grads, 1.0, 0.01);
    }

    #[test]
    fn each_matrix_moves_by_its_own_sign() {
        let (mut muon, mut params) = (Muon::new(AdamW::new(0.0), 2.0), params());
        step(&mut muon, &mut params, [5.0, -1e-3]);
        let values: Vec<f64> = params.iter().flat_map(|param| param.value.data().to_vec()).collect();
        assert!((values[0] - 0.99).abs() < 1e-9, "AdamW's first step has length lr");
        for (value, sign) in values[1..].iter().zip([-1.0, 1.0]) {
            let moved = (value - 1.0) * sign;
            assert!((0.02 * 0.6..0.02 * 1.25).contains(&moved), "{values:?}");
        }
        // The momentum still points the old way: -1 after 5 is 0.95 * (0.95 * 5 - 1) - 1 > 0.
        let before = params.iter().nth(1).unwrap().value.data()[0];
        step(&mut muon, &mut params, [-1.0, -1.0]);
        assert!(params.iter().nth(1).unwrap().value.data()[0] < before);
    }
}
